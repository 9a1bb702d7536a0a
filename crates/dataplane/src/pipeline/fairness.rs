//! Who holds how many of the places in which packets are put together (FWD-117).
//!
//! Fragments are not authenticated: a neighbour can make up originators by the dozen, each with eight packets that never
//! end. So places are shared by neighbour first and by originator next, and when all are taken the one who holds most
//! makes room. An honest sender, who holds a place for the instant between two parts, holds least and loses nothing,
//! whichever neighbour the flood comes from, and behind the same neighbour as long as the flood's originators hold more
//! than he does. What remains: a neighbour who speaks for as many originators as there are places, and one who forges
//! outer sources by the hundred; then the oldest goes first, which spares parts that come back to back. Someone who sends
//! in the name of the honest originator itself spoils its buckets, here as in the kernel module.

use noctule_fib::Iface;
use noctule_wire::Mac;

/// The previous hop: interface of arrival and outer source.
type Neighbour = (Iface, Mac);

/// On whose account a place is: indices into [`Holders`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Holder {
    neighbour: u16,
    originator: u16,
}

impl Holder {
    /// Of a free place.
    pub(crate) const NOBODY: Self = Self { neighbour: u16::MAX, originator: u16::MAX };
}

/// Accounts with at least one place, and free slots in between: never more slots than there are places, and one.
#[derive(Debug)]
struct Accounts<K> {
    slots: Vec<(Option<K>, u16)>,
}

impl<K: Copy + Eq> Accounts<K> {
    /// One more for `key`. The list is short: one entry for each packet of which parts are missing.
    fn enter(&mut self, key: K) -> u16 {
        let found = self.slots.iter().position(|(held, _)| *held == Some(key));
        let slot = found
            .or_else(|| self.slots.iter().position(|(_, count)| *count == 0))
            .unwrap_or_else(|| {
                self.slots.push((None, 0));
                self.slots.len() - 1
            });
        let (held, count) = &mut self.slots[slot];
        *held = Some(key);
        *count += 1;
        slot as u16
    }

    fn leave(&mut self, slot: u16) {
        let Some((held, count)) = self.slots.get_mut(usize::from(slot)) else { return };
        *count = count.saturating_sub(1);
        if *count == 0 {
            *held = None;
        }
    }

    fn count(&self, slot: u16) -> u16 {
        self.slots.get(usize::from(slot)).map_or(0, |(_, count)| *count)
    }
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Holders {
    neighbours: Accounts<Neighbour>,
    originators: Accounts<(Neighbour, Mac)>,
}

impl Default for Holders {
    fn default() -> Self {
        Self {
            neighbours: Accounts { slots: Vec::new() },
            originators: Accounts { slots: Vec::new() },
        }
    }
}

impl Holders {
    /// Notes one more place.
    pub(crate) fn enter(&mut self, neighbour: Neighbour, originator: Mac) -> Holder {
        Holder {
            neighbour: self.neighbours.enter(neighbour),
            originator: self.originators.enter((neighbour, originator)),
        }
    }

    /// Notes one less.
    pub(crate) fn leave(&mut self, holder: Holder) {
        self.neighbours.leave(holder.neighbour);
        self.originators.leave(holder.originator);
    }

    /// How many places its neighbour holds, and how many of these its originator.
    pub(crate) fn share(&self, holder: Holder) -> (u16, u16) {
        (self.neighbours.count(holder.neighbour), self.originators.count(holder.originator))
    }
}
