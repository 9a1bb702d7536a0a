//! A target for the data plane: any frames, from the air and from the host, one after the other, while time passes.

use noctule_dataplane::pipeline::{PipelineSettings, Verdict};
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{
    Announcers, Counter, Counters, GlobalClient, HashKey, Iface, IfaceEntry, Neighbours, NextHop,
    Node, View, Writer,
};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Discard, Instant, Mac, SeqNo, Ttvn};
use std::sync::Arc;

const BEN: [Mac; 2] = [Mac([2, 0xba, 0, 0, 2, 1]), Mac([2, 0xba, 0, 0, 2, 2])];
const ANNA: Mac = Mac([2, 0xba, 0, 0, 1, 1]);
const CARA: Mac = Mac([2, 0xba, 0, 0, 3, 1]);
const BENS: Mac = Mac([2, 0xc1, 0, 0, 2, 1]);
const CARAS: Mac = Mac([2, 0xc1, 0, 0, 3, 1]);

/// Counts what comes out, and checks that it is in order.
#[derive(Default)]
struct Watch {
    sent: usize,
    delivered: usize,
    punted: usize,
    hints: usize,
}

impl Outlet for Watch {
    fn transmit(&mut self, iface: Iface, priority: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        assert!(priority < 8);
        let frame = parts.concat();
        assert!(iface.index() < 2, "only by interfaces that there are");
        assert_eq!(frame[6..14], [&BEN[iface.index()].0[..], &[0x43, 5]].concat(), "as itself");
        assert_eq!(frame[15], 15);
        assert_ne!(frame[16], 0, "no packet leaves without a hop to go");
        self.sent += 1;
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        assert!(parts.concat().len() >= 14);
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

/// Tables of a node between two neighbours; one link is a little narrower than the other, so that packets are cut.
fn tables() -> Writer {
    let mut writer = Writer::new(HashKey([1, 2]), 7, SeqNo(7));
    let mut node = Node {
        primary: Some(BEN[0]),
        fragmentation: true,
        neighbour_discovery: true,
        ..Node::default()
    };
    for (index, (mac, neighbour)) in BEN.into_iter().zip([ANNA, CARA]).enumerate() {
        let iface = Iface::new(index).expect("two are few");
        let neighbours = Neighbours::One { address: neighbour, originator: neighbour };
        let mtu = [1532, 120][index];
        node.ifaces[index] =
            Some(IfaceEntry { mac, mtu, active: true, wifi: index == 1, neighbours });
        writer.add_originator(neighbour);
        writer.set_ttvn(neighbour, Ttvn(30));
        for view in Iface::all().map(View::Arrival).chain([View::Default]) {
            writer.set_router(neighbour, view, Some(NextHop { iface, mac: neighbour }));
        }
    }
    writer.set_node(node);
    writer.set_own_ttvn(Ttvn(20));
    writer.set_local(Client::untagged(BENS), ClientFlags::NONE, Instant::ZERO);
    let entry = GlobalClient { flags: ClientFlags::NONE, announcers: Announcers::One(CARA) };
    writer.set_global(Client::untagged(CARAS), entry);
    writer
}

/// Frames in a row, each behind two bytes: the upper two bits of the first say where it comes from and how much time has
/// passed, the other 14 its length.
///
/// # Panics
/// If a frame makes the pipeline panic, gives more than one frame out although it is bad, or is neither used nor counted.
pub fn fuzz_pipeline(data: &[u8]) {
    let writer = tables();
    let counters = Arc::new(Counters::default());
    let mut settings = PipelineSettings::new(HashKey([3, 4]));
    (settings.reassemblies, settings.broadcast_queue) = (4, 4);
    let mut pipeline = Pipeline::new(writer.reader(), Arc::clone(&counters), settings);
    let discards = || Discard::ALL.iter().map(|reason| counters.discarded(*reason)).sum::<u64>();
    let (mut now, mut rest) = (Instant::from_millis(1_000_000), data);
    while let Some(([first, second], behind)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([first & 0x3f, *second])).min(behind.len());
        let (frame, behind) = behind.split_at(len);
        rest = behind;
        let (before, collected) = (discards(), counters.get(Counter::FragRx));
        let mut out = Watch::default();
        if first & 0x80 != 0 {
            pipeline.send(now, frame, &mut out);
            assert!(out.sent <= 16 && out.delivered + out.punted == 0 && out.hints <= 1);
            continue;
        }
        let iface = Iface::new(usize::from(first & 0x40 != 0)).expect("two are few");
        let mut frame = frame.to_vec();
        let verdict = pipeline.session(now).judge(iface, &frame);
        pipeline.receive(now, iface, &mut frame, &mut out);
        let outputs = out.sent + out.delivered + out.punted;
        let dropped = discards() - before;
        let collected = counters.get(Counter::FragRx) - collected;
        assert!(dropped > 0 || outputs > 0 || collected > 0, "neither used nor counted");
        match verdict {
            Verdict::Drop(_) => assert_eq!((outputs, dropped), (0, 1)),
            // A packet that is cut, or a broadcast that is delivered too, is no bad frame.
            _ if dropped > 0 && collected == 0 => assert!(outputs <= 1),
            _ => assert!(out.delivered + out.punted <= 1 && out.sent <= 16),
        }
        now += core::time::Duration::from_millis(u64::from(*second));
        if pipeline.next_deadline().is_some_and(|due| due <= now) {
            pipeline.on_deadline(now, &mut out);
        }
    }
}
