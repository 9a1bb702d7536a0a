//! What is on the wire of a B.A.T.M.A.N.-advanced mesh (compat version 15).
//!
//! A packet here is a *value that makes sense*, made by a `parse` from bytes that a stranger sent, and turned into
//! bytes by `emit`. Parsers take any bytes: they never panic, allocate nothing and check every length once; what they
//! return borrows from the input. `emit` may panic when the caller's buffer has the wrong size, which is a bug of the
//! caller. Nothing here does I/O, reads a clock or keeps state.
//!
//! The rules are those of `docs/protocol/01-wire.md` (WIRE-nn).

pub mod broadcast;
pub mod checksum;
pub mod claim;
pub mod coded;
pub mod discard;
pub mod elp;
pub mod ethernet;
pub mod fragment;
pub mod icmp;
pub mod instant;
pub mod mac;
pub mod mesh_frame;
pub mod multicast;
pub mod ogm;
pub mod ogm2;
pub mod packet;
pub mod payload;
pub mod seqno;
pub mod tvlv;
pub mod unicast;
pub mod unicast_tvlv;
pub mod vid;

pub use broadcast::Broadcast;
pub use claim::Claim;
pub use coded::Coded;
pub use discard::Discard;
pub use elp::Elp;
pub use ethernet::{ETHERNET_HEADER_LEN, MESH_ETHERTYPE};
pub use fragment::Fragment;
pub use icmp::Icmp;
pub use instant::Instant;
pub use mac::Mac;
pub use mesh_frame::{MeshFrame, Packet};
pub use multicast::Multicast;
pub use ogm::{Ogm, Ogms};
pub use ogm2::{Ogm2, Ogm2s, Throughput};
pub use packet::{COMPAT_VERSION, PacketType, TTL_FULL};
pub use seqno::{SeqNo, Ttvn};
pub use unicast::{Unicast, Unicast4Addr};
pub use unicast_tvlv::UnicastTvlv;
pub use vid::{Client, Vid};
