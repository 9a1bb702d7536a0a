//! Network interfaces as the kernel really tells them, in a network namespace that each test makes for itself. The changes
//! are made by the test's own netlink requests, and `pnet` is the second opinion.
#![expect(unsafe_code, reason = "one fork hook in `netns`")]

#[path = "../../dataplane/tests/netns/mod.rs"]
#[expect(dead_code, reason = "other test binaries use the rest")]
mod netns;

use netns::{isolated, link};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_daemon::netlink::{
    BadInterface, Link, LinkEvent, Monitor, SetError, Setter, check_hard_interface, list,
};
use noctule_dataplane::tap::Tap;
use noctule_wire::Mac;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long to wait for what must come, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Collects events until `done` says that all have come.
fn events_until(monitor: &mut Monitor, done: impl Fn(&[LinkEvent]) -> bool) -> Vec<LinkEvent> {
    let mut events = Vec::new();
    let start = Instant::now();
    loop {
        events.extend(monitor.events().unwrap());
        if done(&events) {
            return events;
        }
        assert!(start.elapsed() < PATIENCE, "only {events:#?}");
        let mut fds = [PollFd::new(monitor.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(100_u8)).unwrap();
    }
}

/// The event that shows `name` as `like` wants it.
fn until_changed(
    monitor: &mut Monitor,
    name: &str,
    like: impl Fn(&Link) -> bool,
) -> Vec<LinkEvent> {
    events_until(monitor, |events| {
        events.iter().any(
            |event| matches!(event, LinkEvent::Changed(link) if link.name == name && like(link)),
        )
    })
}

/// Makes a macvlan on `lower`, if this kernel can.
fn has_macvlan(name: &str, lower: &str) -> bool {
    let made = link::add_on(name, "macvlan", lower);
    if let Err(error) = &made {
        println!("SKIPPED in part: this kernel has no macvlan ({error})");
    }
    made.is_ok()
}

#[test]
fn the_list_is_what_pnet_sees_too() {
    isolated("the_list_is_what_pnet_sees_too", || {
        link::veth("va", "vb");
        link::set_mac("va", [2, 0, 0, 0, 0, 0xa]);
        link::set_mtu("va", 9000);
        link::add("br0", "bridge").unwrap();
        link::set_master("vb", Some("br0"));
        let macvlan = has_macvlan("mv0", "va");
        let links = list().unwrap();
        let mut seen: Vec<_> = pnet::datalink::interfaces()
            .into_iter()
            .map(|each| (each.index, each.name, each.mac.map(|mac| Mac(mac.octets()))))
            .collect();
        seen.sort();
        let listed: Vec<_> =
            links.iter().map(|link| (link.index, link.name.clone(), link.mac)).collect();
        assert_eq!(listed, seen);
        assert_eq!(listed.len(), if macvlan { 5 } else { 4 });

        let [va, vb, br0, lo] = ["va", "vb", "br0", "lo"].map(|name| links.named(name).unwrap());
        assert_eq!(va.mac, Some(Mac([2, 0, 0, 0, 0, 0xa])));
        assert_eq!((va.mtu, vb.mtu), (9000, 1500));
        assert_eq!(va.kind.as_deref(), Some("veth"));
        assert_eq!(br0.kind.as_deref(), Some("bridge"));
        assert_eq!(lo.kind, None);
        assert!(va.is_up() && va.is_ethernet() && !va.is_loopback());
        assert!(lo.is_loopback() && !lo.is_ethernet());
        assert!(!br0.is_up() && !br0.is_running());
        assert_eq!((vb.master, va.master), (Some(br0.index), None));
        assert_eq!((va.parent, vb.parent), (None, None));
        if macvlan {
            let mv0 = links.named("mv0").unwrap();
            assert_eq!(mv0.parent, Some(va.index));
            let names: Vec<_> = links.stack(mv0).map(|link| &*link.name).collect();
            assert_eq!(names, ["mv0", "va"]);
        }
        assert!(links.iter().all(|link| !links.is_wireless(link)), "no radio here");
    });
}

#[test]
fn every_change_is_told_once() {
    isolated("every_change_is_told_once", || {
        let mut monitor = Monitor::open().unwrap();
        assert_eq!(monitor.links(), &list().unwrap());
        link::veth("va", "vb");
        until_changed(&mut monitor, "va", |link| link.is_running());
        until_changed_or_known(&mut monitor, "vb");
        let index = link::index("va");

        link::set_mtu("va", 1400);
        until_changed(&mut monitor, "va", |link| link.mtu == 1400);
        link::set_mac("va", [2, 0, 0, 0, 0, 7]);
        until_changed(&mut monitor, "va", |link| link.mac == Some(Mac([2, 0, 0, 0, 0, 7])));
        link::set_up("va", false);
        until_changed(&mut monitor, "va", |link| !link.is_up() && !link.is_running());
        link::set_up("va", true);
        until_changed(&mut monitor, "va", |link| link.is_up() && link.is_running());
        // The other end loses its cable: up, but not running.
        link::set_up("vb", false);
        until_changed(&mut monitor, "va", |link| link.is_up() && !link.is_running());
        link::set_up("vb", true);
        until_changed(&mut monitor, "va", |link| link.is_running());
        link::set_up("va", false);
        link::rename("va", "wlan7");
        let events = until_changed(&mut monitor, "wlan7", |link| link.index == index);
        assert!(!events.iter().any(|event| matches!(event, LinkEvent::Gone { .. })));

        link::delete("wlan7");
        let events = events_until(&mut monitor, |events| {
            events.iter().filter(|event| matches!(event, LinkEvent::Gone { .. })).count() == 2
        });
        let gone = LinkEvent::Gone { index, name: "wlan7".into() };
        assert_eq!(events.iter().filter(|event| **event == gone).count(), 1, "{events:#?}");
        assert_eq!(monitor.links(), &list().unwrap());
        assert_eq!(monitor.events().unwrap(), [], "nothing twice");
    });
}

fn until_changed_or_known(monitor: &mut Monitor, name: &str) {
    if !monitor.links().named(name).is_some_and(Link::is_running) {
        until_changed(monitor, name, Link::is_running);
    }
}

/// The kernel says "deleted" about a bridge's port in the very group in which it speaks of interfaces.
#[test]
fn a_port_that_leaves_its_bridge_is_not_gone() {
    isolated("a_port_that_leaves_its_bridge_is_not_gone", || {
        link::veth("va", "vb");
        link::add("br0", "bridge").unwrap();
        link::set_up("br0", true);
        let mut monitor = Monitor::open().unwrap();
        let bridge = link::index("br0");
        for _ in 0..3 {
            link::set_master("va", Some("br0"));
            until_changed(&mut monitor, "va", |link| link.master == Some(bridge));
            link::set_master("va", None);
            let events = until_changed(&mut monitor, "va", |link| link.master.is_none());
            let more = {
                // A change behind it shows that all of it has been read.
                link::set_mtu(
                    "vb",
                    if monitor.links().named("vb").unwrap().mtu == 1500 { 1400 } else { 1500 },
                );
                let mtu = list().unwrap().named("vb").unwrap().mtu;
                until_changed(&mut monitor, "vb", |link| link.mtu == mtu)
            };
            let gone = |event: &&LinkEvent| matches!(event, LinkEvent::Gone { .. });
            assert_eq!(events.iter().chain(&more).find(gone), None);
        }
        assert_eq!(monitor.links(), &list().unwrap());
    });
}

/// More changes than the socket can hold: the monitor finds out by itself what the kernel could not tell it.
#[test]
fn changes_are_known_after_the_kernel_lost_messages() {
    isolated("changes_are_known_after_the_kernel_lost_messages", || {
        link::veth("va", "vb");
        link::veth("vc", "vd");
        let mut monitor = Monitor::open().unwrap();
        let gone = link::index("vc");
        link::delete("vc");
        for mtu in 0..2000 {
            link::set_mtu("va", 1000 + mtu % 400);
        }
        link::veth("ve", "vf");
        let mut events = Vec::new();
        let start = Instant::now();
        // Carriers come up in their own time.
        while monitor.links() != &list().unwrap() || events.is_empty() {
            events.extend(monitor.events().unwrap());
            assert!(start.elapsed() < PATIENCE);
        }
        let told = |want: &dyn Fn(&LinkEvent) -> bool| events.iter().any(want);
        if events.len() >= 2000 {
            println!("SKIPPED in part: this kernel's buffers are so large that nothing was lost");
        }
        assert!(told(&|event| *event == LinkEvent::Gone { index: gone, name: "vc".into() }));
        assert!(told(&|event| matches!(event, LinkEvent::Changed(link) if link.name == "ve")));
        assert!(told(
            &|event| matches!(event, LinkEvent::Changed(link) if link.name == "va" && link.mtu == 1399)
        ));
        link::set_mtu("va", 1500);
        until_changed(&mut monitor, "va", |link| link.mtu == 1500);
    });
}

#[test]
fn links_can_be_set() {
    isolated("links_can_be_set", || {
        link::veth("va", "vb");
        link::add("br0", "bridge").unwrap();
        let mut setter = Setter::open().unwrap();
        let (va, br0) = (link::index("va"), link::index("br0"));
        let look = || list().unwrap().get(va).cloned().unwrap();
        setter.set_up(va, false).unwrap();
        assert!(!look().is_up());
        setter.set_up(va, true).unwrap();
        assert!(look().is_up());
        setter.set_mtu(va, 1532).unwrap();
        assert_eq!(look().mtu, 1532);
        let mac = Mac([2, 0xba, 0, 0, 1, 1]);
        setter.set_mac(va, mac).unwrap();
        assert_eq!(look().mac, Some(mac));
        setter.set_master(va, Some(br0)).unwrap();
        assert_eq!(look().master, Some(br0));
        setter.set_master(va, None).unwrap();
        assert_eq!(look().master, None);

        let refused = setter.set_mtu(va, 10).unwrap_err();
        assert!(matches!(refused, SetError::Refused { what: "set the MTU", .. }), "{refused:?}");
        let refused = setter.set_mac(va, Mac::BROADCAST).unwrap_err();
        assert!(matches!(refused, SetError::Refused { what: "set the address", .. }));
        let refused = setter.set_master(va, Some(va)).unwrap_err();
        assert!(matches!(refused, SetError::Refused { what: "set the bridge", .. }));
        let gone = setter.set_up(9999, true).unwrap_err();
        assert!(matches!(gone, SetError::Gone("set the interface up")), "{gone:?}");
        assert_eq!((look().mtu, look().mac), (1532, Some(mac)), "nothing changed");
        setter.set_mtu(va, 1500).expect("and it still works");
    });
}

/// FWD-01, MGMT-09 on what the kernel really says.
#[test]
fn fwd_01_mgmt_09_unsuitable_interfaces_are_refused() {
    isolated("fwd_01_mgmt_09_unsuitable_interfaces_are_refused", || {
        link::veth("va", "vb");
        link::veth("vc", "vd");
        link::set_mtu("vc", 99);
        link::add("br0", "bridge").unwrap();
        link::set_master("vd", Some("br0"));
        let mut expected = vec![
            ("va", None),
            ("br0", None),
            ("lo", Some("lo: the loopback interface")),
            ("vc", Some("vc: its MTU of 99 is below 100")),
            ("vd", Some("vd: br0 takes its frames; name br0, or")),
            ("wlan0", Some("wlan0: no such interface (have: ")),
        ];
        // Only where this test may make a mesh interface.
        let taps = (Tap::open("bat0"), Tap::open("bat1"));
        if taps.0.is_ok() && taps.1.is_ok() {
            if has_macvlan("mv0", "bat0") {
                expected.push(("mv0", Some("mv0: it lies on the mesh interface bat0")));
            }
            link::add("br1", "bridge").unwrap();
            link::set_master("bat1", Some("br1"));
            expected.extend([
                ("bat0", Some("bat0: a mesh interface cannot carry a mesh")),
                ("br1", Some("br1: it lies on the mesh interface bat1")),
            ]);
        } else {
            println!("SKIPPED in part: {taps:?}");
        }
        let links = list().unwrap();
        for (name, start) in expected {
            let outcome =
                check_hard_interface(&links, name, &["bat0", "bat1"]).map(|link| &link.name);
            match (outcome, start) {
                (Ok(found), None) => assert_eq!(found, name),
                (Err(bad), Some(start)) => {
                    assert!(bad.to_string().starts_with(start), "{bad}");
                }
                (outcome, start) => panic!("{name}: {outcome:?}, not {start:?}"),
            }
        }
        link::set_mtu("vc", 100);
        assert!(check_hard_interface(&list().unwrap(), "vc", &[]).is_ok());
        let missing = check_hard_interface(&links, "wlan0", &["bat0"]).unwrap_err();
        assert!(matches!(missing, BadInterface::Missing { .. }));
        assert!(!missing.to_string().contains("lo,"), "{missing}");
    });
}
