//! The throughput meter: how much passes between two nodes, measured by the nodes themselves with data of their own
//! (10-icmp-tpmeter.md sections 4 to 9). Where a test was started is the sender; the other end answers without being
//! asked.

mod receiver;
mod sender;
mod window;

use crate::{Context, Output, Routing};
use core::time::Duration;
use noctule_fib::View;
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter as Meter};
use noctule_wire::{Discard, Icmp, Instant, Mac, SeqNo};
use receiver::Receiver;
use sender::{Sender, clock_ms};

/// Tests at once, those of others that end here included (TP-04, TP-26).
const SESSIONS_MAX: usize = 5;
/// What messages are filled from (TP-10).
const FILLER_LEN: usize = 4096;
const FILLER_OF_A_MESSAGE: usize = Meter::MESSAGE_LEN - Icmp::THROUGHPUT_LEN;

/// A tool wants to know how much passes to a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MeterRequest {
    /// Names the tool; comes back in the result.
    pub tool: u8,
    /// An originator.
    pub destination: Mac,
    /// How long to send.
    pub duration: Duration,
}

/// How a test ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MeterOutcome {
    /// The time is over (TP-22).
    Complete,
    /// Somebody had enough (TP-23).
    Cancelled,
    /// The originator is not known, this node has no address, or the other end fell silent for a minute (TP-06, TP-20).
    Unreachable,
    /// Not one message was acknowledged.
    NoAnswer {
        /// Another node that acknowledged them: the destination is perhaps not the main address of its node.
        answered_by: Option<Mac>,
    },
    /// There is a test with that node (TP-04).
    AlreadyRunning,
    /// There are as many tests as there may be (TP-04).
    TooMany,
}

/// What came of a test (TP-38 to TP-41).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MeterResult {
    /// Who asked.
    pub tool: u8,
    /// Names the test (TP-02); 0 if it did not start.
    pub cookie: u32,
    /// To whom.
    pub destination: Mac,
    /// How it ended.
    pub outcome: MeterOutcome,
    /// From its start to its end.
    pub elapsed: Duration,
    /// Bytes that have arrived (TP-41).
    pub bytes: u64,
}

/// The tests of a node, at either end (TP-03).
#[derive(Debug, Default)]
pub(crate) struct ThroughputMeter {
    senders: Vec<Sender>,
    receivers: Vec<Receiver>,
    /// Random bytes, from the first test on.
    filler: Vec<u8>,
    filled: usize,
}

impl ThroughputMeter {
    /// A tool starts a test; a refusal is a result like any other (TP-04, TP-06).
    pub(crate) fn start(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        request: MeterRequest,
    ) {
        let peer = request.destination;
        let busy = self.senders.iter().any(|sender| sender.request.destination == peer)
            || self.receivers.iter().any(|receiver| receiver.peer == peer);
        let refused = if ctx.primary.is_none() {
            Some(MeterOutcome::Unreachable)
        } else if busy {
            Some(MeterOutcome::AlreadyRunning)
        } else if self.sessions() >= SESSIONS_MAX {
            Some(MeterOutcome::TooMany)
        } else if !routing.knows(peer) {
            Some(MeterOutcome::Unreachable)
        } else {
            None
        };
        if let Some(outcome) = refused {
            return ctx.output(Output::MeterResult(MeterResult {
                tool: request.tool,
                cookie: 0,
                destination: peer,
                outcome,
                elapsed: Duration::ZERO,
                bytes: 0,
            }));
        }
        if self.filler.is_empty() {
            let words = (0..FILLER_LEN / 8).map(|_| ctx.rng.next_u64().to_ne_bytes());
            self.filler = words.flatten().collect();
        }
        let [uid, one, two, ..] = ctx.rng.next_u64().to_be_bytes();
        self.senders.push(Sender::new(ctx.now, request, uid, [one, two]));
        self.send(ctx);
    }

    /// Ends a test that was started here; without one nothing happens (TP-23).
    pub(crate) fn cancel(&mut self, ctx: &mut Context<'_>, destination: Mac) {
        let ended = |sender: &mut Sender| sender.request.destination == destination;
        for sender in self.senders.extract_if(.., ended) {
            report(ctx, &sender, MeterOutcome::Cancelled);
        }
    }

    /// The way out did not take a message (TP-09).
    pub(crate) fn refused(&mut self, now: Instant, destination: Mac, seqno: SeqNo) {
        let one = self.senders.iter_mut().find(|it| it.request.destination == destination);
        if let Some(sender) = one {
            sender.refused(now, seqno);
        }
    }

    /// A packet of a test that was sent to this node (TP-03, TP-34).
    pub(crate) fn on_packet(
        &mut self,
        ctx: &mut Context<'_>,
        routing: &dyn Routing,
        icmp: &Icmp<'_>,
    ) -> Result<(), Discard> {
        let meter = Meter::parse(icmp)?;
        // Neither is any use without a way back (TP-12, TP-32).
        let primary = ctx.primary.ok_or(Discard::NoPrimary)?;
        if !routing.knows(icmp.originator) {
            return Err(Discard::UnknownOriginator);
        }
        match meter.meter_type {
            MeterType::Message => self.on_message(ctx, primary, icmp, meter),
            MeterType::Acknowledgement => self.on_acknowledgement(ctx, icmp, meter),
            MeterType::Unknown(_) => Err(Discard::Type),
        }
    }

    /// TP-26, TP-27, TP-32.
    fn on_message(
        &mut self,
        ctx: &mut Context<'_>,
        primary: Mac,
        icmp: &Icmp<'_>,
        meter: Meter,
    ) -> Result<(), Discard> {
        let (peer, session) = (icmp.originator, meter.session);
        let known = |it: &Receiver| it.peer == peer && it.session == session;
        let index = match self.receivers.iter().position(known) {
            Some(index) => index,
            None if meter.seqno != Meter::FIRST_SEQNO => return Err(Discard::Unsolicited),
            None if self.sessions() >= SESSIONS_MAX => return Err(Discard::RateLimited),
            None => {
                self.receivers.push(Receiver::new(ctx.now, peer, session));
                self.receivers.len() - 1
            }
        };
        let len = u32::try_from(Meter::accounted_len(icmp)).map_err(|_| Discard::TooLong)?;
        let Some(receiver) = self.receivers.get_mut(index) else { return Ok(()) };
        let seqno = receiver.take(ctx.now, meter.seqno, len);
        let answer = Meter { meter_type: MeterType::Acknowledgement, seqno, ..meter };
        let rest = answer.rest();
        let icmp = answer.icmp(peer, primary, icmp.uid, &rest);
        let mut packet = vec![0; icmp.wire_len()];
        icmp.emit(&mut packet);
        ctx.output(Output::ToOriginator { destination: peer, view: View::Default, packet });
        Ok(())
    }

    fn on_acknowledgement(
        &mut self,
        ctx: &mut Context<'_>,
        icmp: &Icmp<'_>,
        meter: Meter,
    ) -> Result<(), Discard> {
        let ours = |it: &&mut Sender| it.session == meter.session && it.uid == icmp.uid;
        let sender = self.senders.iter_mut().find(ours).ok_or(Discard::Unsolicited)?;
        if sender.request.destination != icmp.originator {
            // It may be the node that was meant, under its main address (TP-12).
            sender.answered_by.get_or_insert(icmp.originator);
            return Err(Discard::Unsolicited);
        }
        sender.acknowledged(ctx.now, meter.seqno, meter.timestamp)?;
        self.send(ctx);
        Ok(())
    }

    /// When to be called again.
    pub(crate) fn next_deadline(&self) -> Instant {
        let senders = self.senders.iter().map(Sender::next_deadline);
        let receivers = self.receivers.iter().map(|receiver| receiver.look_at);
        senders.chain(receivers).fold(Instant::NEVER, Instant::min)
    }

    /// Looks at all clocks, and sends what may be sent (TP-20, TP-22, TP-28, TP-36).
    pub(crate) fn on_deadline(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        self.receivers.retain_mut(|receiver| now < receiver.look_at || !receiver.is_over(now));
        let gone = ctx.primary.is_none();
        self.senders.retain_mut(|sender| {
            let outcome = if gone { Some(MeterOutcome::Unreachable) } else { sender.look(now) };
            if let Some(outcome) = outcome {
                report(ctx, sender, outcome);
            }
            outcome.is_none()
        });
        self.send(ctx);
    }

    fn sessions(&self) -> usize {
        self.senders.len() + self.receivers.len()
    }

    fn send(&mut self, ctx: &mut Context<'_>) {
        let Self { senders, filler, filled, .. } = self;
        for sender in senders {
            sender.burst(ctx.now, |sender, seqno| emit(ctx, sender, seqno, filler, filled));
        }
    }
}

/// One message (TP-10).
fn emit(ctx: &mut Context<'_>, of: &Sender, seqno: SeqNo, filler: &[u8], filled: &mut usize) {
    let Some(primary) = ctx.primary else { return };
    let destination = of.request.destination;
    let timestamp = clock_ms(ctx.now);
    let meter = Meter { meter_type: MeterType::Message, session: of.session, seqno, timestamp };
    let rest = meter.rest();
    let icmp = meter.icmp(destination, primary, of.uid, &rest);
    let mut packet = Vec::with_capacity(Meter::MESSAGE_LEN);
    packet.resize(icmp.wire_len(), 0);
    icmp.emit(&mut packet);
    // Once round the ring of random bytes at most.
    let (before, from) = filler.split_at_checked(*filled).unwrap_or((&[], filler));
    let tail = from.get(..FILLER_OF_A_MESSAGE.min(from.len())).unwrap_or_default();
    let left = FILLER_OF_A_MESSAGE - tail.len();
    packet.extend_from_slice(tail);
    packet.extend_from_slice(before.get(..left).unwrap_or_default());
    *filled = (*filled + FILLER_OF_A_MESSAGE) % FILLER_LEN;
    ctx.output(Output::MeterMessage { destination, seqno, packet });
}

/// TP-25, TP-40: what arrived until a cancel or the end counts; an error has nothing to tell.
fn report(ctx: &mut Context<'_>, sender: &Sender, outcome: MeterOutcome) {
    ctx.output(Output::MeterResult(MeterResult {
        tool: sender.request.tool,
        cookie: sender.cookie(),
        destination: sender.request.destination,
        outcome,
        elapsed: ctx.now.since(sender.started),
        bytes: sender.acked,
    }));
}
