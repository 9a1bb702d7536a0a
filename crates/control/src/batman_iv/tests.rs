//! Tests of B.A.T.M.A.N. IV: one node with records made by hand, several nodes on perfect or lossy links, and lives of
//! the kernel module, recorded and replayed.

mod acceptance;
mod aggregation;
mod arithmetic;
mod emission;
mod eviction;
mod invariants;
mod mesh;
mod node;
mod purge;
mod ranking;
mod rebroadcast;
mod reception;
mod replay;
mod report;
mod scenarios;
mod windows;

use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{Instant, Mac, Ogm, SeqNo};

/// MAC of the `index`th interface of the `node`th node, as in the captures.
const fn mac(node: u8, index: u8) -> Mac {
    Mac([0x02, 0xba, 0, 0, node, index])
}

/// The interface with this number.
fn iface(index: usize) -> Iface {
    Iface::new(index).unwrap()
}

/// A next hop.
fn hop(index: usize, mac: Mac) -> NextHop {
    NextHop { iface: iface(index), mac }
}

/// `millis` ms after the start.
const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An OGM of a primary interface as it leaves there.
const fn ogm(originator: Mac, seqno: u32) -> Ogm<'static> {
    Ogm {
        ttl: 50,
        flags: OgmFlags(0),
        seqno: SeqNo(seqno),
        originator,
        previous_sender: originator,
        reserved: 0,
        tq: 255,
        tvlvs: &[],
    }
}

/// The same OGM, repeated by the node after the one with `previous_sender`'s address.
const fn repeated(originator: Mac, seqno: u32, previous_sender: Mac, tq: u8) -> Ogm<'static> {
    Ogm { ttl: 49, previous_sender, tq, ..ogm(originator, seqno) }
}

/// Addresses that nobody has, one after the other.
#[derive(Default)]
struct Invented(u32);

impl Invented {
    fn next(&mut self) -> Mac {
        self.0 += 1;
        let [a, b, c, d] = self.0.to_be_bytes();
        Mac([0x02, 0xee, a, b, c, d])
    }
}
