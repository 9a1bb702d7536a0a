//! The longest length that passes: from the interface's MTU down, halving what is left.

/// What a round of requests of one length showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// One came back.
    Carried,
    /// None came back, and short ones did.
    Lost,
    /// Nothing much came back.
    Unknown,
}

/// What to do then.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Try [`Search::length`] at once.
    Length,
    /// The limit is known; try again much later, from the MTU down.
    Done,
    /// Try the same again when the link may be better.
    Later,
}

/// One link's search.
#[derive(Debug)]
pub(super) struct Search {
    /// Taken for granted.
    floor: u32,
    /// Of the interface.
    mtu: u32,
    /// Passes.
    low: u32,
    /// Does not pass, or was not tried and is above the MTU.
    high: u32,
    /// What to try before halving: the limit of last time, then one more.
    hint: Option<u32>,
    /// What the link is taken to carry if it is less than the MTU.
    found: Option<u32>,
}

impl Search {
    pub(super) const fn new(floor: u32, mtu: u32) -> Self {
        Self { floor, mtu, low: floor, high: mtu + 1, hint: None, found: None }
    }

    /// Of the interface.
    pub(super) const fn mtu(&self) -> u32 {
        self.mtu
    }

    /// What the link is taken to carry; `None`: what the interface says. While the search goes on, what is known to pass.
    pub(super) const fn limit(&self) -> Option<u32> {
        self.found
    }

    /// What to try next.
    pub(super) fn length(&self) -> u32 {
        if self.high > self.mtu {
            return self.mtu;
        }
        self.hint
            .filter(|hint| *hint > self.low && *hint < self.high)
            .unwrap_or(self.low + (self.high - self.low) / 2)
    }

    /// Takes in what [`Self::length`] led to.
    pub(super) fn heard(&mut self, verdict: Verdict) -> Next {
        let length = self.length();
        match verdict {
            Verdict::Unknown => return Next::Later,
            Verdict::Carried if length == self.mtu => {
                *self = Self::new(self.floor, self.mtu);
                return Next::Done;
            }
            Verdict::Carried => {
                self.low = length;
                self.found = self.found.max(Some(length));
                // The limit has rarely moved by a little.
                self.hint = (self.hint == Some(length)).then_some(length + 1);
            }
            Verdict::Lost => {
                self.high = length;
                self.hint = if length == self.mtu { self.found } else { None };
                self.found = Some(
                    self.found.map_or(
                        self.low,
                        |found| {
                            if found < length { found } else { self.low }
                        },
                    ),
                );
            }
        }
        if self.high - self.low > 1 {
            return Next::Length;
        }
        *self = Self { found: Some(self.low), ..Self::new(self.floor, self.mtu) };
        Next::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches on a link that carries `limit`; returns how many lengths were tried.
    fn run(search: &mut Search, limit: u32) -> usize {
        for tried in 1..100 {
            let fits = search.length() <= limit;
            match search.heard(if fits { Verdict::Carried } else { Verdict::Lost }) {
                Next::Done => return tried,
                Next::Length => assert!(search.limit().is_some(), "the worst is assumed meanwhile"),
                Next::Later => panic!("it was clear enough"),
            }
        }
        panic!("no end");
    }

    #[test]
    fn every_limit_is_found_in_few_steps() {
        for mtu in [1281, 1500, 1532, 9000] {
            for limit in 1280..mtu {
                let mut search = Search::new(1280, mtu);
                let tried = run(&mut search, limit);
                assert_eq!(search.limit(), Some(limit), "of {mtu}");
                assert!(tried <= 15, "{tried} lengths for {limit} of {mtu}");
                assert_eq!(search.length(), mtu, "next time from the top");
            }
        }
    }

    #[test]
    fn a_link_that_keeps_the_word_is_asked_once() {
        let mut search = Search::new(1280, 1500);
        assert_eq!((run(&mut search, 1500), search.limit()), (1, None));
    }

    #[test]
    fn the_second_search_is_short_if_nothing_has_changed_and_finds_what_has() {
        let mut search = Search::new(1280, 1500);
        run(&mut search, 1400);
        assert_eq!((run(&mut search, 1400), search.limit()), (3, Some(1400)));
        run(&mut search, 1404);
        assert_eq!(search.limit(), Some(1404));
        run(&mut search, 1300);
        assert_eq!(search.limit(), Some(1300));
        assert_eq!((run(&mut search, 1500), search.limit()), (1, None), "mended");
    }

    #[test]
    fn less_than_the_floor_is_taken_for_the_floor() {
        let mut search = Search::new(1280, 1500);
        for _ in 0..50 {
            if search.heard(Verdict::Lost) == Next::Done {
                break;
            }
        }
        assert_eq!(search.limit(), Some(1280));
    }

    #[test]
    fn what_tells_nothing_changes_nothing() {
        let mut search = Search::new(1280, 1500);
        search.heard(Verdict::Lost);
        let (length, limit) = (search.length(), search.limit());
        assert_eq!(search.heard(Verdict::Unknown), Next::Later);
        assert_eq!((search.length(), search.limit()), (length, limit));
    }
}
