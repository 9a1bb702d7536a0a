//! A host in the LAN means harm: who worked before goes on working, and nothing grows.

use std::net::Ipv4Addr;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::bridge::{Client, bridge};
use super::hostile::{MEMORY_MAX, inject, resident};
use super::lan::{SOON, program};
use super::{LIMIT, chain};
use crate::lab::{FrameSocket, wait_for};
use crate::node::wait_for_ping;

const MALLORY: [u8; 6] = [0x06, 0xc1, 0, 0, 0, 1];
/// More addresses than the distributed ARP table keeps.
const ADDRESSES: u32 = 20_000;
const VLAN_FRAMES: u16 = 500;

/// A broadcast of mallory.
fn to_all(ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut frame = [&[0xff; 6], &MALLORY[..], &ethertype, payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// "Who has `target`? Tell `sender`", who is mallory.
fn arp_request(sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1];
    packet.extend(MALLORY);
    packet.extend(sender.octets());
    packet.extend([0; 6]);
    packet.extend(target.octets());
    to_all([8, 6], &packet)
}

/// An answer of a DHCP server to a broadcast address, with these options.
fn dhcp_answer(options: &[u8]) -> Vec<u8> {
    let mut bootp = vec![0; 240];
    bootp[..3].copy_from_slice(&[2, 1, 6]);
    bootp[16..20].copy_from_slice(&[10, 98, 0, 77]);
    bootp[28..34].copy_from_slice(&MALLORY);
    bootp[236..].copy_from_slice(&[0x63, 0x82, 0x53, 0x63]);
    bootp.extend(options);
    let lengths = |header: usize| ((header + bootp.len()) as u16).to_be_bytes();
    let [i0, i1] = lengths(28);
    let [u0, u1] = lengths(8);
    let mut ip = vec![0x45, 0, i0, i1, 0, 0, 0, 0, 64, 17, 0, 0, 10, 98, 0, 1, 255, 255, 255, 255];
    ip.extend([0, 67, 0, 68, u0, u1, 0, 0]);
    ip.extend(bootp);
    to_all([8, 0], &ip)
}

pub(super) fn odd_and_hostile_frames_of_a_lan_client_stop_nobody() -> Result<()> {
    let (lab, mut nodes) = chain(&["anna", "ben", "cara"])?;
    for node in &nodes {
        bridge(node)?;
    }
    let client = |name, number, at: usize| -> Result<Client> {
        let client = Client::new(&lab, name, number)?;
        client.plug(&lab, &nodes[at])?;
        Ok(client)
    };
    let mallory = client("mallory", 1, 0)?;
    let old = client("old", 2, 0)?;
    let far = client("far", 3, 2)?;
    let works = |what: &str| -> Result<()> {
        wait_for_ping(&old.namespace, far.address(), LIMIT)?;
        wait_for_ping(&far.namespace, old.address(), LIMIT)?;
        println!("        {what}: the others reach each other");
        Ok(())
    };
    works("before")?;
    let socket = FrameSocket::open(&mallory.namespace, "eth0")?;
    let send = |number: u32, frame: &[u8]| -> Result<()> {
        inject(&socket, frame)?;
        if number.is_multiple_of(64) {
            sleep(Duration::from_millis(2));
        }
        Ok(())
    };

    for number in 0..VLAN_FRAMES {
        let id = number.to_be_bytes();
        for tags in [
            &[0x00, 0x00, 0x88, 0xb5][..],
            &[0x0f, 0xff, 0x88, 0xb5],
            &[0x0f, 0xff, 0x81, 0x00, 0x00, 0x07, 0x88, 0xb5],
            &[0x00, 0x00, 0x81, 0x00, 0x0f, 0xff, 0x88, 0xb5],
            &[0x0f & id[0], id[1], 0x88, 0xa8, 0x0f, 0xff, 0x88, 0xb5],
        ] {
            send(number.into(), &to_all([0x81, 0x00], tags))?;
        }
    }
    let unknown = nodes[0].counter("drop_unknown_vlan")?;
    ensure!(unknown > 2 * u64::from(VLAN_FRAMES), "{unknown} frames of unknown VLANs");
    works("VLANs 0 and 4095, stacked tags")?;

    let lengths = [&[53, 255][..], &[12, 200, 53, 1, 5], &[53, 0, 53, 1, 5, 255], &[0; 300]];
    for (number, options) in (0..).zip(lengths.iter().cycle().take(1000)) {
        send(number, &dhcp_answer(options))?;
    }
    works("DHCP with odd options")?;

    for number in 0..ADDRESSES {
        let claimed = Ipv4Addr::from(0x0a62_1000 + number);
        send(number, &arp_request(claimed, mallory.address()))?;
    }
    wait_for(LIMIT, "the table forgets", || {
        let evicted = nodes[0].counter("dat_evicted")?;
        ensure!(evicted > 0, "{evicted} addresses forgotten");
        Ok(())
    })?;
    works("20000 claimed addresses")?;

    // Mallory says that far's address is hers: nodes and hosts believe it, until far announces it.
    let cached = |mac: &str| {
        let rows = nodes[0].table("dat_cache")?;
        let address = far.address().to_string();
        let row = rows.iter().find(|row| row["dat_cache_ip4address"] == *address);
        let known = row.and_then(|row| row["dat_cache_hwaddress"].as_str());
        ensure!(known == Some(mac), "{address} is {known:?}, not {mac}");
        Ok(())
    };
    for number in 0..50 {
        send(number, &arp_request(far.address(), old.address()))?;
    }
    wait_for(LIMIT, "the lie is believed", || cached(&mallory.mac_text()))?;
    let arping = program("arping", "iputils-arping")?;
    let own = far.address().to_string();
    far.namespace.run(&[arping.as_str(), "-U", "-c", "1", "-I", "eth0", &own], SOON)?;
    wait_for(LIMIT, "the owner is believed", || cached(&far.mac_text()))?;
    works("a poisoned address that its owner has announced")?;
    for index in 0..nodes.len() {
        let bytes = resident(&mut nodes, index)?;
        let mib = bytes as f64 / f64::from(1 << 20);
        println!("        {}: {mib:.1} MiB resident", nodes[index].name());
        ensure!(bytes <= MEMORY_MAX, "{bytes} bytes resident");
    }
    Ok(())
}
