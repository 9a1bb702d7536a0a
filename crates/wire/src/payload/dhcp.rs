//! DHCP, as the gateway feature sees it: towards a server or towards a client (FWD-36, GW-45 to GW-51).

use super::arp::is_host;
use super::{IPV4_ETHERTYPE, IpVersion, Udp, layer_3};
use crate::Mac;
use crate::ethernet::Frame;
use core::net::Ipv4Addr;
use etherparse::Ipv4HeaderSlice;

const SERVER_PORT: u16 = 67;
const UDP: u8 = 17;
const SERVER_PORT_V6: u16 = 547;
const ETHERNET_HARDWARE: u8 = 1;
const MAC_LEN: u8 = 6;
/// Where the client's hardware address lies behind the UDP header.
const CLIENT_ADDRESS: usize = 28;
/// Where the address that it gets lies.
const YOUR_ADDRESS: usize = 16;
/// Where the mark of DHCP lies, and the options behind it.
const MAGIC_AT: usize = 236;
const OPTIONS_AT: usize = 240;
const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

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

/// What a DHCPACK tells: who has which address (DAT-50 to DAT-53).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acknowledgement {
    /// The client's new address, and its MAC.
    pub client: (Ipv4Addr, Mac),
    /// The server's, or that of the relay which was the last to send it.
    pub server: (Ipv4Addr, Mac),
}

impl Acknowledgement {
    /// The DHCPACK in a frame, behind at most one 802.1Q tag. `None` also for one that names nobody.
    pub fn find(frame: &[u8]) -> Option<Self> {
        const REPLY: u8 = 2;
        const ACK: u8 = 5;
        let server = Frame::parse(frame).ok()?.source;
        let (ethertype, ip) = layer_3(frame).ok()?;
        if ethertype != IPV4_ETHERTYPE {
            return None;
        }
        // Most frames are something else, which two looks tell.
        let ports = usize::from(ip.first()? & 0x0f) * 4;
        if ip.get(9) != Some(&UDP) || ip.get(ports..ports + 2)? != SERVER_PORT.to_be_bytes() {
            return None;
        }
        let udp = Udp::find(frame)?;
        let server_ip = Ipv4HeaderSlice::from_slice(ip).ok()?.source_addr();
        let bootp = udp.data;
        let [REPLY, ETHERNET_HARDWARE, MAC_LEN, ..] = bootp else { return None };
        if udp.source_port != SERVER_PORT || bootp.get(MAGIC_AT..OPTIONS_AT)? != MAGIC {
            return None;
        }
        let [ACK] = option_53(bootp.get(OPTIONS_AT..)?)? else { return None };
        let client_ip = Ipv4Addr::from(*bootp.get(YOUR_ADDRESS..)?.first_chunk::<4>()?);
        let client = Mac::from_prefix(bootp.get(CLIENT_ADDRESS..)?)?;
        let all_hosts = is_host(client_ip) && is_host(server_ip);
        (all_hosts && client.is_station() && server.is_station())
            .then_some(Self { client: (client_ip, client), server: (server_ip, server) })
    }
}

/// The value of the first option 53 (DAT-51).
fn option_53(mut options: &[u8]) -> Option<&[u8]> {
    const PAD: u8 = 0;
    const MESSAGE_TYPE: u8 = 53;
    const END: u8 = 255;
    loop {
        match options {
            [PAD, rest @ ..] => options = rest,
            [MESSAGE_TYPE, len, rest @ ..] => return rest.get(..usize::from(*len)),
            [END, ..] | [] => return None,
            [_, len, rest @ ..] => options = rest.get(usize::from(*len)..)?,
            [_] => return None,
        }
    }
}

fn client(bootp: &[u8]) -> Option<Mac> {
    let [_, ETHERNET_HARDWARE, MAC_LEN, ..] = bootp else { return None };
    Mac::from_prefix(bootp.get(CLIENT_ADDRESS..)?).filter(|mac| mac.is_station())
}
