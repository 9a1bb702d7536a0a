//! What an operator can see of the engine: rows of tables, as of one instant.

use core::time::Duration;
use noctule_fib::Iface;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Client, Instant, Mac, Ttvn};

/// The node as a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Overview {
    /// Originator address.
    pub primary: Option<Mac>,
    /// Which interface has it.
    pub primary_iface: Option<Iface>,
    /// Version of our own client table.
    pub ttvn: Ttvn,
    /// Originators known.
    pub originators: usize,
    /// Clients of ours, the mesh interface's own address included.
    pub local_clients: usize,
    /// Clients of others.
    pub global_clients: usize,
}

/// One hard interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InterfaceRow {
    /// Its number.
    pub iface: Iface,
    /// Its MAC address.
    pub mac: Mac,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// The longest packet that reaches every neighbour, bytes: the MTU, or less if that was found out.
    pub carries: u32,
    /// Whether it is used.
    pub active: bool,
    /// Whether its address is the originator address.
    pub primary: bool,
    /// Whether it is wireless.
    pub wifi: bool,
    /// Its own hop penalty.
    pub hop_penalty: u8,
}

/// One client of ours (MGMT-46 `tl`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LocalRow {
    /// Who.
    pub client: Client,
    /// ROAM, NOPURGE, NEW, PENDING, WIFI, ISOLATED.
    pub flags: ClientFlags,
    /// How long ago it last sent something; `None` for clients that never age.
    pub last_seen: Option<Duration>,
    /// CRC of its VLAN as of the last commit.
    pub crc: u32,
}

/// One client of another node, as one originator announces it (MGMT-46 `tg`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GlobalRow {
    /// Who.
    pub client: Client,
    /// ROAM, WIFI, ISOLATED, TEMP.
    pub flags: ClientFlags,
    /// Version of the originator's table when it announced this.
    pub ttvn: Ttvn,
    /// Last version of its table that we have seen.
    pub last_ttvn: Ttvn,
    /// The originator.
    pub originator: Mac,
    /// CRC that we computed for the originator's VLAN.
    pub crc: u32,
    /// Whether frames to the client go to this originator.
    pub best: bool,
    /// How the originator's word came to us.
    pub how: Learned,
    /// When that was; whole seconds.
    pub since: Instant,
}

/// How it was learned that a client is behind an originator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Learned {
    /// From the changes that an OGM carries, or from a response with changes (TT-77).
    Diff,
    /// From the whole table, which was asked for (TT-96).
    FullTable,
    /// From the advertisement of a client that roamed (TT-108).
    Roamed,
    /// From payload that came from there, before any announcement (TT-101).
    Payload,
}

impl Learned {
    /// The rule of the protocol pages.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Diff => "TT-77",
            Self::FullTable => "TT-96",
            Self::Roamed => "TT-108",
            Self::Payload => "TT-101",
        }
    }
}
