//! Forwarding tables: written by the engine, read without locks by the data plane.
//!
//! One [`Writer`] exists; it changes one entry at a time, and a change costs work for that entry, not for the table.
//! Any number of [`Fib`] handles read. A reader pins once per batch ([`Fib::pin`]) and then sees entries that are whole:
//! it never waits, and never finds an entry half changed. What must change with every OGM (metrics, next hops, table
//! versions) is atomic inside an entry.
//!
//! What the data plane itself writes does not live here, with one exception that both threads need: the sequence
//! counters of fragments and broadcasts, and when a local client was last heard.

mod bridge;
mod changes;
mod clients;
mod counters;
mod dat;
mod gateway;
mod map;
mod multicast;
mod node;
mod originator;
mod tables;
mod vlan;

pub use bridge::{BridgeNews, BridgedLan, ClaimEntry, Rival};
pub use changes::{Changes, Watch};
pub use clients::{Announcers, GlobalClient, LocalClient};
pub use counters::{Counter, Counters};
pub use dat::{DAT_CANDIDATES, DatRing};
pub use gateway::Gateway;
pub use map::{HashKey, MapKey};
pub use multicast::Multicast;
pub use node::{IFACES_MAX, Iface, IfaceEntry, Neighbours, Node};
pub use originator::{NextHop, Originator, View};
pub use tables::{BestAnnouncer, Fib, Guard, Writer};
pub use vlan::{Isolation, VidSet, VlanSet};
