//! VLANs of the mesh interface, as neighbours see them (TT-29 to TT-33, TT-45, TT-54).

use super::*;
use noctule_fib::VlanSet;
use noctule_wire::{Client, Vid};

fn set(ids: &[u16]) -> VlanSet {
    ids.iter().copied().collect()
}

/// What node 1 lists of node 0's clients: VLAN id and address.
fn listed(segment: &Segment) -> Vec<(Option<u16>, Mac)> {
    let rows = segment.nodes[1].global_rows();
    let mut listed: Vec<_> = rows
        .iter()
        .filter(|row| row.originator == mac(0))
        .map(|row| (row.client.vid.id(), row.client.mac))
        .collect();
    listed.sort_unstable();
    listed
}

#[test]
fn tt_29_tt_31_vlans_come_and_go_with_the_mesh_interface() {
    let mut segment = Segment::of(2);
    segment.run(Duration::from_secs(5));
    assert_eq!(listed(&segment), [(None, mesh_mac(0))]);
    let at = segment.now;
    segment.nodes[0].handle(at, Input::Vlans(&set(&[10, 4095])));
    let client = Client::new(Mac([2, 0xc1, 0, 0, 0, 1]), Vid::from_tci(10));
    segment.nodes[0].handle(at, Input::LearnLocal { client, wifi: false, isolated: false });
    let stranger = Client::new(client.mac, Vid::from_tci(11));
    segment.nodes[0]
        .handle(at, Input::LearnLocal { client: stranger, wifi: false, isolated: false });
    segment.run(Duration::from_secs(4));
    assert_eq!(
        listed(&segment),
        [
            (None, mesh_mac(0)),
            (Some(10), mesh_mac(0)),
            (Some(10), client.mac),
            (Some(4095), mesh_mac(0))
        ],
        "TT-30: nobody on VLAN 11"
    );
    let reader = segment.nodes[0].fib.reader();
    assert!(reader.pin().node().vlans.contains(Vid::from_tci(10)));
    // TT-54: each VLAN has a CRC of its own, on which both ends agree.
    for (here, there) in [(0, 1), (1, 0)] {
        for row in segment.nodes[there].global_rows() {
            if row.originator == mac(here) {
                let own = segment.nodes[here].local_rows(segment.now);
                let of_vlan = own.iter().find(|own| own.client == row.client).unwrap();
                assert_eq!(of_vlan.crc, row.crc, "{:?}", row.client);
            }
        }
    }
    // TT-31: the VLAN is not wanted any more; the client on it stays until it ages out, the node's own does not.
    segment.nodes[0].handle(segment.now, Input::Vlans(&set(&[4095])));
    segment.run(Duration::from_secs(4));
    assert_eq!(
        listed(&segment),
        [(None, mesh_mac(0)), (Some(10), client.mac), (Some(4095), mesh_mac(0))]
    );
    assert!(!reader.pin().node().vlans.contains(Vid::from_tci(10)));
    // TT-32: another address of the mesh interface is another on every VLAN.
    let other = Mac([2, 0xba, 0, 0, 0, 0xbb]);
    segment.nodes[0].handle(segment.now, Input::MeshInterface { mac: other, mtu: 1500 });
    segment.run(Duration::from_secs(4));
    assert_eq!(listed(&segment), [(None, other), (Some(10), client.mac), (Some(4095), other)]);
}
