//! Not waking for every OGM: in a large mesh hundreds of frames with OGMs come each second, and on an idle node waking
//! for each costs more than all that is done with them.

use noctule_wire::Instant;
use std::time::Duration;

/// How long OGMs may wait for others while many come. The repetition of an OGM is held back for 100 ms anyway (IV-25).
const REST: Duration = Duration::from_millis(20);

/// When OGMs were taken, and whether to wait before the next are.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Rest {
    /// Some were taken. If those before came only a moment ago, there is a rest; where few come, there is none.
    pub(crate) fn taken(&mut self, now: Instant) {
        let many = self.last.is_some_and(|last| now.since(last) < 2 * REST);
        self.until = many.then(|| now + REST);
        self.last = Some(now);
    }

    /// When the rest ends that lasts at `now`, if one does.
    pub(crate) fn ends(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_rests_only_while_many_ogms_come() {
        let mut rest = Rest::default();
        let at = Instant::from_millis;
        assert_eq!(rest.ends(at(0)), None);
        rest.taken(at(1000));
        assert_eq!(rest.ends(at(1000)), None, "the first one for long");
        rest.taken(at(1030));
        assert_eq!(rest.ends(at(1030)), Some(at(1050)));
        assert_eq!(rest.ends(at(1049)), Some(at(1050)));
        assert_eq!(rest.ends(at(1050)), None);
        rest.taken(at(1051));
        assert_eq!(rest.ends(at(1051)), Some(at(1071)));
        rest.taken(at(1100));
        assert_eq!(rest.ends(at(1100)), None, "fewer come again");
    }
}
