//! Which originator a destination on the command line means (ICMP-29).

use crate::bat_hosts::BatHosts;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use noctule_daemon::api::{Address, Reply, Request};
use noctule_daemon::netlink;
use noctule_wire::Mac;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

/// How often the neighbour cache is looked into, and how long the host is given to fill it.
const LOOKS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// The port of the discard service: whoever answers ARP need not run it.
const DISCARD_PORT: u16 = 9;

/// The originator that a destination stands for: a name in bat-hosts, the address of an originator, that of a client,
/// which is looked up in the translation table unless `as_is`, or the IP address or host name of a client, whose MAC
/// address the host's neighbour cache has.
///
/// # Errors
/// One sentence.
pub(crate) fn resolve(
    client: &mut Client,
    hosts: &BatHosts,
    destination: &str,
    as_is: bool,
) -> Outcome<Mac> {
    let mac = mac(hosts, destination)?;
    let originator = if as_is { mac } else { translate(client, mac)? };
    if is_here(client, originator)? {
        return Err(Failure::trouble(format!(
            "{destination}: that is this node, or a client behind it: name one elsewhere in the mesh"
        )));
    }
    Ok(originator)
}

/// The MAC address that a destination stands for.
///
/// # Errors
/// One sentence.
pub(crate) fn mac(hosts: &BatHosts, destination: &str) -> Outcome<Mac> {
    let mac = match hosts.mac(destination) {
        Some(mac) => mac,
        None => match destination.parse() {
            Ok(mac) => mac,
            Err(_) => look_up(destination)?,
        },
    };
    if !mac.is_station() {
        return Err(Failure::trouble(format!("{destination}: not the address of one station")));
    }
    Ok(mac)
}

/// Whether an address is one of this node's own, or of a client behind it.
fn is_here(client: &mut Client, mac: Mac) -> Outcome<bool> {
    let Reply::Status(status) = client.ask(Request::Status)?.reply else {
        return Err(client.strange());
    };
    let own =
        status.interfaces.iter().filter_map(|row| row.hard_address).chain(status.orig_address);
    if own.into_iter().any(|address| address.0 == mac) {
        return Ok(true);
    }
    let Reply::Translocal(rows) = client.ask(Request::Translocal)?.reply else {
        return Err(client.strange());
    };
    Ok(rows.iter().any(|row| row.tt_address == Address(mac)))
}

/// The MAC address of an IP address or host name on this network, IPv4 first.
fn look_up(destination: &str) -> Outcome<Mac> {
    let mut addresses: Vec<IpAddr> = match destination.parse() {
        Ok(address) => vec![address],
        Err(_) => (destination, DISCARD_PORT)
            .to_socket_addrs()
            .map_err(|_| {
                Failure::trouble(format!(
                    "{destination}: neither a name in bat-hosts, nor a MAC address like 02:ba:00:00:01:01, nor an IP \
                     address or host name"
                ))
            })?
            .map(|address| address.ip())
            .collect(),
    };
    addresses.sort_by_key(IpAddr::is_ipv6);
    for address in addresses {
        for look in 0..LOOKS {
            let known = netlink::neighbour(address).map_err(|error| {
                Failure::trouble(format!("{destination}: cannot read the neighbour cache: {error}"))
            })?;
            if let Some(mac) = known {
                return Ok(mac);
            }
            if look + 1 < LOOKS {
                provoke(address);
                sleep(PAUSE);
            }
        }
    }
    Err(Failure::trouble(format!(
        "{destination}: no station on a network of this host answers for it: give its MAC address, or ask where the \
         mesh interface has an address of the same network"
    )))
}

/// Makes the host ask for the MAC address behind an IP address, by sending a byte there.
fn provoke(address: IpAddr) {
    let from = match address {
        IpAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        IpAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    // What fails here shows as an address that stays unknown.
    let _ = UdpSocket::bind(from).and_then(|socket| socket.send_to(&[0], (address, DISCARD_PORT)));
}

/// Whether somebody announces this client, or has this address itself.
pub(crate) fn is_known(client: &mut Client, mac: Mac) -> Outcome<bool> {
    let address = Address(mac);
    let (mesh, Reply::Translocal(local)) = client.table(Request::Translocal)? else {
        return Err(client.strange());
    };
    let Reply::Transglobal(global) = client.ask(Request::Transglobal)?.reply else {
        return Err(client.strange());
    };
    let Reply::Originators(nodes) = client.ask(Request::Originators { interface: None })?.reply
    else {
        return Err(client.strange());
    };
    Ok(mesh.hard_address == Some(address)
        || local.iter().any(|row| row.tt_address == address)
        || global.iter().any(|row| row.tt_address == address)
        || nodes.iter().any(|row| row.orig_address == address))
}

/// The originator that a client is best reached by; an unknown address stays what it is.
pub(crate) fn translate(client: &mut Client, mac: Mac) -> Outcome<Mac> {
    let Reply::Transglobal(rows) = client.ask(Request::Transglobal)?.reply else {
        return Err(client.strange());
    };
    let best = rows.iter().find(|row| row.best && row.tt_address == Address(mac));
    Ok(best.map_or(mac, |row| row.orig_address.0))
}
