//! No allocation on the forward path: a million mixed frames through the pipeline, under an allocator that counts
//! (section "Numbers" of the goals; FWD-40, FWD-72, FWD-97 and FWD-121 tell that the frames went where they should).

#![expect(unsafe_code, reason = "an allocator that counts must implement GlobalAlloc")]

#[allow(dead_code, reason = "shared with the other tests; this one needs a part")]
#[path = "pipeline/support.rs"]
mod support;
#[expect(dead_code, reason = "shared with the other tests; this one needs a part")]
#[path = "segmentation/tcp.rs"]
mod tcp;
#[path = "no_allocation/workers.rs"]
mod workers;

use core::time::Duration;
use noctule_dataplane::pipeline::PipelineSettings;
use noctule_dataplane::segmentation::{Coalescer, Segments, TRAINS};
use noctule_dataplane::{Hint, Outlet};
use noctule_fib::{Counter, Iface, Multicast, Neighbours};
use noctule_wire::fragment::Split;
use noctule_wire::tvlv::multicast_tracker::MulticastTracker;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Discard, Mac, PacketType};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::*;

struct Counting;

thread_local! {
    /// Of this thread: the test harness allocates on others whenever it likes.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count_one() {
    // Not while a thread ends: then there is nothing left to count in, and nothing to measure.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller keeps `alloc`'s contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` by the functions here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: `pointer` came from `System`, and the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes everything and counts it.
#[derive(Default)]
struct Sink {
    sent: u64,
    delivered: u64,
    punted: u64,
    hints: u64,
    /// Fragments among what was sent.
    parts: u64,
    /// By packet type, fragments left out: unicast style, ICMP, multicast.
    kinds: [u64; 3],
}

impl Outlet for Sink {
    fn transmit(&mut self, _: Iface, _: u8, pieces: &[&[u8]]) -> Result<(), Discard> {
        self.sent += 1;
        let behind = pieces.iter().flat_map(|piece| piece.iter()).nth(14);
        match behind.map(|byte| PacketType::from(*byte)) {
            Some(PacketType::Fragment) => self.parts += 1,
            Some(PacketType::Icmp) => self.kinds[1] += 1,
            Some(PacketType::Multicast) => self.kinds[2] += 1,
            Some(PacketType::Broadcast) => {}
            _ => self.kinds[0] += 1,
        }
        Ok(())
    }

    fn deliver(&mut self, _: &[&[u8]]) -> Result<(), Discard> {
        self.delivered += 1;
        Ok(())
    }

    fn punt(&mut self, _: Iface, _: &[u8]) -> Result<(), Discard> {
        self.punted += 1;
        Ok(())
    }

    fn hint(&mut self, _: Hint) -> Result<(), Discard> {
        self.hints += 1;
        Ok(())
    }
}

/// Seven kinds of frames in turn, broadcasts with their repetitions and packets in fragments among them.
fn rounds(ben: &mut Ben, frames: &mut Frames, out: &mut Sink, count: u32, first: u32) {
    for round in first..first + count {
        let now = ms(u64::from(round));
        let mut session = ben.pipeline.session(now);
        for (frame, original) in frames.transit.iter_mut().zip(&frames.originals) {
            frame.copy_from_slice(original);
            session.receive(link(0), frame, out);
        }
        frames.broadcast[18..22].copy_from_slice(&round.to_be_bytes());
        frames.broadcast[16] = 50;
        session.receive(link(0), &mut frames.broadcast, out);
        session.send(&frames.host_unicast, out);
        session.send(&frames.host_broadcast, out);
        for part in &mut frames.fragments {
            part[30..32].copy_from_slice(&(round as u16).to_be_bytes());
            session.receive(link(0), part, out);
        }
        drop(session);
        if ben.pipeline.next_deadline().is_some_and(|due| due <= now) {
            ben.pipeline.on_deadline(now, out);
        }
    }
}

struct Frames {
    originals: Vec<Vec<u8>>,
    transit: Vec<Vec<u8>>,
    broadcast: Vec<u8>,
    host_unicast: Vec<u8>,
    host_broadcast: Vec<u8>,
    fragments: Vec<Vec<u8>>,
}

#[test]
fn fwd_72_a_million_mixed_frames_allocate_nothing() {
    const ROUNDS: u32 = 125_000;
    let mut ben = Ben::with(PipelineSettings::new(KEY));
    ben.change_link(1, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
    let inner = ethernet(CARAS, ANNAS, 0x88b5, &[7; 1400]);
    let for_ben = unicast(50, 20, BEN_0, &ethernet(BENS, ANNAS, 0x88b5, &[7; 1400]));
    let (head, tail) = for_ben.split_at(700);
    let part =
        |number, data| on_air(BEN_0, ANNA, &fragment(BEN_0, ANNA, 0, number, for_ben.len(), data));
    let originals = vec![
        on_air(BEN_0, ANNA, &unicast(50, 30, CARA, &inner)),
        on_air(BEN_0, ANNA, &unicast(50, 19, BEN_0, &inner)),
        on_air(BEN_0, ANNA, &for_ben),
    ];
    let everybody = ethernet(Mac::BROADCAST, ANNAS, 0x0806, &[1; 46]);
    let mut frames = Frames {
        transit: originals.clone(),
        originals,
        broadcast: on_air(Mac::BROADCAST, ANNA, &broadcast(50, 0, ANNA, &everybody)),
        host_unicast: ethernet(CARAS, BENS, 0x88b5, &[7; 1400]),
        host_broadcast: ethernet(Mac::BROADCAST, BENS, 0x0806, &[1; 46]),
        fragments: vec![part(0, tail), part(1, head)],
    };
    let mut out = Sink::default();

    // Until every buffer that is kept for re-use is there.
    rounds(&mut ben, &mut frames, &mut out, 1000, 0);
    let before = (ALLOCATIONS.get(), out.sent, out.delivered);
    rounds(&mut ben, &mut frames, &mut out, ROUNDS, 1000);
    let allocations = ALLOCATIONS.get() - before.0;
    assert_eq!(allocations, 0, "in {} frames", ROUNDS * 8);

    // Each round: two in transit, one of them redirected; one unicast from the host; two broadcasts that leave by link 1
    // three times, and that of the host also by link 0. Copies still queued at both ends even out.
    let rounds = u64::from(ROUNDS);
    assert_eq!(out.sent - before.1, rounds * (2 + 1 + 3 + 3 + 1));
    assert_eq!(out.delivered - before.2, rounds * 3, "one whole, one merged, one broadcast");
    assert_eq!(ben.counters.get(Counter::Forward), (rounds + 1000) * 2);
    assert_eq!(
        ben.pipeline.next_deadline().map(|due| due.since(ms(0)) < Duration::from_secs(200)),
        Some(true)
    );
}

/// One frame of every sort that the other test leaves out, and where its number stands that must differ each time.
struct Every {
    /// From the air: interface, frame, and where a fragment's or broadcast's number begins and how many bytes it has.
    air: Vec<(usize, Vec<u8>, Option<(usize, usize)>)>,
    host: Vec<Vec<u8>>,
}

/// What a packet for Cara or Ben looks like in Anna's parts.
fn parts(destination: Mac, packet: &[u8], mtu: usize, seqno: u16) -> Vec<Vec<u8>> {
    Split::new(packet, mtu)
        .unwrap()
        .map(|(number, data)| fragment(destination, ANNA, seqno, number, packet.len(), data))
        .map(|part| on_air(BEN_0, ANNA, &part))
        .collect()
}

fn every() -> Every {
    let small = hello(CARAS, ANNAS);
    let long = |to, from, len| ethernet(to, from, 0x88b5, &vec![7; len]);
    let mine = unicast_4addr(BEN_0, ANNA, Subtype::Data, &hello(BENS, ANNAS));
    let onward = unicast_4addr(CARA, ANNA, Subtype::Data, &small);
    let multicast = |destinations: &[Mac]| {
        let mut tvlv = vec![7, 1, 0, MulticastTracker::value_len(destinations.len()) as u8];
        MulticastTracker::emit(&mut tvlv, destinations);
        [&[5, 15, 50, 0, 0, tvlv.len() as u8], tvlv.as_slice(), &hello(GROUP, ANNAS)].concat()
    };
    let from_anna = |packet: &[u8]| on_air(BEN_0, ANNA, packet);
    let mut air: Vec<(usize, Vec<u8>, Option<(usize, usize)>)> = vec![
        // ICMP in transit, with and without route record; for this node, spent: punts.
        (0, from_anna(&icmp(8, 50, CARA, ANNA, &[0; 96])), None),
        (0, from_anna(&icmp(8, 50, CARA, ANNA, &[])), None),
        (0, from_anna(&icmp(8, 50, BEN_0, ANNA, &[0; 96])), None),
        (0, from_anna(&icmp(8, 1, CARA, ANNA, &[])), None),
        // 4-address, in transit and for this node; a type that nobody knows; payload that is cut here.
        (0, from_anna(&onward), None),
        (0, from_anna(&mine), None),
        (0, from_anna(&[&[0x70, 15, 50, 0], CARA.0.as_slice(), &small].concat()), None),
        (0, from_anna(&unicast(50, 30, CARA, &long(CARAS, ANNAS, 1400))), None),
        // OGM and unicast TVLV: punts.
        (0, on_air(Mac::BROADCAST, ANNA, &[&[0x00, 15, 50, 0], [7; 40].as_slice()].concat()), None),
        (
            0,
            from_anna(&[&[0x44, 15, 50, 0], BEN_0.0.as_slice(), &ANNA.0, &[0, 0, 0, 0]].concat()),
            None,
        ),
        // To Cara, and to Cara and this node.
        (0, from_anna(&multicast(&[CARA])), None),
        (0, from_anna(&multicast(&[CARA, BEN_0, DORA])), None),
        // Drops: unknown originator, spent, no route, broken, foreign, tagged, no mesh frame, not for us.
        (0, from_anna(&unicast(50, 30, EVE, &small)), None),
        (0, from_anna(&unicast(1, 30, CARA, &small)), None),
        (0, from_anna(&unicast(50, 30, DORA, &small)), None),
        (0, from_anna(&[0x40, 15, 50]), None),
        (0, from_anna(&[0x40, 14, 50, 0]), None),
        (0, from_anna(&unicast(50, 20, BEN_0, &[1; 13])), None),
        (0, ethernet(BEN_0, ANNA, 0x8100, &[0; 46]), None),
        (0, hello(BEN_0, ANNA), None),
        (0, on_air(EVE, ANNA, &onward), None),
        (5, from_anna(&onward), None),
        (0, from_anna(&fragment(BEN_0, EVE, 1, 0, 100, &[0; 50])), None),
        (0, on_air(Mac::BROADCAST, ANNA, &broadcast(50, 0, EVE, &small)), None),
        (0, on_air(Mac::BROADCAST, BEN_1, &broadcast(50, 0, ANNA, &small)), None),
        (0, vec![], None),
    ];
    let number = Some((30, 2));
    // Jumbo and small broadcasts of another: three times by each link that is on Wi-Fi.
    for len in [100, 8000] {
        let packet = broadcast(50, 0, ANNA, &long(Mac::BROADCAST, ANNAS, len));
        air.push((0, on_air(Mac::BROADCAST, ANNA, &packet), Some((18, 4))));
    }
    // Numbers of the four lie in buckets of their own: in transit as they are; merged here and for the host; merged, cut
    // anew; one of a packet that never ends, and the same part twice.
    let for_cara = unicast(50, 30, CARA, &long(CARAS, ANNAS, 2000));
    let for_host = unicast(50, 20, BEN_0, &long(BENS, ANNAS, 9000));
    let sets = [
        (CARA, for_cara.clone(), 1000),
        (BEN_0, for_host, 1280),
        (CARA, for_cara, 1500),
        (BEN_0, vec![7; 20160], 1500),
    ];
    for (bucket, (to, packet, mtu)) in sets.into_iter().enumerate() {
        let mut set = parts(to, &packet, mtu, bucket as u16);
        if bucket == 3 {
            set.truncate(1);
            set.push(set[0].clone());
        }
        air.extend(set.into_iter().map(|part| (0, part, number)));
    }
    let host = vec![
        hello(CARAS, BENS),
        long(CARAS, BENS, 1400),
        long(CARAS, BENS, 9000),
        long(Mac::BROADCAST, BENS, 100),
        long(Mac::BROADCAST, BENS, 8000),
        // To those who listen, to nobody, in a VLAN that is not there, reserved, mesh in mesh, broken.
        ipv4_group(GROUP),
        ipv4_group(Mac([0x01, 0, 0x5e, 9, 9, 9])),
        hello(STRANGER, BENS),
        ethernet(CARAS, STRANGER, 0x8100, &[0, 9, 8, 0, 0, 0]),
        hello(Mac([0x01, 0x80, 0xc2, 0, 0, 0]), BENS),
        ethernet(CARAS, BENS, 0x4305, &[0; 46]),
        vec![1; 13],
    ];
    Every { air, host }
}

const GROUP: Mac = Mac([0x01, 0, 0x5e, 1, 2, 3]);

fn ipv4_group(group: Mac) -> Vec<u8> {
    let mut packet = [0; 46];
    packet[0] = 0x45;
    packet[9] = 17;
    packet[16..20].copy_from_slice(&[239, group.0[3], group.0[4], group.0[5]]);
    ethernet(group, BENS, 0x0800, &packet)
}

/// Gives a frame the number that it has in this round.
fn renumber(frame: &mut [u8], number: Option<(usize, usize)>, round: u32) {
    if let Some((at, len)) = number {
        // A fragment keeps its bucket: three bits.
        let value = if len == 2 { round << 3 | u32::from(frame[at + 1] & 7) } else { round };
        // Two broadcasts in a round have two numbers.
        let value = if len == 4 { value * 2 + u32::from(frame.len() > 1000) } else { value };
        frame[at..at + len].copy_from_slice(&value.to_be_bytes()[4 - len..]);
    }
}

/// Everything once. New clients come with each round, so that there is something to tell the engine.
fn all(ben: &mut Ben, every: &mut Every, scratch: &mut Vec<u8>, out: &mut Sink, round: u32) {
    // Repetitions of all broadcasts leave before the next come.
    let now = ms(u64::from(round) * 20);
    for step in 0..4 {
        ben.pipeline.on_deadline(ms(u64::from(round) * 20 + step * 5), out);
    }
    let mut session = ben.pipeline.session(now);
    for (iface, frame, number) in &mut every.air {
        renumber(frame, *number, round);
        scratch.clear();
        scratch.extend_from_slice(frame);
        session.receive(link(*iface), scratch, out);
    }
    for frame in &every.host {
        session.send(frame, out);
    }
    // Clients that are news, from the air and from the host.
    for (from_host, client) in [(false, 0x10), (true, 0x20)] {
        let [a, b, c, d] = round.to_be_bytes();
        let client = Mac([2, client, a, b, c, d]);
        scratch.clear();
        if from_host {
            scratch.extend_from_slice(&every.host[0]);
            scratch[6..12].copy_from_slice(&client.0);
            session.send(scratch, out);
        } else {
            scratch.extend_from_slice(&every.air[5].1);
            scratch[14 + 18 + 6..14 + 18 + 12].copy_from_slice(&client.0);
            session.receive(link(0), scratch, out);
        }
    }
}

#[test]
fn fwd_60_frames_of_every_sort_allocate_nothing() {
    const ROUNDS: u32 = 20_000;
    let mut ben = Ben::with(PipelineSettings::new(KEY));
    ben.change_link(0, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
    ben.change_link(1, |link| (link.wifi, link.neighbours) = (true, Neighbours::Many));
    ben.change_link(0, |link| link.mtu = 9000);
    ben.change_link(1, |link| link.mtu = 9000);
    ben.narrow_for_cara(1000);
    ben.announce(GROUP, ClientFlags::NONE, &[CARA, ANNA]);
    ben.writer.set_multicast(Multicast {
        flood: false,
        fanout: 16,
        packets: true,
        ..Multicast::default()
    });
    let mut every = every();
    let (mut scratch, mut out) = (Vec::with_capacity(70_000), Sink::default());
    for round in 0..1000 {
        all(&mut ben, &mut every, &mut scratch, &mut out, round);
    }
    let drops = |ben: &Ben| {
        Discard::ALL.iter().filter(|reason| ben.counters.discarded(**reason) > 0).count()
    };
    let counters = [Counter::FragFwd, Counter::FragRx, Counter::FragTx, Counter::McastFwd];
    let counted = |ben: &Ben| counters.map(|counter| ben.counters.get(counter));
    let (before, earlier) = ((out.punted, out.hints, out.kinds, out.delivered), counted(&ben));
    let allocations = ALLOCATIONS.get();
    for round in 1000..1000 + ROUNDS {
        all(&mut ben, &mut every, &mut scratch, &mut out, round);
    }
    let allocations = ALLOCATIONS.get() - allocations;
    let frames = ROUNDS as usize * (every.air.len() + every.host.len() + 2);
    assert!(frames >= 1_000_000, "{frames}");
    assert_eq!(allocations, 0, "in {frames} frames");

    // That they went where they should. Counters of one round, as all rounds are equal.
    let rounds = u64::from(ROUNDS);
    assert_eq!(out.punted - before.0, rounds * 4, "two ICMP, an OGM, a unicast TVLV");
    assert_eq!(out.hints - before.1, rounds * 2, "a client of ours, one of Anna's");
    assert_eq!(out.kinds[1] - before.2[1], rounds * 2, "ICMP in transit");
    assert_eq!(out.kinds[2] - before.2[2], rounds * 4, "two spread, ours to two neighbours");
    let moved: Vec<u64> = counted(&ben).iter().zip(earlier).map(|(now, then)| now - then).collect();
    assert!(moved.iter().all(|moved| *moved >= rounds * 2), "{moved:?}");
    assert!(drops(&ben) >= 14, "{} sorts of drops", drops(&ben));
    // Two 4-address packets, two broadcasts, a multicast packet, and one merged.
    assert_eq!(out.delivered - before.3, rounds * 6);
}

/// Long segments of more flows than are joined at a time, cut, and joined again.
#[test]
fn offloads_allocate_nothing() {
    let flow = |port: usize| tcp::Tcp {
        port: port as u16,
        ..tcp::Tcp::new(port.is_multiple_of(2), 60_000)
    };
    let wholes: Vec<_> = (0..2 * TRAINS).map(|port| flow(port).whole(1400)).collect();
    let mut buffer = Vec::with_capacity(70_000);
    let mut coalescer = Coalescer::default();
    let (mut before, mut parts, mut written) = (0, 0_u64, 0_u64);
    for round in 0..500 {
        if round == 10 {
            before = ALLOCATIONS.get();
            (parts, written) = (0, 0);
        }
        for (header, frame) in &wholes {
            buffer.clear();
            buffer.extend_from_slice(frame);
            let mut segments = Segments::new(header, &mut buffer, Some(1300)).unwrap();
            while let Some(segment) = segments.next() {
                parts += 1;
                coalescer.push(segment, &mut |it| written += u64::from(it.count));
            }
        }
        coalescer.flush(&mut |it| written += u64::from(it.count));
    }
    assert_eq!(ALLOCATIONS.get() - before, 0, "in {parts} frames");
    assert!(parts > 300_000 && written == parts, "{parts} cut, {written} written");
}
