//! DHCP of the host on its way to one node instead of all (08-gateway.md section 9).

use super::{Session, Verdict};
use crate::Outlet;
use noctule_fib::Gateway;
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::dhcp::Dhcp;
use noctule_wire::unicast::Subtype;
use noctule_wire::{Client, Discard, Mac, TTL_FULL, Ttvn, Unicast4Addr};

impl Session<'_> {
    /// What becomes of a host frame to a group, if it is DHCP and gateways matter here (GW-61 to GW-65).
    pub(super) fn steer(&self, frame: &Frame<'_>, bytes: &[u8]) -> Option<Verdict> {
        let gateway = self.guard.gateway();
        if gateway == Gateway::Off {
            return None;
        }
        Some(match (Dhcp::classify(bytes)?, gateway) {
            (Dhcp::ToServer, Gateway::Client(Some(chosen))) => {
                match self.guard.originator(chosen) {
                    Some(known) => Verdict::ToGateway { originator: chosen, ttvn: known.ttvn() },
                    None => Verdict::Drop(Discard::UnknownOriginator),
                }
            }
            (Dhcp::ToServer, Gateway::Client(None)) => Verdict::Drop(Discard::NoGateway),
            (Dhcp::ToServer, _) => Verdict::Drop(Discard::ServerHere),
            // A client that is not in the mesh has seen the answer on the LAN (GW-67).
            (Dhcp::ToClient(mac), _) => self.toward(Client { mac, ..frame.source_client() }),
        })
    }

    /// Sends a request to the gateway. With our address in it the gateway learns at once where the client is (GW-63,
    /// GW-71).
    pub(super) fn enter_gateway(
        &mut self,
        gateway: Mac,
        ttvn: Ttvn,
        frame: &[u8],
        out: &mut impl Outlet,
    ) -> Result<(), Discard> {
        let packet = Unicast4Addr {
            ttl: TTL_FULL,
            ttvn,
            destination: gateway,
            source: self.guard.node().primary.ok_or(Discard::NoPrimary)?,
            subtype: Subtype::Data,
            reserved: 0,
            inner: frame,
        };
        self.send_behind(&packet.header(), gateway, frame, out)
    }
}
