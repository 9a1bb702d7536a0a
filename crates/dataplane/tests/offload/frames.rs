//! Random tables and frames, from a seed: most of them nearly right, so that each check decides often.

use noctule_fib::{HashKey, Iface, IfaceEntry, NextHop, Node, View, Writer};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Instant, Mac, SeqNo, Ttvn, Vid};

/// A small generator (xorshift): the same numbers everywhere.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.number() as usize % limit
    }

    /// True once in `often`.
    pub(crate) fn one_in(&mut self, often: usize) -> bool {
        self.below(often) == 0
    }

    pub(crate) fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

pub(crate) const IFACES: usize = 3;

pub(crate) fn iface(index: usize) -> Iface {
    Iface::new(index).unwrap()
}

/// The MAC of a hard interface; the first is the originator address.
pub(crate) fn own(index: usize) -> Mac {
    Mac([2, 0xba, 0, 0, 1, index as u8 + 1])
}

/// An originator; the first ones are neighbours as well.
pub(crate) fn originator(index: usize) -> Mac {
    Mac([2, 0xba, 0, 0, 9, index as u8])
}

const ORIGINATORS: usize = 8;
const VIDS: [Vid; 3] = [Vid::UNTAGGED, Vid(0x8005), Vid(0x8fff)];

pub(crate) fn client(index: usize) -> Mac {
    Mac([2, 0xc1, 0, 0, 0, index as u8])
}

const CLIENTS: usize = 6;

pub(crate) fn tables() -> Writer {
    Writer::new(HashKey([3, 4]), 7, SeqNo(1))
}

/// Another state of this node.
pub(crate) fn change_node(fib: &mut Writer, rng: &mut Rng) {
    let mut node = Node {
        primary: (!rng.one_in(20)).then(|| own(0)),
        fragmentation: !rng.one_in(4),
        ..Node::default()
    };
    for index in 0..IFACES {
        if rng.one_in(24) {
            continue;
        }
        node.ifaces[index] = Some(IfaceEntry {
            mac: if rng.one_in(20) { originator(0) } else { own(index) },
            mtu: rng.choose(&[100, 140, 300, 576, 1280, 1500, 1500, 1500]),
            active: !rng.one_in(20),
            wifi: false,
            neighbours: noctule_fib::Neighbours::Many,
        });
    }
    if rng.one_in(3) {
        let hop = NextHop { iface: iface(rng.below(IFACES)), mac: originator(rng.below(3)) };
        node.narrow = [(hop, rng.choose(&[90, 120, 512]))].into();
    }
    fib.set_node(node);
}

/// Another state of some originators and clients.
pub(crate) fn change_mesh(fib: &mut Writer, rng: &mut Rng) {
    for _ in 0..4 {
        let mac = originator(rng.below(ORIGINATORS));
        if rng.one_in(16) {
            fib.remove_originator(mac);
            continue;
        }
        fib.add_originator(mac);
        fib.set_ttvn(mac, Ttvn(rng.choose(&[0, 1, 5, 127, 128, 129, 250, 255])));
        for view in (0..IFACES).map(|index| View::Arrival(iface(index))).chain([View::Default]) {
            if rng.one_in(6) {
                continue;
            }
            let hop = NextHop { iface: iface(rng.below(IFACES)), mac: originator(rng.below(3)) };
            fib.set_router(mac, view, (!rng.one_in(16)).then_some(hop));
        }
        fib.set_metric(mac, rng.below(255) as u32);
    }
    let moved = Client::new(client(rng.below(CLIENTS)), rng.choose(&VIDS));
    match rng.below(4) {
        0 => fib.remove_local(moved),
        1 => fib.set_local(moved, ClientFlags::default(), Instant::ZERO),
        _ => fib.set_local(moved, ClientFlags::ROAM, Instant::ZERO),
    }
    let elsewhere = Client::new(client(rng.below(CLIENTS)), rng.choose(&VIDS));
    if rng.one_in(3) {
        fib.remove_global(elsewhere);
    } else {
        let announcers = [originator(rng.below(ORIGINATORS))].into_iter().collect();
        fib.set_global(
            elsewhere,
            noctule_fib::GlobalClient { flags: ClientFlags::default(), announcers },
        );
    }
}

/// A frame that arrives on the interface `arrival`.
pub(crate) fn frame(rng: &mut Rng, arrival: usize) -> Vec<u8> {
    let mut frame = Vec::new();
    let outer = match rng.below(30) {
        0 => own(rng.below(IFACES)),
        1 => Mac::BROADCAST,
        2 => originator(2),
        _ => own(arrival),
    };
    let from = if rng.one_in(30) { Mac([3, 0, 0, 0, 0, 1]) } else { originator(rng.below(3)) };
    frame.extend(outer.0);
    frame.extend(from.0);
    frame.extend([0x43, 0x05]);
    if rng.one_in(30) {
        frame[12..].copy_from_slice(&rng.choose(&[[0x81, 0x00], [0x88, 0xb5], [0x43, 0x04]]));
    }
    let kind = rng.choose(&[
        0x40, 0x40, 0x40, 0x40, 0x42, 0x42, 0x42, 0x41, 0x41, 0x41, 0x45, 0x46, 0x7f, 0x43, 0x44,
        0x80, 0x00, 0x01, 0x05,
    ]);
    let version = if rng.one_in(30) { 14 } else { 15 };
    let ttl = rng.choose(&[50, 49, 33, 3, 2, 2, 2, 1, 0, 255]);
    let ttvn = rng.choose(&[0, 1, 5, 127, 128, 129, 250, 255]);
    let destination = match rng.below(20) {
        0 => own(rng.below(IFACES)),
        1 => Mac::BROADCAST,
        _ => originator(rng.below(ORIGINATORS)),
    };
    frame.extend([kind, version, ttl, ttvn]);
    frame.extend(destination.0);
    match kind {
        0x42 => {
            frame.extend(originator(rng.below(ORIGINATORS)).0);
            frame.extend([rng.choose(&[1, 2, 3, 4, 9]), 0]);
            inner(rng, &mut frame);
        }
        0x41 => fragment(rng, &mut frame),
        0x40 => inner(rng, &mut frame),
        _ => {
            let len = rng.below(60);
            frame.extend((0..len).map(|byte| byte as u8));
        }
    }
    if rng.one_in(12) {
        frame.truncate(15 + rng.below(frame.len() - 14));
    }
    if rng.one_in(12) {
        let at = rng.below(frame.len());
        frame[at] = rng.number() as u8;
        // The kernel refuses to run a program on half an IP packet.
        if matches!(frame[12..14], [0x08, 0x00] | [0x86, 0xdd]) {
            frame[12] = 0x43;
        }
    }
    frame
}

fn fragment(rng: &mut Rng, frame: &mut Vec<u8>) {
    // Number and priority stand where the table version stood.
    let number = rng.below(16) as u8;
    let len = frame.len();
    frame[len - 7] = number << 4 | (rng.below(8) as u8) << 1 | u8::from(rng.one_in(9));
    frame.extend(originator(rng.below(ORIGINATORS)).0);
    frame.extend((rng.number() as u16).to_be_bytes());
    let data = rng.choose(&[0, 10, 60, 70, 80, 100, 120, 260, 280, 400, 556, 1260, 1480]);
    let data = data + rng.below(20).saturating_sub(10);
    let behind = usize::from(number);
    let total = match rng.below(5) {
        // The head, shorter than the others by as much as it can be, or by one more.
        4 => data + behind * (data + behind + rng.below(2)),
        0 => data * (usize::from(number) + 1) + rng.below(3),
        1 => data * (usize::from(number) + 2),
        2 => rng.below(3000),
        _ => data * 2 + rng.below(20),
    };
    frame.extend((total as u16).to_be_bytes());
    frame.resize(frame.len() + data, 0x55);
}

fn inner(rng: &mut Rng, frame: &mut Vec<u8>) {
    let to = match rng.below(8) {
        0 => Mac::BROADCAST,
        1 => Mac([0x33, 0x33, 0, 0, 0, 1]),
        _ => client(rng.below(CLIENTS)),
    };
    let start = frame.len();
    frame.extend(to.0);
    frame.extend(client(rng.below(CLIENTS)).0);
    let body =
        rng.choose(&[0, 1, 2, 3, 4, 17, 18, 19, 37, 38, 39, 46, 100, 130, 300, 560, 1400, 1474]);
    match rng.below(5) {
        0 => frame.extend([
            0x81,
            0x00,
            rng.choose(&[0x00, 0x60, 0xe0, 0xff]),
            rng.choose(&[0, 5, 0xff]),
            8,
            0,
        ]),
        1 => frame.extend([0x08, 0x00, 0x45, rng.number() as u8]),
        2 => frame.extend([0x86, 0xdd, 0x60 | rng.below(16) as u8, rng.number() as u8]),
        3 => frame.extend([0x88, 0xa8]),
        _ => frame.extend([0x08, 0x06]),
    }
    let len = frame.len();
    frame.resize(len + body, rng.number() as u8);
    match rng.below(8) {
        0 => frame.truncate(len + body / 2),
        // In the middle of the header, the tag, or what follows.
        1 => frame.truncate(start + 12 + rng.below(9)),
        // At the edge of what a link carries.
        2 | 3 => {
            let packet = rng.choose(&[90, 100, 120, 140, 300, 512, 576, 1280, 1500, 1500]);
            frame.resize(14 + packet + rng.below(3) - 1, 0xaa);
        }
        _ => {}
    }
}
