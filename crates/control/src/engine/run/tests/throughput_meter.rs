//! Tests of the throughput meter between whole engines, and what strangers make of them.

use super::*;
use crate::{MeterOutcome, MeterRequest};
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter as Meter};

const MESSAGE: u32 = 1476;

fn request(to: Mac) -> MeterRequest {
    MeterRequest { tool: 3, destination: to, duration: Duration::from_secs(10) }
}

fn started(count: usize) -> Segment {
    let mut segment = Segment::of(count);
    segment.run(Duration::from_secs(5));
    segment.to_originator.clear();
    segment
}

impl Segment {
    fn start(&mut self, node: usize, to: Mac) {
        self.nodes[node].handle(self.now, Input::MeterStart(request(to)));
        self.settle();
    }

    /// Carries the messages that wait to whom they are for.
    fn carry_messages(&mut self) {
        for (from, packet) in core::mem::take(&mut self.metered) {
            let to = Icmp::parse(&packet).unwrap().destination;
            let node = (0..self.nodes.len()).find(|node| mac(*node) == to).unwrap();
            self.hand(node, mac(from), to, &packet);
        }
        self.settle();
    }

    fn outcomes(&mut self) -> Vec<(usize, MeterOutcome, u64)> {
        let results = core::mem::take(&mut self.results);
        results.into_iter().map(|(node, it)| (node, it.outcome, it.bytes)).collect()
    }
}

/// A packet of a test that node `from` might send.
fn packet(
    from: Mac,
    to: Mac,
    meter_type: MeterType,
    session: [u8; 2],
    seqno: SeqNo,
    len: usize,
) -> Vec<u8> {
    let meter = Meter { meter_type, session, seqno, timestamp: 0x0102_0304 };
    let mut rest = meter.rest().to_vec();
    rest.resize(len - Icmp::HEADER_LEN, 0xee);
    let icmp = meter.icmp(to, from, 0x56, &rest);
    let mut packet = vec![0; icmp.wire_len()];
    icmp.emit(&mut packet);
    packet
}

fn message(from: Mac, to: Mac, session: [u8; 2], seqno: SeqNo) -> Vec<u8> {
    packet(from, to, MeterType::Message, session, seqno, Meter::MESSAGE_LEN)
}

#[test]
fn tp_10_tp_32_a_test_from_its_first_message_to_its_result() {
    let mut segment = started(2);
    segment.start(0, mac(1));
    assert_eq!(segment.metered.len(), 3, "TP-06: three segments at first");
    for ((_, packet), number) in segment.metered.iter().zip(0..) {
        assert_eq!(packet.len(), Meter::MESSAGE_LEN);
        let icmp = Icmp::parse(packet).unwrap();
        let meter = Meter::parse(&icmp).unwrap();
        assert_eq!((icmp.ttl, icmp.destination, icmp.originator), (50, mac(1), mac(0)));
        assert_eq!(meter.seqno.0, Meter::FIRST_SEQNO.0.wrapping_add(number * MESSAGE));
        assert_eq!(u64::from(meter.timestamp), segment.now.as_millis());
    }
    let sent = segment.metered.clone();
    segment.carry_messages();
    assert_eq!(segment.to_originator.len(), 3, "one acknowledgement for each");
    for ((_, of), (from, to, answer)) in sent.iter().zip(&segment.to_originator) {
        assert_eq!((*from, *to, answer.len()), (1, mac(0), Icmp::THROUGHPUT_LEN));
        let (of, icmp) = (Icmp::parse(of).unwrap(), Icmp::parse(answer).unwrap());
        let (asked, meter) = (Meter::parse(&of).unwrap(), Meter::parse(&icmp).unwrap());
        assert_eq!((icmp.ttl, icmp.originator, icmp.uid), (50, mac(1), of.uid));
        assert_eq!((meter.session, meter.timestamp), (asked.session, asked.timestamp));
        assert_eq!(meter.meter_type, MeterType::Acknowledgement);
        assert_eq!(meter.seqno.0, asked.seqno.0.wrapping_add(MESSAGE));
    }
    assert_eq!(segment.metered.len(), 6, "the window has grown by as many as arrived");
    segment.run(Duration::from_secs(11));
    let (_, result) = segment.results[0];
    assert_eq!((result.outcome, result.bytes), (MeterOutcome::Complete, 3 * u64::from(MESSAGE)));
    assert_eq!((result.tool, result.elapsed), (3, Duration::from_secs(10)));
    assert_eq!(segment.nodes[0].next_deadline().max(segment.now), segment.nodes[0].next_deadline());
}

#[test]
fn tp_04_tp_06_tp_40_what_cannot_start_says_so_at_once() {
    let mut segment = started(2);
    segment.start(0, mac(77));
    assert_eq!(segment.outcomes(), [(0, MeterOutcome::Unreachable, 0)], "nobody knows it");
    segment.start(0, mac(0));
    assert_eq!(segment.outcomes(), [(0, MeterOutcome::Unreachable, 0)], "ourselves");
    segment.start(0, mac(1));
    segment.start(0, mac(1));
    assert_eq!(segment.outcomes(), [(0, MeterOutcome::AlreadyRunning, 0)]);
    segment.carry_messages();
    segment.start(1, mac(0));
    assert_eq!(
        segment.outcomes(),
        [(1, MeterOutcome::AlreadyRunning, 0)],
        "it is a receiver of that"
    );

    let mut lonely = Engine::new(
        Instant::from_millis(1),
        Settings::default(),
        Writer::new(HashKey([1, 2]), 0, SeqNo(0)),
        Arc::default(),
        1,
    );
    lonely.handle(Instant::from_millis(1), Input::MeterStart(request(mac(1))));
    let Some(Output::MeterResult(result)) = lonely.poll_output() else { panic!("a result") };
    assert_eq!(result.outcome, MeterOutcome::Unreachable, "a node without interface");
}

#[test]
fn tp_22_tp_23_a_cancel_ends_it_with_what_arrived() {
    let mut segment = started(3);
    segment.nodes[0].handle(segment.now, Input::MeterCancel { destination: mac(1) });
    segment.settle();
    assert_eq!(segment.outcomes(), [], "there is no test");
    segment.start(0, mac(1));
    segment.start(0, mac(2));
    segment.carry_messages();
    segment.nodes[0].handle(segment.now, Input::MeterCancel { destination: mac(1) });
    segment.settle();
    let arrived = 3 * u64::from(MESSAGE);
    assert_eq!(
        segment.outcomes(),
        [(0, MeterOutcome::Cancelled, arrived)],
        "and not the other one"
    );
    // TP-24: what comes late is for nobody.
    segment.metered.clear();
    let late = packet(mac(1), mac(0), MeterType::Acknowledgement, [0, 0], SeqNo(1), 28);
    segment.hand(0, mac(1), mac(0), &late);
    segment.settle();
    assert!(segment.metered.is_empty());
}

#[test]
fn tp_12_tp_35_a_stranger_counts_nothing() {
    let mut segment = started(3);
    segment.start(0, mac(1));
    let first = Icmp::parse(&segment.metered[0].1).unwrap();
    let (uid, session) = (first.uid, Meter::parse(&first).unwrap().session);
    segment.metered.clear();
    let forged = |from, session, uid: u8, seqno| {
        let mut bytes = packet(from, mac(0), MeterType::Acknowledgement, session, SeqNo(seqno), 28);
        bytes[16] = uid;
        bytes
    };
    let next = Meter::FIRST_SEQNO.0.wrapping_add(MESSAGE);
    let rows = [
        (forged(mac(1), [!session[0], session[1]], uid, next), "another session"),
        (forged(mac(1), session, !uid, next), "another mark"),
        (forged(mac(2), session, uid, next), "another node"),
        (forged(mac(88), session, uid, next), "a node that nobody knows"),
        (forged(mac(1), session, uid, next.wrapping_add(100 * MESSAGE)), "more than was sent"),
        (forged(mac(1), session, uid, Meter::FIRST_SEQNO.0 - 1), "less than has arrived"),
    ];
    for (bytes, because) in rows {
        segment.hand(0, mac(1), mac(0), &bytes);
        segment.settle();
        assert!(segment.metered.is_empty(), "{because}");
    }
    segment.run(Duration::from_secs(11));
    let nobody = MeterOutcome::NoAnswer { answered_by: Some(mac(2)) };
    assert_eq!(segment.outcomes(), [(0, nobody, 0)], "and the result names who answered");
}

#[test]
fn tp_03_tp_26_tp_27_tp_34_what_is_no_part_of_a_test_is_not_answered() {
    let mut segment = started(2);
    let first = Meter::FIRST_SEQNO;
    let behind = SeqNo(first.0.wrapping_add(MESSAGE));
    let rows = [
        (message(mac(1), mac(0), [1, 2], behind), "not the first"),
        (message(mac(66), mac(0), [1, 2], first), "nobody to answer to"),
        (packet(mac(1), mac(0), MeterType::Unknown(2), [1, 2], first, 1486), "an unknown subtype"),
        (message(mac(1), mac(0), [1, 2], first)[..27].to_vec(), "too short"),
        (packet(mac(1), mac(0), MeterType::Acknowledgement, [1, 2], first, 28), "of no test"),
    ];
    for (bytes, because) in rows {
        segment.hand(0, mac(1), mac(0), &bytes);
        assert_eq!(segment.outputs(0), [], "{because}");
    }
    segment.hand(0, mac(1), mac(0), &message(mac(1), mac(0), [1, 2], first));
    assert_eq!(segment.outputs(0).len(), 1);
    // Once there is a receiver, an acknowledgement of its session still has no sender.
    let answer = packet(mac(1), mac(0), MeterType::Acknowledgement, [1, 2], behind, 28);
    segment.hand(0, mac(1), mac(0), &answer);
    assert_eq!(segment.outputs(0), []);
}

#[test]
fn tp_26_tp_28_a_flood_of_sessions_is_bounded_and_passes() {
    let mut segment = started(2);
    let mut answered = 0;
    for number in 0..1000_u16 {
        let first = message(mac(1), mac(0), number.to_be_bytes(), Meter::FIRST_SEQNO);
        segment.hand(0, mac(1), mac(0), &first);
        answered += segment.outputs(0).len();
    }
    assert_eq!(answered, 5);
    segment.start(0, mac(1));
    assert_eq!(segment.outcomes(), [(0, MeterOutcome::AlreadyRunning, 0)]);
    segment.run(Duration::from_secs(2));
    segment.start(0, mac(1));
    assert_eq!(segment.metered.len(), 3, "two seconds later there is room again");
}

#[test]
fn tp_04_five_tests_at_once() {
    let mut segment = started(7);
    for other in 1..7 {
        segment.start(0, mac(other));
    }
    assert_eq!(segment.outcomes(), [(0, MeterOutcome::TooMany, 0)]);
    // TP-36: without an interface there is nothing to send by.
    segment.nodes[0].handle(segment.now, Input::Detach { iface: iface() });
    segment.run(Duration::from_secs(11));
    assert_eq!(segment.outcomes().len(), 5);
}
