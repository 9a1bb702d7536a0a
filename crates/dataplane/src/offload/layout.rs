//! What lies in the program's maps, byte for byte: the structures of `bpf/transit.bpf.c`, in the machine's byte order.

use noctule_fib::Iface;
use noctule_wire::{Client, Mac, Ttvn, Vid};

/// Changes when a structure or a map does: maps of another layout are not adopted.
pub const LAYOUT: &str = "1";
/// Routes at once, over all interfaces of arrival; what does not fit is forwarded by the daemon.
pub const ROUTES_MAX: usize = 8192;
/// Clients that have roamed away at once.
pub const DEPARTED_MAX: usize = 4096;

/// Clients elsewhere at once that the kernel sends frames of hosts to.
pub const REMOTES_MAX: usize = 8192;

/// `struct host`: the mesh interface, as far as the kernel handles its frames.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostEntry {
    /// Its index in the kernel; 0: all its frames go by way of the daemon.
    pub ifindex: u32,
    /// Our originator address.
    pub originator: Mac,
    /// The version of our client table.
    pub ttvn: Ttvn,
}

impl HostEntry {
    /// All frames go by way of the daemon.
    pub const NONE: Self = Self { ifindex: 0, originator: Mac::ZERO, ttvn: Ttvn(0) };

    pub(super) fn to_bytes(self, slow_until: [u8; 8]) -> [u8; 24] {
        let mut bytes = [0; 24];
        put(&mut bytes, 0, &slow_until);
        put(&mut bytes, 8, &self.ifindex.to_ne_bytes());
        put(&mut bytes, 12, &self.originator.0);
        put(&mut bytes, 18, &[self.ttvn.0]);
        bytes
    }
}

/// `struct remote`.
pub(super) fn remote_to_bytes(originator: Mac) -> [u8; 24] {
    let mut bytes = [0; 24];
    put(&mut bytes, 16, &originator.0);
    bytes
}

/// `struct originator`.
pub(super) fn originator_to_bytes(mac: Mac) -> [u8; 8] {
    mac_and(mac, 0)
}

/// `struct host_counts`: what the kernel carried between hosts here and the mesh.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct HostCounts {
    /// Frames of hosts here that it sent into the mesh.
    pub sent: u64,
    /// Their bytes, without what was put before them.
    pub sent_bytes: u64,
    /// Frames that it handed to hosts here.
    pub delivered: u64,
    /// Their bytes, without what stood before them.
    pub delivered_bytes: u64,
    /// Frames that were lost for lack of memory.
    pub lost: u64,
}

impl HostCounts {
    /// With the words of one CPU added.
    #[must_use]
    pub(super) fn plus(
        self,
        [sent, sent_bytes, delivered, delivered_bytes, lost]: [u64; 5],
    ) -> Self {
        Self {
            sent: self.sent.wrapping_add(sent),
            sent_bytes: self.sent_bytes.wrapping_add(sent_bytes),
            delivered: self.delivered.wrapping_add(delivered),
            delivered_bytes: self.delivered_bytes.wrapping_add(delivered_bytes),
            lost: self.lost.wrapping_add(lost),
        }
    }
}

/// `struct node`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct NodeEntry {
    /// Until when the maps hold, nanoseconds of `CLOCK_MONOTONIC`: whoever fills them renews it.
    pub lease: u64,
    /// How many clients have roamed away; the program looks for them only if there are any.
    pub departed: u32,
}

impl NodeEntry {
    pub(super) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        put(&mut bytes, 0, &self.lease.to_ne_bytes());
        put(&mut bytes, 8, &self.departed.to_ne_bytes());
        bytes
    }
}

/// `struct arrival`: a hard interface on which frames arrive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Arrival {
    /// Its MAC.
    pub mac: Mac,
    /// Its number in the mesh.
    pub place: Iface,
}

impl Arrival {
    pub(super) fn to_bytes(self) -> [u8; 8] {
        mac_and(self.mac, place_number(self.place))
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let (mac, place) = mac_and_number(bytes);
        Some(Self { mac, place: Iface::new(place.into())? })
    }
}

/// `struct route_key`: an originator, as seen by what arrives on one interface (FWD-110).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RouteKey {
    /// Its address.
    pub originator: Mac,
    /// The interface of arrival.
    pub place: Iface,
}

impl RouteKey {
    pub(super) fn to_bytes(self) -> [u8; 8] {
        mac_and(self.originator, place_number(self.place))
    }

    pub(super) fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        let (originator, place) = mac_and_number(bytes);
        Some(Self { originator, place: Iface::new(place.into())? })
    }
}

/// `struct route`: the way to an originator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Route {
    /// The interface that leads to the next hop, by its index in the kernel.
    pub ifindex: u32,
    /// The longest packet that the next hop gets, bytes, outer header not counted.
    pub carries: u32,
    /// Where its frames are counted.
    pub slot: u32,
    /// MAC of the next hop.
    pub to: Mac,
    /// MAC of the interface that leads there.
    pub from: Mac,
    /// The last table version known of the originator.
    pub ttvn: Ttvn,
}

impl Route {
    /// Bytes of one.
    pub(super) const LEN: usize = 28;

    pub(super) fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        put(&mut bytes, 0, &self.ifindex.to_ne_bytes());
        put(&mut bytes, 4, &self.carries.to_ne_bytes());
        put(&mut bytes, 8, &self.slot.to_ne_bytes());
        put(&mut bytes, 12, &self.to.0);
        put(&mut bytes, 18, &self.from.0);
        put(&mut bytes, 24, &[self.ttvn.0]);
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [i0, i1, i2, i3, c0, c1, c2, c3, s0, s1, s2, s3, rest @ ..] = bytes;
        let [t0, t1, t2, t3, t4, t5, f0, f1, f2, f3, f4, f5, ttvn, ..] = rest;
        Self {
            ifindex: u32::from_ne_bytes([i0, i1, i2, i3]),
            carries: u32::from_ne_bytes([c0, c1, c2, c3]),
            slot: u32::from_ne_bytes([s0, s1, s2, s3]),
            to: Mac([t0, t1, t2, t3, t4, t5]),
            from: Mac([f0, f1, f2, f3, f4, f5]),
            ttvn: Ttvn(ttvn),
        }
    }
}

/// `struct client`.
pub(super) fn client_to_bytes(client: Client) -> [u8; 8] {
    mac_and(client.mac, client.vid.0)
}

pub(super) fn client_from_bytes(bytes: [u8; 8]) -> Client {
    let (mac, vid) = mac_and_number(bytes);
    Client::new(mac, Vid(vid))
}

/// `struct counts`: what was forwarded that arrived on one interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Packets that are no fragments.
    pub packets: u64,
    /// Their bytes, outer Ethernet header included.
    pub bytes: u64,
    /// Fragments.
    pub fragments: u64,
    /// Their bytes, outer Ethernet header included.
    pub fragment_bytes: u64,
}

impl Counts {
    /// With the words of one CPU added.
    #[must_use]
    pub(super) fn plus(self, [packets, bytes, fragments, fragment_bytes]: [u64; 4]) -> Self {
        Self {
            packets: self.packets.wrapping_add(packets),
            bytes: self.bytes.wrapping_add(bytes),
            fragments: self.fragments.wrapping_add(fragments),
            fragment_bytes: self.fragment_bytes.wrapping_add(fragment_bytes),
        }
    }
}

/// `struct route_counts`: what was forwarded to one originator.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RouteCounts {
    /// Frames of any kind.
    pub frames: u64,
    /// Their bytes, outer Ethernet header included.
    pub bytes: u64,
}

impl RouteCounts {
    /// Both together.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            frames: self.frames.wrapping_add(other.frames),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }

    /// What is left without the other. Counters go round: what is added later makes it good again.
    #[must_use]
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            frames: self.frames.wrapping_sub(other.frames),
            bytes: self.bytes.wrapping_sub(other.bytes),
        }
    }
}

fn place_number(place: Iface) -> u16 {
    // Below IFACES_MAX.
    place.index() as u16
}

fn mac_and(mac: Mac, number: u16) -> [u8; 8] {
    let [a, b, c, d, e, f] = mac.0;
    let [v, w] = number.to_ne_bytes();
    [a, b, c, d, e, f, v, w]
}

fn mac_and_number([a, b, c, d, e, f, v, w]: [u8; 8]) -> (Mac, u16) {
    (Mac([a, b, c, d, e, f]), u16::from_ne_bytes([v, w]))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mac = |last| Mac([2, 1, 2, 3, 4, last]);
        let place = Iface::new(15).unwrap();
        let route = Route {
            ifindex: 0x1234_5678,
            carries: 1500,
            slot: 8191,
            to: mac(1),
            from: mac(2),
            ttvn: Ttvn(255),
        };
        assert_eq!(Route::from_bytes(route.to_bytes()), route);
        let arrival = Arrival { mac: mac(3), place };
        assert_eq!(Arrival::from_bytes(arrival.to_bytes()), Some(arrival));
        let key = RouteKey { originator: mac(4), place };
        assert_eq!(RouteKey::from_bytes(key.to_bytes()), Some(key));
        assert_eq!(RouteKey::from_bytes([0xff; 8]), None, "no such interface");
        let client = Client::new(mac(5), Vid(0x8005));
        assert_eq!(client_from_bytes(client_to_bytes(client)), client);
    }
}
