//! Mesh ICMP where it ends: echo requests for this node, requests whose TTL is spent, and answers for local tools
//! (ICMP-06 to ICMP-21). What is only passing by never comes here.

use crate::engine::{Probe, ProbeAnswer};
use crate::{Context, Output, Routing};
use noctule_fib::View;
use noctule_wire::icmp::{Message, record_route};
use noctule_wire::{Discard, Icmp, Mac, TTL_FULL};

/// The packet, if it belongs to a test of the throughput meter (ICMP-12).
///
/// # Errors
/// As [`Icmp::parse`].
pub(crate) fn metered(packet: &[u8]) -> Result<Option<Icmp<'_>>, Discard> {
    Ok(Some(Icmp::parse(packet)?).filter(|icmp| icmp.message == Message::ThroughputMeter))
}

/// Handles an ICMP packet that the data plane handed up: it is for us, or its TTL is spent. `packet` starts with its
/// type byte and already carries the receiving interface in its route record (ICMP-05). `probed` takes the replies to the
/// engine's own requests: who replies, uid, sequence number and length, and says whether it was one.
pub(crate) fn on_packet(
    ctx: &mut Context<'_>,
    routing: &dyn Routing,
    for_me: bool,
    packet: &[u8],
    probed: impl FnOnce(Mac, u8, u16, usize) -> bool,
) {
    let icmp = match Icmp::parse(packet) {
        Ok(icmp) => icmp,
        Err(discard) => return ctx.discard(discard),
    };
    match (for_me, icmp.message) {
        (true, Message::EchoRequest) => answer(ctx, routing, Message::EchoReply, icmp),
        (true, Message::EchoReply)
            if probed(icmp.originator, icmp.uid, icmp.seqno, packet.len()) => {}
        (true, Message::EchoReply | Message::TtlExceeded | Message::DestinationUnreachable) => {
            let answer = ProbeAnswer {
                uid: icmp.uid,
                seqno: icmp.seqno,
                message: icmp.message,
                originator: icmp.originator,
                ttl: icmp.ttl,
                len: packet.len(),
                route: icmp.route_record().map(Iterator::collect).unwrap_or_default(),
            };
            ctx.output(Output::Answer(answer));
        }
        (false, Message::EchoRequest) => answer(ctx, routing, Message::TtlExceeded, icmp),
        (true, _) => ctx.discard(Discard::Type),
        (false, _) => ctx.discard(Discard::TtlSpent),
    }
}

/// Turns a request into its answer: length, uid, sequence number and record stay (ICMP-10, ICMP-14).
fn answer(ctx: &mut Context<'_>, routing: &dyn Routing, message: Message, request: Icmp<'_>) {
    let Some(primary) = ctx.primary else { return ctx.discard(Discard::NoPrimary) };
    let destination = request.originator;
    if !routing.knows(destination) {
        return ctx.discard(Discard::UnknownOriginator);
    }
    let reply = Icmp { message, destination, originator: primary, ttl: TTL_FULL, ..request };
    let mut packet = vec![0; reply.wire_len()];
    reply.emit(&mut packet);
    ctx.output(Output::ToOriginator { destination, view: View::Default, packet });
}

/// Sends a tool's echo request, or tells it at once that no route leads there (ICMP-19, ICMP-20).
pub(crate) fn on_probe(
    ctx: &mut Context<'_>,
    routing: &dyn Routing,
    exit: Option<Mac>,
    probe: Probe,
) {
    let (Some(originator), Some(exit)) = (ctx.primary, exit) else {
        return unreachable(ctx, probe);
    };
    if routing.router(probe.destination, View::Default).is_none() {
        return unreachable(ctx, probe);
    }
    let record = [0; Icmp::RECORD_LEN - Icmp::HEADER_LEN];
    let request = Icmp {
        ttl: probe.ttl,
        message: Message::EchoRequest,
        destination: probe.destination,
        originator,
        uid: probe.uid,
        aux: 0,
        seqno: probe.seqno,
        rest: if probe.record_route { &record } else { &[] },
    };
    let mut packet = vec![0; request.wire_len()];
    request.emit(&mut packet);
    // A fresh record has room for our own slot.
    if let Err(discard) = record_route(&mut packet, exit) {
        return ctx.discard(discard);
    }
    ctx.output(Output::ToOriginator {
        destination: probe.destination,
        view: View::Default,
        packet,
    });
}

fn unreachable(ctx: &mut Context<'_>, probe: Probe) {
    ctx.output(Output::Answer(ProbeAnswer {
        uid: probe.uid,
        seqno: probe.seqno,
        message: Message::DestinationUnreachable,
        originator: probe.destination,
        ttl: TTL_FULL,
        len: Icmp::HEADER_LEN,
        route: Vec::new(),
    }));
}
