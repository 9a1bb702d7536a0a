//! The verdict over a frame from a hard interface. Nothing is changed here (FWD-60 to FWD-82, FWD-93 to FWD-96,
//! FWD-115, FWD-116).

use super::egress::Route;
use super::ttvn::Target;
use super::{Carrier, Delivery, Forward, Session, Transit, Verdict};
use noctule_fib::{Iface, View};
use noctule_wire::ethernet::{Frame, VLAN_ETHERTYPE};
use noctule_wire::packet::{check_addresses, packet_type, unicast_style};
use noctule_wire::payload::arp::{Arp, Operation};
use noctule_wire::unicast::Subtype;
use noctule_wire::{
    Broadcast, Discard, Fragment, Icmp, MESH_ETHERTYPE, Mac, PacketType, Ttvn, Unicast,
    Unicast4Addr, UnicastTvlv,
};

impl Session<'_> {
    /// What becomes of a frame that arrived on `iface`, outer Ethernet header first.
    pub fn judge(&self, iface: Iface, frame: &[u8]) -> Verdict {
        self.try_judge(iface, frame).unwrap_or_else(Verdict::Drop)
    }

    fn try_judge(&self, iface: Iface, frame: &[u8]) -> Result<Verdict, Discard> {
        let node = self.guard.node();
        node.active(iface).ok_or(Discard::Inactive)?;
        let outer = Frame::parse(frame)?;
        match outer.ethertype {
            MESH_ETHERTYPE => {}
            VLAN_ETHERTYPE => return Err(Discard::Tagged),
            _ => return Err(Discard::Type),
        }
        let packet = outer.payload;
        let packet_type = packet_type(packet)?;
        check_addresses(packet_type, outer.destination, outer.source, |mac| node.is_mine(mac))?;
        match packet_type {
            PacketType::Ogm | PacketType::Elp | PacketType::Ogm2 => {
                Ok(Verdict::Punt { record_route: false })
            }
            PacketType::Broadcast => self.judge_broadcast(outer.source, packet),
            PacketType::Unicast => {
                let Unicast { ttl, ttvn, destination, inner } = Unicast::parse(packet)?;
                let target = Target { originator: destination, ttvn };
                let delivery = Delivery {
                    offset: Unicast::HEADER_LEN,
                    teacher: None,
                    carrier: Carrier::Unicast,
                };
                self.judge_unicast(ttl, target, inner, delivery)
            }
            PacketType::Unicast4Addr => {
                let packet = Unicast4Addr::parse(packet)?;
                let target = Target { originator: packet.destination, ttvn: packet.ttvn };
                let teaches = match packet.subtype {
                    Subtype::Data => true,
                    // DAT-76: who asks is a client of the node that asks for it, and gets the answer.
                    Subtype::DatGet => is_question_of_its_source(packet.inner),
                    _ => false,
                };
                let teacher = teaches.then_some(packet.source);
                let delivery = Delivery {
                    offset: Unicast4Addr::HEADER_LEN,
                    teacher,
                    carrier: Carrier::Unicast4Addr(packet.subtype),
                };
                self.judge_unicast(packet.ttl, target, packet.inner, delivery)
            }
            PacketType::UnknownUnicast(_) => {
                let (ttl, destination) = unicast_style(packet)?;
                if node.is_mine(destination) {
                    return Err(Discard::Type);
                }
                self.judge_transit(ttl, destination, None, Transit::Unknown)
            }
            PacketType::UnicastTvlv => {
                UnicastTvlv::parse(packet)?;
                Ok(Verdict::Punt { record_route: false })
            }
            PacketType::Icmp => {
                let Icmp { ttl, destination, .. } = Icmp::parse(packet)?;
                if node.is_mine(destination) || ttl < 2 {
                    return Ok(Verdict::Punt { record_route: true });
                }
                self.judge_transit(ttl, destination, None, Transit::Icmp)
            }
            PacketType::Multicast => Self::judge_multicast(packet),
            PacketType::Fragment => self.judge_fragment(iface, packet),
            PacketType::Coded | PacketType::Unassigned(_) => Err(Discard::Type),
        }
    }

    fn judge_unicast(
        &self,
        ttl: u8,
        target: Target,
        inner: &[u8],
        delivery: Delivery,
    ) -> Result<Verdict, Discard> {
        let redirected = self.check_ttvn(target, &Frame::parse(inner)?)?;
        let destination = redirected.unwrap_or(target).originator;
        if self.guard.node().is_mine(destination) {
            return Ok(Verdict::Deliver(delivery));
        }
        let redirect = redirected.map(|target| target.ttvn);
        self.judge_transit(ttl, destination, redirect, Transit::Payload)
    }

    /// For another originator: it must be known, and the packet must have a hop left (FWD-72).
    fn judge_transit(
        &self,
        ttl: u8,
        destination: Mac,
        redirect: Option<Ttvn>,
        kind: Transit,
    ) -> Result<Verdict, Discard> {
        if ttl < 2 {
            return Err(Discard::TtlSpent);
        }
        self.guard.originator(destination).ok_or(Discard::UnknownOriginator)?;
        Ok(Verdict::Forward(Forward { destination, redirect, kind }))
    }

    fn judge_broadcast(&self, from: Mac, packet: &[u8]) -> Result<Verdict, Discard> {
        let Broadcast { ttl, originator, seqno, .. } = Broadcast::parse(packet)?;
        let node = self.guard.node();
        if node.is_mine(from) || node.is_mine(originator) {
            return Err(Discard::Own);
        }
        // Before the window: a packet without a hop left must not take its number (FWD-94).
        if ttl < 2 {
            return Err(Discard::TtlSpent);
        }
        let known = self.guard.originator(originator).ok_or(Discard::UnknownOriginator)?;
        self.state.windows.check(self.now, known, seqno)?;
        Ok(Verdict::Rebroadcast { originator, seqno })
    }

    /// A fragment goes on as it is if the whole packet would not fit the next link either (FWD-116). If a part does not
    /// fit, the packet is merged here and cut anew: passing the part on would lose it all.
    fn judge_fragment(&self, iface: Iface, packet: &[u8]) -> Result<Verdict, Discard> {
        let fragment = Fragment::parse(packet)?;
        let Fragment { ttl, originator, destination, total_size, .. } = fragment;
        self.guard.originator(originator).ok_or(Discard::UnknownOriginator)?;
        let node = self.guard.node();
        if !node.is_mine(destination)
            && let Ok(Route { carries, .. }) =
                Route::find(&self.guard, destination, View::Arrival(iface))
            && u32::from(total_size) > carries
            && (!node.fragmentation || fragment.longest_len() <= carries as usize)
        {
            return self.judge_transit(ttl, destination, None, Transit::Fragment);
        }
        Ok(Verdict::Buffer)
    }
}

/// Whether this is an ARP request of the station that the frame comes from.
fn is_question_of_its_source(inner: &[u8]) -> bool {
    let asked = Arp::find(inner).filter(|arp| arp.operation == Operation::Request);
    let source = Frame::parse(inner).ok().map(|frame| frame.source);
    asked.is_some_and(|arp| arp.is_usable() && source == Some(arp.sender_mac))
}
