//! Why broadcasts from here do not reach somebody.

use super::words::seconds;
use crate::api::{Finding, Why, WhyAbout};
use crate::node::Node;
use noctule_fib::Neighbours;
use noctule_wire::tvlv::translation_table::ClientFlags;
use noctule_wire::{Mac, Vid};

impl Node {
    /// All that keeps a broadcast of this node, or of a client behind it, from a station; of a group address, what becomes
    /// of frames to it.
    pub(super) fn why_broadcast(&self, mac: Mac) -> Why {
        let mut why = Why::new(mac.into(), WhyAbout::Broadcast);
        let mut found = self.closed_gates();
        found.extend(self.silent_interfaces());
        if mac.is_group() {
            found.extend(self.group(mac));
        } else {
            why.clients = self.word_of(mac);
            let best = why.clients.iter().find(|row| row.best).and_then(|row| row.orig_address);
            let here = self.is_own(mac) || why.clients.iter().any(|row| row.how == "local");
            let originator = best.map_or(mac, |address| address.0);
            found.extend(if here {
                vec![Finding::plain(
                    "it is this node, or behind it: frames reach it by the host and its bridge, not by the mesh",
                )]
            } else {
                self.receiver(mac, originator)
            });
            why.orig_address = (!here && self.knows(originator)).then(|| originator.into());
        }
        if found.is_empty() {
            found.push(Finding::new(
                "FWD-85",
                "nothing that this node knows of: broadcasts leave by every interface; look at the receiver",
            ));
        }
        why.because = found;
        why
    }

    /// VLANs on which loop avoidance holds broadcasts of the LAN back.
    fn closed_gates(&self) -> Vec<Finding> {
        let rows = self.engine.backbone_rows(self.clock.now());
        let waits = rows.iter().filter(|row| row.own).filter_map(|row| Some((row.vid, row.waits?)));
        waits.map(|(vid, wait)| gate(vid, wait)).collect()
    }

    /// Interfaces by which no broadcast leaves.
    fn silent_interfaces(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        for port in self.ports.iter() {
            let name = self.name(port.iface);
            if let Some(because) = self.inactive_because(port) {
                found.push(Finding::new("FWD-04", format!("{name} is not used: {because}")));
            } else {
                found.extend(flooding(&name, self.engine.neighbours_on(port.iface)));
            }
        }
        if self.engine.overview().primary.is_none() {
            found.push(Finding::new(
                "FWD-04",
                "this node has no originator address: no interface was usable yet",
            ));
        }
        found
    }

    fn knows(&self, originator: Mac) -> bool {
        self.engine.route_report(self.clock.now(), originator).is_some()
    }

    /// What concerns the station itself.
    fn receiver(&self, mac: Mac, originator: Mac) -> Vec<Finding> {
        let now = self.clock.now();
        let mut found = Vec::new();
        match self.engine.route_report(now, originator) {
            None => found.push(Finding::plain(
                "nobody announces it as a client, and no OGM of it was heard: it may not be in this mesh",
            )),
            Some(report) if report.chosen().is_none() => found.push(Finding::new(
                "IV-65",
                "no route leads to its node: links there may work one way only",
            )),
            Some(_) => {}
        }
        let backbones = self.engine.backbone_rows(now);
        let shares = |vid| {
            backbones.iter().any(|row| !row.own && row.vid == vid && row.backbone == originator)
        };
        let isolation = &self.engine.settings().ap_isolation;
        for row in self.engine.global_rows().iter().filter(|row| row.client.mac == mac) {
            let vid = row.client.vid;
            if shares(vid) {
                found.push(Finding::new(
                    "FWD-98",
                    "its node is bridged to the same LAN as this one: it gets such frames there, not by the mesh",
                ));
            }
            if isolation.contains(vid) && row.flags.contains(ClientFlags::ISOLATED) {
                found.push(Finding::new(
                    "TT-123",
                    "AP isolation is on and it is isolated: broadcasts reach it, but unicast between isolated clients is dropped",
                ));
            }
        }
        found
    }

    /// What becomes of frames to a group.
    fn group(&self, mac: Mac) -> Vec<Finding> {
        if mac == Mac::BROADCAST {
            return Vec::new();
        }
        let settings = self.engine.settings();
        if settings.multicast_forceflood {
            return vec![Finding::new(
                "MCAST-31",
                "multicast_forceflood is on: frames to it are flooded",
            )];
        }
        let listeners = self.word_of(mac).iter().filter(|row| row.how != "local").count();
        let wants = self.engine.multicast_rows().iter().filter(|row| row.flags.is_none()).count();
        vec![Finding::new(
            "MCAST-36",
            format!(
                "multicast optimisation is on: frames to it reach the {listeners} nodes that announce it, multicast routers, \
                 and nodes that want all ({wants} take no part in it); nobody else, unless there are more than {} receivers",
                settings.multicast_fanout
            ),
        )]
    }
}

fn gate(vid: Vid, wait: std::time::Duration) -> Finding {
    let vlan = match crate::api::rows::vid_number(vid) {
        -1 => "without VLAN".to_owned(),
        vid => format!("on VLAN {vid}"),
    };
    Finding::new(
        "BLA-38",
        format!(
            "loop avoidance holds broadcasts {vlan} back for another {}, until it is sure that there is no loop",
            seconds(wait)
        ),
    )
}

/// What flooding makes of the neighbours of one interface.
fn flooding(name: &str, neighbours: Neighbours) -> Option<Finding> {
    match neighbours {
        Neighbours::None => Some(Finding::new(
            "FWD-86",
            format!("nobody is heard on {name}: no broadcast leaves there"),
        )),
        Neighbours::One { .. } => Some(Finding::new(
            "FWD-86",
            format!(
                "on {name} there is one neighbour: what came from it, or began there, is not sent back to it; our own frames are"
            ),
        )),
        Neighbours::Many => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn fwd_86_an_interface_is_told_of_by_who_is_there() {
        let none = flooding("e1", Neighbours::None).unwrap();
        assert!(none.says.contains("nobody is heard on e1"), "{}", none.says);
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let one = flooding("e1", Neighbours::One { address: mac, originator: mac }).unwrap();
        assert!(one.says.contains("one neighbour"), "{}", one.says);
        assert_eq!(flooding("e1", Neighbours::Many), None);
    }

    #[test]
    fn bla_38_a_closed_gate_tells_the_vlan_and_how_long() {
        let says = gate(Vid::UNTAGGED, Duration::from_millis(12_300)).says;
        assert!(says.contains("without VLAN") && says.contains("12.3 s"), "{says}");
    }
}
