//! What a link really carries. An interface's MTU is what its driver takes; between it and the neighbour there may be a
//! switch, a tunnel or a bridge that silently drops long frames. Then payload of full length is lost while OGMs pass: a
//! mesh that looks well and is not.
//!
//! So each neighbour gets an echo request as long as the interface's MTU, padded. Every implementation sends it back
//! (ICMP-10), however it comes home. If it does not, but a short one sent right behind it does, shorter ones are tried
//! until the limit is known. What is found decides when packets are cut (FWD-113).
//!
//! A link that just loses frames is no reason: a length counts as too long when none of [`PAIRS`] long requests was
//! answered and at least half of the short ones were.

mod search;

use crate::algorithm::Algorithm;
use crate::interfaces::Interfaces;
use crate::{Context, Event, Output};
use core::time::Duration;
use noctule_fib::{Iface, NextHop};
use noctule_wire::icmp::Message;
use noctule_wire::{ETHERNET_HEADER_LEN, Fragment, Icmp, Instant, Mac, TTL_FULL, ethernet};
use search::{Next, Search, Verdict};
use std::collections::BTreeMap;

/// Every link is taken to carry this: fragments have this size at most, whatever the MTU (FWD-114).
const FLOOR: u32 = Fragment::SIZE_MAX as u32;
/// Names these requests among the echoes of tools, together with their numbers.
const UID: u8 = 0xff;
/// Links that are looked at: more than a radio can hold neighbours that are worth it.
const LINKS_MAX: usize = 256;
/// Links that are looked at at the same time.
const ROUNDS_MAX: usize = 4;
/// Pairs of a long and a short request in one round.
const PAIRS: u8 = 20;
const _: () = assert!(PAIRS as u32 <= u32::BITS);
/// A link that tells nothing is asked less and less often, up to this many times [`RETRY`] apart.
const UNCLEAR_MAX: u32 = 20;
/// Between two pairs.
const PACE: Duration = Duration::from_millis(50);
/// For answers to the last pair.
const GRACE: Duration = Duration::from_secs(1);
/// From the first word of a neighbour until it is looked at, so that it has a route for the answer.
const SETTLE: Duration = Duration::from_secs(2);
/// After a round that tells nothing.
const RETRY: Duration = Duration::from_secs(30);
/// Somebody may have put another switch there.
const RECHECK: Duration = Duration::from_secs(600);
/// Up to so much is added to a pause.
const PAUSE_JITTER_MS: u32 = 4000;
/// How often the neighbours are looked through.
const LOOK: Duration = Duration::from_secs(1);

/// All links that are looked at.
#[derive(Debug, Default)]
pub(crate) struct LinkMtus {
    links: BTreeMap<(Iface, Mac), Probed>,
    next_look: Instant,
}

#[derive(Debug)]
struct Probed {
    search: Search,
    /// The last limit that was told.
    limit_told: Option<u32>,
    /// Rounds in a row that told nothing.
    unclear: u8,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is to be done before.
    Until(Instant),
    Round(Round),
}

/// Requests of one length that are on their way.
#[derive(Debug)]
struct Round {
    length: u32,
    /// Number of the first request; pair n has the numbers `first + 2n` (long) and `first + 2n + 1`.
    first: u16,
    sent: u8,
    next: Instant,
    long_heard: bool,
    /// One bit for each pair whose short request was answered.
    short_heard: u32,
}

impl LinkMtus {
    /// When [`Self::on_deadline`] has something to do that cannot wait for the next OGM.
    pub(crate) fn next_deadline(&self) -> Instant {
        let rounds = self.links.values().filter_map(|link| match &link.phase {
            Phase::Round(round) => Some(round.next),
            Phase::Until(_) => None,
        });
        rounds.fold(Instant::NEVER, Instant::min)
    }

    /// The longest packet that every neighbour of an interface is known to get; `None` if nothing speaks against the
    /// interface's MTU.
    pub(crate) fn carries(&self, iface: Iface) -> Option<u32> {
        let of_iface = self.links.range((iface, Mac::ZERO)..=(iface, Mac::BROADCAST));
        of_iface.filter_map(|(_, link)| link.search.limit()).min()
    }

    /// The neighbours that get less than the MTU of the interface, in order.
    pub(crate) fn limits(&self) -> impl Iterator<Item = (NextHop, u32)> + '_ {
        let limit = |(&(iface, mac), link): (&(Iface, Mac), &Probed)| {
            Some((NextHop { iface, mac }, link.search.limit()?))
        };
        self.links.iter().filter_map(limit)
    }

    /// An interface is another one than before.
    pub(crate) fn forget(&mut self, iface: Iface) {
        self.links.retain(|(of, _), _| *of != iface);
    }

    /// Looks for new neighbours, and goes on with what is under way.
    pub(crate) fn on_deadline(
        &mut self,
        ctx: &mut Context<'_>,
        interfaces: &Interfaces,
        routing: &Algorithm,
    ) {
        if self.next_look <= ctx.now {
            self.next_look = ctx.now + LOOK;
            self.look(ctx, interfaces, routing);
        }
        let due: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| matches!(&link.phase, Phase::Round(round) if round.next <= ctx.now))
            .map(|(key, _)| *key)
            .collect();
        for key in due {
            self.go_on(ctx, interfaces, key);
        }
    }

    /// An echo reply of an originator came. Says whether it was one of ours. `speaks_as` says whether a neighbour is an
    /// interface of that originator: nobody else may answer for it.
    pub(crate) fn answered(
        &mut self,
        speaks_as: impl Fn(NextHop) -> bool,
        uid: u8,
        seqno: u16,
        len: usize,
    ) -> bool {
        if uid != UID {
            return false;
        }
        for ((iface, mac), link) in &mut self.links {
            let Phase::Round(round) = &mut link.phase else { continue };
            let number = seqno.wrapping_sub(round.first);
            if number >= u16::from(round.sent) * 2 {
                continue;
            }
            if !speaks_as(NextHop { iface: *iface, mac: *mac }) {
                continue;
            }
            if number % 2 == 1 {
                // An answer that comes twice is one.
                round.short_heard |= 1 << (number / 2);
            } else if len >= round.length as usize {
                round.long_heard = true;
            }
            return true;
        }
        false
    }

    fn look(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, routing: &Algorithm) {
        let rows = routing.neighbour_rows(ctx.now);
        let here = |iface: Iface, mac: Mac| {
            rows.iter().any(|row| (row.iface, row.neighbour) == (iface, mac))
                && interfaces.active(iface).is_some()
        };
        self.links.retain(|(iface, mac), _| here(*iface, *mac));
        for row in &rows {
            let key = (row.iface, row.neighbour);
            let Some(interface) = interfaces.active(row.iface) else { continue };
            let mtu = interface.link.mtu;
            if self.links.get(&key).is_some_and(|link| link.search.mtu() != mtu) {
                self.links.remove(&key);
            }
            if mtu > FLOOR
                && self.links.len() < LINKS_MAX
                && !self.links.contains_key(&key)
                && routing.hears_us(row.neighbour)
            {
                let phase = Phase::Until(ctx.now + SETTLE);
                self.links.insert(
                    key,
                    Probed { search: Search::new(FLOOR, mtu), limit_told: None, unclear: 0, phase },
                );
            }
        }
        let running = self.links.values().filter(|link| matches!(link.phase, Phase::Round(_)));
        let free = ROUNDS_MAX.saturating_sub(running.count());
        let now = ctx.now;
        let due = |link: &Probed| match link.phase {
            Phase::Until(until) => Some(until).filter(|until| *until <= now),
            Phase::Round(_) => None,
        };
        // Who waits longest first: neighbours that never answer must not keep the others out.
        let mut waiting: Vec<_> =
            self.links.values_mut().filter_map(|link| Some((due(link)?, link))).collect();
        waiting.sort_unstable_by_key(|(until, _)| *until);
        for (_, link) in waiting.into_iter().take(free) {
            link.begin(ctx);
        }
    }

    fn go_on(&mut self, ctx: &mut Context<'_>, interfaces: &Interfaces, key: (Iface, Mac)) {
        let Some(link) = self.links.get_mut(&key) else { return };
        let Phase::Round(round) = &mut link.phase else { return };
        if !round.long_heard && round.sent < PAIRS {
            let number = round.first.wrapping_add(2 * u16::from(round.sent));
            send(ctx, interfaces, key, number, round.length as usize);
            send(ctx, interfaces, key, number.wrapping_add(1), Icmp::HEADER_LEN);
            round.sent += 1;
            round.next = ctx.now + if round.sent < PAIRS { PACE } else { GRACE };
            return;
        }
        let verdict = if round.long_heard {
            Verdict::Carried
        } else if round.short_heard.count_ones() >= u32::from(PAIRS / 2) {
            Verdict::Lost
        } else {
            Verdict::Unknown
        };
        let before = link.limit_told;
        let next = link.search.heard(verdict);
        let pause = match next {
            Next::Length => return link.begin(ctx),
            Next::Done => RECHECK,
            Next::Later => {
                link.unclear = link.unclear.saturating_add(1);
                RETRY * u32::from(link.unclear).min(UNCLEAR_MAX)
            }
        };
        if next == Next::Done {
            link.unclear = 0;
        }
        // Not all at the same time for ever.
        link.phase = Phase::Until(ctx.now + pause + ctx.rng.millis_below(PAUSE_JITTER_MS));
        if next == Next::Done && link.search.limit() != before {
            link.limit_told = link.search.limit();
            let mtu = link.search.mtu();
            let carries = link.limit_told.unwrap_or(mtu);
            ctx.event(Event::LinkMtu { iface: key.0, neighbour: key.1, mtu, carries });
        }
    }
}

impl Probed {
    /// Starts a round with the length that is next.
    fn begin(&mut self, ctx: &mut Context<'_>) {
        self.phase = Phase::Round(Round {
            length: self.search.length(),
            // Not to be guessed by somebody who does not see the requests.
            first: ctx.rng.below(1 << 16) as u16,
            sent: 0,
            next: ctx.now,
            long_heard: false,
            short_heard: 0,
        });
    }
}

/// Sends an echo request of `len` bytes straight to a neighbour: not by the route, and in one piece.
fn send(
    ctx: &mut Context<'_>,
    interfaces: &Interfaces,
    (iface, neighbour): (Iface, Mac),
    seqno: u16,
    len: usize,
) {
    let (Some(interface), Some(originator)) = (interfaces.active(iface), ctx.primary) else {
        return;
    };
    let padding = vec![0; len.saturating_sub(Icmp::HEADER_LEN)];
    let request = Icmp {
        ttl: TTL_FULL,
        message: Message::EchoRequest,
        // It is for the neighbour by any of its addresses (ICMP-06).
        destination: neighbour,
        originator,
        uid: UID,
        aux: 0,
        seqno,
        rest: &padding,
    };
    let mut frame = ethernet::mesh_header(neighbour, interface.link.mac).to_vec();
    frame.resize(ETHERNET_HEADER_LEN + request.wire_len(), 0);
    request.emit(&mut frame[ETHERNET_HEADER_LEN..]);
    ctx.output(Output::Transmit { iface, frame });
}
