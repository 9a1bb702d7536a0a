//! Access points: as a link of the mesh (stations with four addresses), and as a way in for clients.

use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::PATIENCE;
use super::air::{CHANNELS, Radio};
use super::beside;
use super::cell::{Cell, NETWORK, Network};
use crate::interop::echo::Echo;
use crate::interop::node::{Node, hard_address, text};
use crate::lab::{End, Namespace, Process, Set, wait_until};
use crate::node::wait_for_ping;

/// An access point's interface.
const AP: &str = "ap1";
/// How often a client that must not be answered asks.
const TRIES: usize = 20;

/// Starts an access point on a radio of a node; `more` are further lines for hostapd.
fn access_point(radio: &Radio, node: &Node, ssid: &str, more: &str) -> Result<Process> {
    radio.add_interface(AP, &["__ap"], hard_address(node.number, 2))?;
    let path = format!("/run/{ssid}.conf");
    let text = format!(
        "interface={AP}\ndriver=nl80211\nssid={ssid}\nhw_mode=g\nchannel=1\nieee80211n=1\n{more}"
    );
    fs::write(&path, text)?;
    let mut hostapd = node.space().spawn("hostapd", &["hostapd", &path])?;
    let enabled = || hostapd.log().contains("AP-ENABLED");
    wait_until(PATIENCE, "the access point works", enabled)?;
    ensure!(hostapd.is_running(), "hostapd ended: {}", hostapd.log());
    Ok(hostapd)
}

/// Makes a station of an access point, and waits until it is one.
fn station(radio: &Radio, space: &Namespace, name: &str, ssid: &str) -> Result<()> {
    space.set_link(name, &[Set::Up])?;
    // The carrier says nothing at first: the kernel looks at it a moment later.
    wait_until(PATIENCE, "the station is connected", || {
        let link = radio.iw(&["dev", name, "link"]);
        let is_connected = link.is_ok_and(|text| text.contains("Connected to"));
        if !is_connected {
            // A scan may miss the access point: then it is tried again. Refused while it is tried.
            let _ = radio.iw(&["dev", name, "connect", ssid, CHANNELS[0]]);
        }
        is_connected
    })
    .map(|_| ())
}

/// Node 1 has a cable and an access point; node 2 is its station.
fn four_addresses(kinds: &str) -> Result<()> {
    let mut cell = Cell::unconnected(kinds, Network::Ibss, 0)?;
    let [one, other] = [1, 2].map(|number| cell.node(number));
    let radios = [cell.air.give(0, one.space())?, cell.air.give(1, other.space())?];
    let cable = End { name: &one.interface(1), mac: hard_address(1, 1) };
    let far = End { name: "far", mac: hard_address(1, 9) };
    cell.lab.veth(one.space(), &cable, one.space(), &far, 1500)?;
    let _hostapd = access_point(&radios[0], one, NETWORK, "wds_sta=1\n")?;
    let name = other.interface(1);
    radios[1].add_interface(&name, &["managed", "4addr", "on"], hard_address(2, 1))?;
    station(&radios[1], other.space(), &name, NETWORK)?;
    // Each such station gets an interface of its own at the access point.
    let to_station = format!("{AP}.sta1");
    let space = one.space().clone();
    wait_until(PATIENCE, "the access point has an interface for the station", || {
        space.find_link(&to_station).is_ok_and(|link| link.is_some())
    })?;
    cell.start()?;
    cell.node(1).tool(&["interface", "add", &to_station])?.success()?;
    cell.wait_for_ping(1, 2)?;
    cell.wait_for_ping(2, 1)?;
    beside::show(&[cell.node(1), cell.node(2)])?;
    let route = cell.node(1).route_to(cell.node(2))?.context("no route")?;
    ensure!(route.hard_ifname == to_station, "the route goes by {}", route.hard_ifname);
    cell.stop()
}

pub(super) fn stations_with_four_addresses_carry_the_mesh_to_our_access_point() -> Result<()> {
    four_addresses("N-K")
}

pub(super) fn stations_with_four_addresses_carry_the_mesh_to_the_kernels_access_point() -> Result<()>
{
    four_addresses("K-N")
}

/// The address of client `number`, and of the bridge of the node that it is at.
const fn client_ip(number: u8) -> [Ipv4Addr; 2] {
    [Ipv4Addr::new(10, 99, 1, number), Ipv4Addr::new(10, 99, 1, 100 + number)]
}

/// Each node has an access point in a bridge with its mesh interface, and a phone there.
pub(super) fn fwd_124_clients_of_access_points_are_known_and_kept_apart() -> Result<()> {
    let mut cell = Cell::build_with("N-K", Network::Ibss, 4)?;
    cell.start()?;
    cell.wait_for_ping(1, 2)?;
    let mut phones = Vec::new();
    let mut held = Vec::new();
    for number in 1..=2_u8 {
        let node = cell.node(number.into());
        let space = node.space();
        let ssid = format!("{NETWORK}{number}");
        let radio = cell.air.give(usize::from(number) + 1, space)?;
        held.push(access_point(&radio, node, &ssid, "")?);
        space.add_bridge("br0")?;
        for port in ["bat0", AP] {
            space.set_link(port, &[Set::Master("br0"), Set::Up])?;
        }
        space.set_link("br0", &[Set::Up])?;
        space.add_address("br0", &format!("{}/24", client_ip(number)[1]))?;
        let phone = cell.lab.namespace(&format!("phone{number}"))?;
        let radio = cell.air.give(usize::from(number) + 3, &phone)?;
        radio.add_interface("sta", &["managed"], hard_address(number, 0xc1))?;
        station(&radio, &phone, "sta", &ssid)?;
        phone.add_address("sta", &format!("{}/24", client_ip(number)[0]))?;
        phones.push(phone);
    }
    wait_for_ping(&phones[0], client_ip(2)[0], PATIENCE)?;
    for number in 1..=2_u8 {
        let phone = text(hard_address(number, 0xc1));
        cell.wait("the other node knows the phone, and that it is behind a radio", |cell| {
            let rows = cell.node(3 - usize::from(number)).global_clients()?;
            Ok(rows.iter().any(|row| row.tt_address == phone && row.tt_flags.wifi))
        })?;
    }
    for node in &cell.nodes {
        node.tool(&["ap_isolation", "1"])?.success()?;
    }
    // A node that forwards for a phone does not do so any more once both know; the LAN stays within reach.
    let mut echo = phones[0].with(|| Echo::open(client_ip(2)[0]))?;
    let mut lost_in_turn = 0;
    wait_until(PATIENCE, "the phones do not reach each other", || {
        let answer = echo.ping(56, Duration::from_millis(200));
        lost_in_turn =
            if answer.is_ok_and(|answer| answer.is_none()) { lost_in_turn + 1 } else { 0 };
        lost_in_turn >= TRIES
    })?;
    for (phone, other) in phones.iter().zip([2, 1]) {
        wait_for_ping(phone, client_ip(other)[1], PATIENCE)?;
    }
    drop(held);
    cell.stop()
}
