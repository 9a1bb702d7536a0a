//! The `xdp` backend on real interfaces: veth pairs in a network namespace that each test makes for itself.
//!
//! The other end of each pair is a raw socket by `pnet`, whose author never saw our rings.
#![expect(unsafe_code, reason = "a fork hook, the questions of ethtool and a counting allocator")]

#[path = "../netns/mod.rs"]
#[expect(dead_code, reason = "other test binaries use the rest")]
mod netns;
#[path = "../packet_ring/support.rs"]
#[expect(dead_code, reason = "the tests of the packet backend use the rest")]
mod support;

mod ends;
mod link_state;
mod object;
mod receiving;
mod relay;
mod sending;
mod speed;
