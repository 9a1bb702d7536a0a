//! The `packet` backend on real interfaces: veth pairs in a network namespace that each test makes for itself.
//!
//! The other end of each pair is a raw socket by `pnet`, whose author never saw our rings.
#![expect(unsafe_code, reason = "a fork hook, a socket option and a counting allocator")]

#[path = "../netns/mod.rs"]
#[expect(dead_code, reason = "other test binaries use the rest")]
mod netns;

mod link_state;
mod receiving;
mod relay;
mod sending;
mod sharing;
mod speed;
mod support;
