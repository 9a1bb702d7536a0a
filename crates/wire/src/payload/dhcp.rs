//! DHCP, as the gateway feature sees it: towards a server or towards a client (FWD-36, GW-45 to GW-51).

use super::{IpVersion, Udp};
use crate::Mac;

const SERVER_PORT: u16 = 67;
const SERVER_PORT_V6: u16 = 547;
const ETHERNET_HARDWARE: u8 = 1;
const MAC_LEN: u8 = 6;
/// Where the client's hardware address lies behind the UDP header.
const CLIENT_ADDRESS: usize = 28;

/// Where a DHCP frame goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dhcp {
    /// From a client or relay to any server.
    ToServer,
    /// From a server to this client.
    ToClient(Mac),
}

impl Dhcp {
    /// What a frame is, if it is DHCP or DHCPv6. A frame for a client must name it; DHCPv6 names none, so that such a
    /// frame is ordinary multicast (GW-50), and so is one that names nobody (GW-51).
    pub fn classify(frame: &[u8]) -> Option<Self> {
        let udp = Udp::find(frame)?;
        match (udp.version, udp.source_port, udp.destination_port) {
            (IpVersion::V4, _, SERVER_PORT) | (IpVersion::V6, _, SERVER_PORT_V6) => {
                Some(Self::ToServer)
            }
            (IpVersion::V4, SERVER_PORT, _) => client(udp.data).map(Self::ToClient),
            _ => None,
        }
    }
}

fn client(bootp: &[u8]) -> Option<Mac> {
    let [_, ETHERNET_HARDWARE, MAC_LEN, ..] = bootp else { return None };
    Mac::from_prefix(bootp.get(CLIENT_ADDRESS..)?).filter(|mac| mac.is_station())
}
