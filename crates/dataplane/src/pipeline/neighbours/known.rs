//! What is known of one neighbour, and how each word that is heard changes it (ND-04 to ND-08).

use core::time::Duration;
use noctule_wire::{Instant, Mac};

/// How long nobody is believed after two stations have claimed one address (ND-08).
pub(super) const DISPUTE: Duration = Duration::from_secs(10);

/// Who has an IPv6 address, as far as was heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Neighbour {
    /// Its MAC address.
    pub mac: Mac,
    /// It says that it is a router.
    pub router: bool,
    pub(super) standing: Standing,
    /// When a solicitation for it was last kept out of the mesh, because it is behind this node.
    pub(super) held: Option<Instant>,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// It has said so.
    Certain,
    /// It is being asked whether it is still there, or somebody wants its address; its next word settles it.
    Asked,
    /// Others may have it, too, or it has not said yet whether it is a router: it must claim the address.
    Unproven,
    /// Another had this address before, and is still there.
    Disputed {
        since: Instant,
        /// Somebody asks for it, after the time in which nobody is believed.
        asked: bool,
    },
}

impl Neighbour {
    /// Whether it may be answered for.
    pub fn is_certain(&self) -> bool {
        self.standing == Standing::Certain
    }

    /// Whether two stations claim its address.
    pub fn is_disputed(&self) -> bool {
        matches!(self.standing, Standing::Disputed { .. })
    }

    /// A solicitation for it passes: a question to its group, or one that says that something may be wrong.
    pub(super) fn asked(&mut self, now: Instant, is_question: bool) {
        match &mut self.standing {
            Standing::Disputed { since, asked } if is_question => {
                *asked = now.since(*since) >= DISPUTE;
            }
            Standing::Disputed { .. } | Standing::Asked | Standing::Unproven => {}
            Standing::Certain if is_question => {}
            standing @ Standing::Certain => *standing = Standing::Asked,
        }
    }

    const fn new(mac: Mac, router: bool) -> Self {
        Self { mac, router, standing: Standing::Certain, held: None }
    }
}

/// Who was heard, and how it spoke of an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Heard {
    /// It advertised it as its own alone.
    Claim { mac: Mac, router: bool, solicited: bool },
    /// It advertised it as one that others may have, too.
    Shared { mac: Mac },
    /// It advertised it without naming its MAC address.
    Still { mac: Mac, router: bool },
    /// It asked, and is to be answered there.
    Asking { mac: Mac },
}

/// What is known then; `None`: as before, and nothing of it is confirmed.
pub(super) fn after(
    known: Option<Neighbour>,
    heard: Heard,
    now: Instant,
    is_there: impl Fn(Mac) -> bool,
) -> Option<Neighbour> {
    let (Heard::Claim { mac, .. }
    | Heard::Shared { mac }
    | Heard::Still { mac, .. }
    | Heard::Asking { mac }) = heard;
    let Some(known) = known else {
        // Nobody else says whether it is a router, or others have the address, too (ND-04).
        let Heard::Claim { router, .. } = heard else { return None };
        return Some(Neighbour::new(mac, router));
    };
    if known.mac == mac {
        return again(known, heard);
    }
    let new = |router, standing| Neighbour { standing, ..Neighbour::new(mac, router) };
    let disputed = Standing::Disputed { since: now, asked: false };
    let is_gone = !known.is_disputed() && !is_there(known.mac);
    match heard {
        // Who had it is gone (ND-06).
        Heard::Claim { router, .. } if is_gone => Some(Neighbour::new(mac, router)),
        Heard::Asking { .. } if is_gone => Some(new(false, Standing::Unproven)),
        Heard::Claim { router, .. } | Heard::Still { router, .. } => Some(new(router, disputed)),
        Heard::Asking { .. } => Some(new(false, disputed)),
        // It would not go before what was known in any host either.
        Heard::Shared { .. } => None,
    }
}

/// The same station speaks once more.
fn again(known: Neighbour, heard: Heard) -> Option<Neighbour> {
    let is_settled = match known.standing {
        Standing::Certain | Standing::Asked => true,
        Standing::Unproven => matches!(heard, Heard::Claim { .. }),
        Standing::Disputed { asked, .. } => {
            asked && matches!(heard, Heard::Claim { solicited: true, .. })
        }
    };
    let standing = Standing::Certain;
    match heard {
        Heard::Shared { .. } if known.is_disputed() => None,
        Heard::Shared { .. } => Some(Neighbour { standing: Standing::Unproven, ..known }),
        _ if !is_settled => None,
        Heard::Claim { router, .. } | Heard::Still { router, .. } => {
            Some(Neighbour { router, standing, ..known })
        }
        Heard::Asking { .. } => Some(Neighbour { standing, ..known }),
    }
}
