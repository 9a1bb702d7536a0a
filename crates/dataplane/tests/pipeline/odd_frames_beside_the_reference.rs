//! Odd frames, one after the other, against what a kernel node did with the same.

use crate::support::*;
use noctule_fib::{Counter, Neighbours, NextHop, View};
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Mac, Ttvn};

const SENDER: Mac = Mac([2, 0xba, 0, 0, 0x0f, 1]);

/// What the reference's node does and this one does not, with the reason.
const OTHERWISE: [(&str, &str); 1] = [(
    "unicast-known-client-old-ttvn",
    "TT-118: passed on, since nobody better is known than the originator it is addressed to",
)];

/// Ben as the node in the middle: the sender on link 0, Cara on link 1, and the mesh interfaces of both announced.
fn middle() -> Ben {
    let mut ben = Ben::default();
    ben.change_link(0, |link| {
        link.neighbours = Neighbours::One { address: SENDER, originator: SENDER };
        link.mtu = 1500;
    });
    ben.change_link(1, |link| link.mtu = 1500);
    ben.writer.add_originator(SENDER);
    for view in [View::Default, View::Arrival(link(0)), View::Arrival(link(1))] {
        ben.writer.set_router(SENDER, view, Some(NextHop { iface: link(0), mac: SENDER }));
    }
    ben.writer.set_ttvn(CARA, Ttvn(2));
    ben.writer.set_own_ttvn(Ttvn(2));
    ben.announce(Mac([2, 0xba, 0, 0, 3, 0xba]), ClientFlags::NONE, &[CARA]);
    let own = Client::untagged(Mac([2, 0xba, 0, 0, 2, 0xba]));
    ben.writer.set_local(own, ClientFlags::NOPURGE, ms(0));
    ben
}

/// Hexadecimal, and `+78*46` for 46 times the byte 0x78.
fn bytes(text: &str) -> Vec<u8> {
    let byte = |text: &str| u8::from_str_radix(text, 16).unwrap();
    let (start, rest) = text.split_once('+').unwrap_or((text, ""));
    let mut bytes: Vec<u8> =
        (0..start.len()).step_by(2).map(|at| byte(&start[at..at + 2])).collect();
    if let Some((fill, count)) = rest.split_once('*') {
        bytes.extend(vec![byte(fill); count.parse().unwrap()]);
    }
    bytes
}

/// Rules FWD-60 to FWD-84, FWD-93 to FWD-99, FWD-115 to FWD-117, as far as odd frames show them.
#[test]
fn fwd_60_fwd_62_fwd_65_fwd_74_fwd_93_fwd_99_odd_frames_fare_as_with_the_reference() {
    let counters = [
        (Counter::Rx, "rx"),
        (Counter::RxBytes, "rx_bytes"),
        (Counter::Forward, "forward"),
        (Counter::ForwardBytes, "forward_bytes"),
        (Counter::FragRx, "frag_rx"),
        (Counter::FragRxBytes, "frag_rx_bytes"),
        (Counter::FragFwd, "frag_fwd"),
        (Counter::FragTx, "frag_tx"),
    ];
    let mut ben = middle();
    let mut otherwise = Vec::new();
    let rows = include_str!("../data/odd-frames.txt").lines().filter(|row| !row.starts_with('#'));
    for (number, row) in rows.enumerate() {
        let cells: Vec<&str> = row.split('|').collect();
        let [name, to, from, packet, counted, answered, forwarded] = cells[..] else {
            panic!("{row}")
        };
        let frame = on_air(to.parse().unwrap(), from.parse().unwrap(), &bytes(packet));
        let outcome = ben.receive(ms(1200 * number as u64), 0, &frame);
        let moved: Vec<String> = counters
            .iter()
            .map(|(counter, name)| (outcome.counted(*counter), name))
            .filter(|(by, _)| *by > 0)
            .map(|(by, name)| format!("{name}+{by}"))
            .collect();
        let moved = if moved.is_empty() { "-".to_owned() } else { moved.join(" ") };
        let passed_on = outcome.sent.iter().filter(|(iface, _)| *iface == 1).count();
        // What goes to the engine is answered there.
        let to_engine = !outcome.punted.is_empty();
        let same = moved == counted
            && passed_on.to_string() == forwarded
            && (answered == "0" || !packet.starts_with("43") || to_engine || passed_on > 0);
        if !same {
            otherwise.push((name, moved, passed_on, outcome.dropped.clone()));
        }
        assert_eq!(outcome.delivered.len() as u64, outcome.counted(Counter::Rx), "{name}");
    }
    let names: Vec<&str> = otherwise.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, OTHERWISE.map(|(name, _)| name), "{otherwise:?}");
}
