//! Tests of B.A.T.M.A.N. V: one node with frames made by hand.

mod elp;
mod emission;
mod limits;
mod node;
mod purge;
mod reception;
mod report;
mod routes;
mod throughput;

use core::time::Duration;
use noctule_fib::{Iface, NextHop, View};
use noctule_wire::ogm2::Throughput;
use noctule_wire::{Instant, Mac, Ogm2, SeqNo};

const ME: Mac = mac(1, 1);
const PEER: Mac = mac(2, 1);
const OTHER: Mac = mac(3, 1);
const FAR: Mac = mac(9, 1);

/// MAC of the `index`th interface of the `node`th node.
const fn mac(node: u8, index: u8) -> Mac {
    Mac([0x02, 0xba, 0, 0, node, index])
}

fn iface(index: usize) -> Iface {
    Iface::new(index).unwrap()
}

fn arrival(index: usize) -> View {
    View::Arrival(iface(index))
}

fn hop(index: usize, mac: Mac) -> NextHop {
    NextHop { iface: iface(index), mac }
}

const fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An OGM2 as a node that is `50 - ttl` hops away made it.
const fn ogm(originator: Mac, seqno: u32, throughput: u32) -> Ogm2<'static> {
    Ogm2 {
        ttl: 49,
        flags: 0,
        seqno: SeqNo(seqno),
        originator,
        throughput: Throughput(throughput),
        tvlvs: &[],
    }
}
