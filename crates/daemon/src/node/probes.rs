//! Echo requests of tools, and which of them an answer belongs to (ICMP-17 to ICMP-23).

use super::Node;
use crate::api::{self, AnswerKind, Reply, ReplyLine};
use crossbeam_channel::Sender;
use noctule_control::{Input, ProbeAnswer};
use noctule_wire::Instant;
use noctule_wire::icmp::Message;
use std::collections::BTreeMap;

/// The requests that wait for their answers: at most one of each tool, and tools are bounded by the control socket.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    waiting: BTreeMap<u8, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    seqno: u16,
    sent: Instant,
    answer: Sender<ReplyLine>,
}

impl Node {
    pub(super) fn start_probe(&mut self, uid: u8, probe: api::Probe, answer: Sender<ReplyLine>) {
        let now = self.clock.now();
        self.probes.expect(uid, probe.seqno, now, answer);
        let probe = noctule_control::Probe {
            destination: probe.destination.0,
            uid,
            seqno: probe.seqno,
            ttl: probe.ttl,
            record_route: probe.record_route,
        };
        self.feed(now, Input::Probe(probe));
    }
}

impl Probes {
    /// A request is about to be sent. Whatever the same tool waited for before, it has given up.
    fn expect(&mut self, uid: u8, seqno: u16, sent: Instant, answer: Sender<ReplyLine>) {
        self.waiting.insert(uid, Waiting { seqno, sent, answer });
    }

    /// An answer came. One that nobody waits for (any more) is skipped (ICMP-21, ICMP-23).
    pub(super) fn answered(&mut self, now: Instant, answer: ProbeAnswer) {
        let kind = match answer.message {
            Message::EchoReply => AnswerKind::EchoReply,
            Message::DestinationUnreachable => AnswerKind::DestinationUnreachable,
            Message::TtlExceeded => AnswerKind::TtlExceeded,
            _ => return,
        };
        let expected = |waiting: &Waiting| waiting.seqno == answer.seqno;
        if !self.waiting.get(&answer.uid).is_some_and(expected) {
            return;
        }
        let Some(Waiting { sent, answer: tool, .. }) = self.waiting.remove(&answer.uid) else {
            return;
        };
        let rtt_us = u64::try_from(now.since(sent).as_micros()).unwrap_or(u64::MAX);
        let line = ReplyLine::new(Reply::Probe(Some(api::ProbeAnswer {
            kind,
            seqno: answer.seqno,
            orig_address: answer.originator.into(),
            ttl: answer.ttl,
            length: answer.len,
            rtt_us,
            route: answer.route.into_iter().map(Into::into).collect(),
        })));
        // The tool may have stopped waiting at this very moment.
        let _ = tool.try_send(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use noctule_wire::Mac;

    fn answer(uid: u8, seqno: u16, message: Message) -> ProbeAnswer {
        ProbeAnswer {
            uid,
            seqno,
            message,
            originator: Mac([2; 6]),
            ttl: 49,
            len: 20,
            route: Vec::new(),
        }
    }

    /// ICMP-21: own uid and one of three types; ICMP-23: a reply to another request is skipped, the clock goes on.
    #[test]
    fn icmp_21_icmp_23_only_the_awaited_answer_counts() {
        let mut probes = Probes::default();
        let (sender, tool) = bounded(1);
        let sent = Instant::from_millis(10);
        probes.expect(7, 2, sent, sender);
        #[rustfmt::skip]
        let skipped = [
            (answer(8, 2, Message::EchoReply), "another tool"),
            (answer(7, 1, Message::EchoReply), "an earlier request"),
            (answer(7, 2, Message::EchoRequest), "no answer"),
            (answer(7, 2, Message::ThroughputMeter), "no answer"),
        ];
        for (answer, because) in skipped {
            probes.answered(Instant::from_millis(11), answer);
            assert!(tool.is_empty(), "{because}");
        }
        probes.answered(Instant::from_micros(12_500), answer(7, 2, Message::EchoReply));
        let Reply::Probe(Some(reply)) = tool.try_recv().unwrap().reply else { panic!("an answer") };
        assert_eq!((reply.kind, reply.rtt_us, reply.ttl), (AnswerKind::EchoReply, 2500, 49));
        probes.answered(Instant::from_millis(13), answer(7, 2, Message::EchoReply));
        assert!(tool.is_empty(), "a second answer to the same request");
    }
}
