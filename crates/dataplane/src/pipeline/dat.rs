//! The distributed ARP table (07-distributed-arp-table.md): requests of hosts are answered from a cache, or asked of the
//! three nodes that keep the address, and flooded only if no answer came in 250 ms.

use super::cache;
use super::egress::Route;
use super::{Carrier, Session};
use crate::Outlet;
use core::net::Ipv4Addr;
use noctule_fib::{Counter, Guard, View};
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::payload::dhcp::Acknowledgement;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Mac, TTL_FULL, Unicast4Addr, Vid};

/// An address in its VLAN.
pub(crate) type Key = (Ipv4Addr, Vid);
/// Who has which address.
pub(crate) type Cache = cache::Cache<Key, Mac>;

/// What becomes of a host's ARP frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HostArp {
    /// What becomes of any other frame.
    Ordinary,
    /// An answer is there, or may come: flooded later, if this address is still unknown then (DAT-36).
    Later(Key),
}

impl Session<'_> {
    /// Looks into a frame of the host that is about to be flooded or sent to the node of its receiver: learns from ARP,
    /// answers and asks (DAT-30 to DAT-39).
    ///
    /// # Errors
    /// [`Discard::ArpAnswered`]: a request to one station, which needs not go anywhere.
    pub(super) fn host_arp(
        &mut self,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<HostArp, Discard> {
        if self.guard.node().dat.is_none() {
            return Ok(HostArp::Ordinary);
        }
        let Some(arp) = Arp::find(frame).filter(Arp::is_usable) else {
            return Ok(HostArp::Ordinary);
        };
        let ethernet = Frame::parse(frame)?;
        let (vid, to_all) = (ethernet.vid(), ethernet.destination.is_group());
        let target = (arp.target_ip, vid);
        match arp.operation {
            Operation::Request => {
                self.learn_address((arp.sender_ip, vid), arp.sender_mac);
                // Everybody is to hear it, not only the tables (DAT-30 `[DEV]`).
                if arp.is_announcement() {
                    return Ok(HostArp::Ordinary);
                }
                let handled = match answerable(&self.guard, &self.state.dat, target) {
                    Some(mac) => {
                        // A client behind this node answers for itself (DAT-32).
                        // One that another gateway of the LAN serves, that one answers for (DAT-34).
                        let client = Client::new(mac, vid);
                        if !self.is_local(client) && self.may_answer_for(client) {
                            self.answer_host(&arp, mac, vid, out);
                        }
                        true
                    }
                    None => {
                        // The answer may be what is known already, of a station that is about to be announced again.
                        self.state.dat.doubt(target);
                        self.ask(frame, target, Subtype::DatGet, out)
                    }
                };
                match (handled, to_all) {
                    (false, _) => Ok(HostArp::Ordinary),
                    (true, true) => Ok(HostArp::Later(target)),
                    (true, false) => Err(Discard::ArpAnswered),
                }
            }
            Operation::Reply if !to_all => {
                let sender = (arp.sender_ip, vid);
                self.learn_address(sender, arp.sender_mac);
                self.learn_address(target, arp.target_mac);
                for key in [sender, target] {
                    self.ask(frame, key, Subtype::DatPut, out);
                }
                Ok(HostArp::Ordinary)
            }
            _ => Ok(HostArp::Ordinary),
        }
    }

    /// Looks for a DHCPACK in a frame of the host: who got which address is known before anybody asks (DAT-60 to DAT-64).
    pub(super) fn host_dhcp(&mut self, frame: &[u8], out: &mut impl Outlet) {
        if self.guard.node().dat.is_none() {
            return;
        }
        let (Some(ack), Ok(ethernet)) = (Acknowledgement::find(frame), Frame::parse(frame)) else {
            return;
        };
        let vid = ethernet.vid();
        self.learn_lease(&ack, vid);
        let reply = reply(ack.server, ack.client);
        let (bytes, len) = reply.reply_frame(vid);
        for ip in [ack.client.0, ack.server.0] {
            self.ask(&bytes[..len], (ip, vid), Subtype::DatPut, out);
        }
    }

    /// Looks into a frame from the mesh that is for the host, too. `false`: it ends here (DAT-40 to DAT-46).
    pub(super) fn mesh_arp(
        &mut self,
        carrier: Carrier,
        inner: &Frame<'_>,
        bytes: &[u8],
        out: &mut impl Outlet,
    ) -> bool {
        match carrier {
            Carrier::Unicast4Addr(Subtype::DatGet) => self.counters.add(Counter::DatGetRx, 1),
            Carrier::Unicast4Addr(Subtype::DatPut) => self.counters.add(Counter::DatPutRx, 1),
            Carrier::Multicast => return true,
            _ => {}
        }
        if self.guard.node().dat.is_none() {
            return true;
        }
        let vid = inner.vid();
        let Some(arp) = Arp::find(bytes).filter(Arp::is_usable) else {
            // Tagged ones are not looked into here (DAT-63).
            if inner.tag().is_none()
                && let Some(ack) = Acknowledgement::find(bytes)
            {
                self.learn_lease(&ack, vid);
            }
            return true;
        };
        let (sender, target) = ((arp.sender_ip, vid), (arp.target_ip, vid));
        if arp.operation == Operation::Request {
            self.learn_address(sender, arp.sender_mac);
            if arp.is_announcement() {
                return true;
            }
            let Some(mac) = answerable(&self.guard, &self.state.dat, target) else { return true };
            return self.answer_mesh(&arp, mac, vid, out).is_err();
        }
        // Before it is learned, or every answer would look like a second one.
        let again = self.state.dat.get_undoubted(sender) == Some(arp.sender_mac);
        self.learn_address(sender, arp.sender_mac);
        self.learn_address(target, arp.target_mac);
        // DAT-45: the gateway that serves the sender brings it into the LAN.
        !again
            && self.may_answer_for(Client::new(arp.sender_mac, vid))
            && self.is_local(Client::new(arp.target_mac, vid))
            && !self.is_local(Client::new(arp.sender_mac, vid))
    }

    fn learn_address(&mut self, key: Key, mac: Mac) {
        let evicted = self.state.dat.learn(self.now, key, mac);
        if evicted > 0 {
            self.counters.add(Counter::DatEvicted, evicted);
        }
    }

    fn learn_lease(&mut self, ack: &Acknowledgement, vid: Vid) {
        self.learn_address((ack.client.0, vid), ack.client.1);
        self.learn_address((ack.server.0, vid), ack.server.1);
    }

    /// Whether this is a client behind this node.
    pub(super) fn is_local(&self, client: Client) -> bool {
        self.guard.local(client).is_some_and(|local| local.is_mine())
    }

    /// Answers a host's request in the place of the station that it looks for (DAT-33).
    fn answer_host(&self, request: &Arp, mac: Mac, vid: Vid, out: &mut impl Outlet) {
        let answer = reply((request.sender_ip, request.sender_mac), (request.target_ip, mac));
        let (bytes, len) = answer.reply_frame(vid);
        self.counters.add_packet(Counter::Rx, Counter::RxBytes, len);
        if let Err(reason) = out.deliver(&[&bytes[..len]]) {
            self.counters.discard(reason);
        }
    }

    /// Answers a request from the mesh, to the node behind which the asking client is (DAT-41, DAT-42).
    fn answer_mesh(
        &self,
        request: &Arp,
        mac: Mac,
        vid: Vid,
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let asker = self
            .guard
            .best_announcer(Client::new(request.sender_mac, vid))
            .ok_or(Discard::UnknownClient)?;
        let answer = reply((request.sender_ip, request.sender_mac), (request.target_ip, mac));
        let (bytes, len) = answer.reply_frame(vid);
        // DAT-77: with isolation only for clients behind this node, whose flags are known.
        if self.guard.node().isolation.contains(vid)
            && (!self.is_local(Client::new(mac, vid))
                || self.are_kept_apart_here(&Frame::parse(&bytes[..len])?))
        {
            return Err(Discard::Isolated);
        }
        let to = asker.originator.mac();
        self.send_4addr(to, Subtype::DatCachedReply, &bytes[..len], out)?;
        self.counters.add(Counter::DatCachedReplyTx, 1);
        Ok(())
    }

    /// Sends a frame to the nodes that keep an address (DAT-16). Says whether one of them gets it.
    fn ask(&self, frame: &[u8], key: Key, subtype: Subtype, out: &mut impl Outlet) -> bool {
        let counter = match subtype {
            Subtype::DatGet => Counter::DatGetTx,
            _ => Counter::DatPutTx,
        };
        let Some(ring) = &self.guard.node().dat else { return false };
        let mut sent = false;
        for candidate in ring.candidates(key.0.octets(), key.1) {
            // One that cannot be reached is not replaced: others would look in other places (DAT-15).
            if self.send_4addr(candidate, subtype, frame, out).is_ok() {
                self.counters.add(counter, 1);
                sent = true;
            }
        }
        sent
    }

    fn send_4addr(
        &self,
        destination: Mac,
        subtype: Subtype,
        inner: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let source = self.guard.node().primary.ok_or(Discard::NoPrimary)?;
        let route = Route::find(&self.guard, destination, View::Default)?;
        let packet = Unicast4Addr {
            ttl: TTL_FULL,
            ttvn: route.originator.ttvn(),
            destination,
            source,
            subtype,
            reserved: 0,
            inner,
        };
        // Never cut (DAT-16).
        if packet.wire_len() > route.carries as usize {
            return Err(Discard::TooLong);
        }
        let pieces: [&[u8]; 3] = [&route.header(), &packet.header(), inner];
        out.transmit(route.hop.iface, super::carry_out::priority_of(inner), &pieces)
    }
}

/// Who has an address, as long as somebody in the mesh, or this node, has that client (DAT-33 `[DEV]`). The module answers
/// also for a station that is gone, or that has another MAC address now: for five minutes nobody finds it.
pub(super) fn answerable(guard: &Guard<'_>, cache: &Cache, key: Key) -> Option<Mac> {
    let mac = cache.get(key)?;
    let client = Client::new(mac, key.1);
    is_announced(guard, client).then_some(mac)
}

/// Whether somebody in the mesh, or this node, has that client.
pub(super) fn is_announced(guard: &Guard<'_>, client: Client) -> bool {
    guard.local(client).is_some_and(|local| local.is_mine())
        || guard.best_announcer(client).is_some()
}

/// "`from` has it", said to `to`.
fn reply(to: (Ipv4Addr, Mac), from: (Ipv4Addr, Mac)) -> Arp {
    Arp {
        operation: Operation::Reply,
        sender_mac: from.1,
        sender_ip: from.0,
        target_mac: to.1,
        target_ip: to.0,
    }
}
