//! Frames of hosts in one line: ARP, IP and what is in it.

use crate::Names;
use etherparse::{Icmpv4Type, Icmpv6Type, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};
use noctule_wire::ethernet::Frame;
use noctule_wire::payload::arp::{Arp, Operation};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What a whole frame says.
pub(crate) fn line(frame: &[u8], names: Names<'_>) -> String {
    let mut text = String::new();
    let Ok(outer) = Frame::parse(frame) else {
        return format!("cut Ethernet frame, length {}", frame.len());
    };
    if let Some(id) = outer.vid().id() {
        let _ = write!(text, "vlan {id}, ");
    }
    if let Some(arp) = Arp::find(frame) {
        arp_line(&mut text, &arp, names);
        return text;
    }
    let sliced = LaxSlicedPacket::from_ethernet(frame).ok();
    let known = sliced.as_ref().and_then(|packet| Some((packet, packet.net.as_ref()?)));
    let Some((packet, net)) = known else {
        let ethertype = outer.ethertype;
        let _ = write!(text, "{} > {}", names(outer.source), names(outer.destination));
        let _ = write!(text, ", ethertype {ethertype:#06x}, length {}", frame.len());
        return text;
    };
    network(&mut text, net, packet.transport.as_ref());
    text
}

fn arp_line(text: &mut String, arp: &Arp, names: Names<'_>) {
    let _ = match arp.operation {
        Operation::Request => write!(
            text,
            "ARP, Request who-has {} tell {} ({})",
            arp.target_ip,
            arp.sender_ip,
            names(arp.sender_mac)
        ),
        Operation::Reply => {
            write!(text, "ARP, Reply {} is-at {}", arp.sender_ip, names(arp.sender_mac))
        }
        Operation::Other(number) => write!(text, "ARP, operation {number}"),
    };
    text.push_str(", length 28");
}

fn network(text: &mut String, net: &LaxNetSlice<'_>, transport: Option<&TransportSlice<'_>>) {
    let (source, destination, len) = match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            text.push_str("IP ");
            let addresses = [header.source(), header.destination()].map(Ipv4Addr::from);
            let [source, destination] = addresses.map(|address| address.to_string());
            (source, destination, ip.payload().payload.len())
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            text.push_str("IP6 ");
            let addresses = [header.source(), header.destination()].map(Ipv6Addr::from);
            let [source, destination] = addresses.map(|address| address.to_string());
            (source, destination, ip.payload().payload.len())
        }
        LaxNetSlice::Arp(_) => {
            text.push_str("ARP, not of Ethernet and IPv4");
            return;
        }
    };
    let ports = match transport {
        Some(TransportSlice::Udp(udp)) => Some((udp.source_port(), udp.destination_port())),
        Some(TransportSlice::Tcp(tcp)) => Some((tcp.source_port(), tcp.destination_port())),
        _ => None,
    };
    let _ = match ports {
        Some((from, to)) => write!(text, "{source}.{from} > {destination}.{to}: "),
        None => write!(text, "{source} > {destination}: "),
    };
    match transport {
        Some(TransportSlice::Udp(udp)) => {
            let _ = write!(text, "UDP, length {}", udp.payload().len());
        }
        Some(TransportSlice::Tcp(tcp)) => tcp_line(text, tcp),
        Some(TransportSlice::Icmpv4(icmp)) => {
            let _ = match icmp.icmp_type() {
                Icmpv4Type::EchoRequest(echo) => {
                    write!(
                        text,
                        "ICMP echo request, id {}, seq {}, length {len}",
                        echo.id, echo.seq
                    )
                }
                Icmpv4Type::EchoReply(echo) => {
                    write!(text, "ICMP echo reply, id {}, seq {}, length {len}", echo.id, echo.seq)
                }
                _ => {
                    let (kind, code) = (icmp.type_u8(), icmp.code_u8());
                    write!(text, "ICMP type {kind}, code {code}, length {len}")
                }
            };
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            let _ = match icmp.icmp_type() {
                Icmpv6Type::EchoRequest(echo) => {
                    write!(
                        text,
                        "ICMP6 echo request, id {}, seq {}, length {len}",
                        echo.id, echo.seq
                    )
                }
                Icmpv6Type::EchoReply(echo) => {
                    write!(text, "ICMP6 echo reply, id {}, seq {}, length {len}", echo.id, echo.seq)
                }
                Icmpv6Type::NeighborSolicitation => {
                    write!(text, "ICMP6 neighbor solicitation, length {len}")
                }
                Icmpv6Type::NeighborAdvertisement(_) => {
                    write!(text, "ICMP6 neighbor advertisement, length {len}")
                }
                Icmpv6Type::RouterSolicitation => {
                    write!(text, "ICMP6 router solicitation, length {len}")
                }
                Icmpv6Type::RouterAdvertisement(_) => {
                    write!(text, "ICMP6 router advertisement, length {len}")
                }
                _ => {
                    let (kind, code) = (icmp.type_u8(), icmp.code_u8());
                    write!(text, "ICMP6 type {kind}, code {code}, length {len}")
                }
            };
        }
        Some(_) | None => {
            let _ = match net.ip_payload_ref() {
                Some(payload) => {
                    write!(text, "protocol {}, length {len}", payload.ip_number.0)
                }
                None => write!(text, "length {len}"),
            };
        }
    }
}

fn tcp_line(text: &mut String, tcp: &TcpSlice<'_>) {
    let flags = [
        (tcp.syn(), 'S'),
        (tcp.fin(), 'F'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.urg(), 'U'),
        (tcp.ack(), '.'),
    ];
    let flags: String = flags.into_iter().filter_map(|(on, letter)| on.then_some(letter)).collect();
    let _ = write!(
        text,
        "TCP, flags [{flags}], seq {}, ack {}, win {}, length {}",
        tcp.sequence_number(),
        tcp.acknowledgment_number(),
        tcp.window_size(),
        tcp.payload().len()
    );
}
