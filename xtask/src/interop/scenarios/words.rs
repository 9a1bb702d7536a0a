//! The same words, typed for `batctl` and for `noctule`, do the same and print the same (MGMT section 4).
//!
//! ```text
//! n1 -- n2        both with bat0.10
//! ```

use anyhow::Result;

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "settings, VLANs and interfaces in batctl's words";

const VLAN: u16 = 10;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    scene.wait_for_ping(1, 2, secs(30))?;
    for number in [1, 2] {
        scene.node(number).space().add_vlan("bat0", "bat0.10", VLAN)?;
    }
    for number in [1, 2] {
        vlan_known(&mut scene, number)?;
        changes(&mut scene, number)?;
        refusals(&mut scene, number)?;
        interfaces(&mut scene, number)?;
    }
    translated(&mut scene)?;
    scene.close()
}

/// Netlink tells a node of a new VLAN device a moment after it was made.
fn vlan_known(scene: &mut Scene<'_>, number: u8) -> Result<()> {
    scene.wait("the VLAN is not known", secs(10), |scene| {
        let asked = scene.node(number).bare_tool(&["meshif", "bat0", "vid", "10", "ap"])?;
        Ok(asked.success().is_ok())
    })?;
    Ok(())
}

/// A change, how it is read again, and what is printed then.
fn changes(scene: &mut Scene<'_>, number: u8) -> Result<()> {
    let hard = scene.node(number).interface(1);
    let mesh = scene.node(number).space().link("bat0")?.index;
    let vlan = format!(
        "{{\"mesh_ifindex\":{mesh},\"mesh_ifname\":\"bat0\",\"vlanid\":{VLAN},\"ap_isolation_enabled\":true}}"
    );
    let [set_penalty, penalty] =
        ["hop_penalty 9", "hp"].map(|words| format!("hardif {hard} {words}"));
    let active = format!("{hard}: active");
    let rows = [
        ("MGMT-22", "aggregation 0", "ag", "disabled"),
        ("MGMT-22", "meshif bat0 ag Enabled", "aggregation", "enabled"),
        ("MGMT-22", "ap_isolation enable", "ap", "enabled"),
        ("MGMT-22", "ap DISABLED", "ap_isolation", "disabled"),
        ("MGMT-22", "fragmentation 1", "f", "enabled"),
        ("MGMT-22", "distributed_arp_table 1", "dat", "enabled"),
        ("MGMT-22", "multicast_forceflood 1", "mff", "enabled"),
        ("MGMT-22", "multicast_mode 1", "multicast_forceflood", "disabled"),
        ("MGMT section 4.1", "multicast_fanout 5", "mo", "5"),
        ("MGMT section 4.1", "mo 16", "multicast_fanout", "16"),
        ("MGMT section 4.1", "hop_penalty 17", "hp", "17"),
        ("MGMT section 4.1", "hp 30", "bat0 hop_penalty", "30"),
        ("MGMT section 4.1", "orig_interval 300", "it", "300"),
        ("MGMT section 4.1", "it 200", "orig_interval", "200"),
        ("MGMT section 4.1", "gw_mode client 30", "gw", "client (selection class: 30)"),
        ("MGMT-23", "gw server 20mbit/5000kbit", "gw_mode", "server (announced bw: 20.0/5.0 MBit)"),
        ("MGMT-13", "gw server 12345", "gw_mode", "server (announced bw: 12.3/5.0 MBit)"),
        ("MGMT section 4.1", "gw off", "gw_mode", "off"),
        ("MGMT-14", set_penalty.as_str(), penalty.as_str(), "9"),
        ("MGMT-14", "vlan bat0.10 ap 1", "meshif bat0 vid 10 ap", "enabled"),
        ("MGMT-14", "bat0.10 ap_isolation 0", "vid 10 ap", "disabled"),
        ("MGMT-31", "vid 10 ap_isolation 1", "meshif bat0 vid 10 vlan_json", vlan.as_str()),
        ("MGMT-31", "vid 10 ap_isolation 1", "vlan bat0.10 vj", vlan.as_str()),
        ("MGMT-28", "ag 1", "meshif bat0 interface", active.as_str()),
        ("MGMT-28", "ag 1", "if", active.as_str()),
    ];
    for (rule, change, read, expected) in rows {
        let words = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            scene.node(number).bare_tool(&words)
        };
        let changed = words(change)?.success();
        let printed = words(read)?.success();
        let tool = scene.node(number).tool_name();
        let what = format!("{rule} {tool} {change}; {tool} {read}: {expected}");
        let silent = changed.as_ref().is_ok_and(|text| text.trim().is_empty());
        let right = printed.as_ref().is_ok_and(|text| text.trim_end() == expected);
        scene.record.check(what, silent && right, format!("{changed:?}, {printed:?}"));
    }
    let printed = scene.node(number).bare_tool(&["routing_algo"])?.success()?;
    let what = format!(
        "MGMT section 4.4 {} routing_algo tells the algorithm in use, the next one and all",
        scene.node(number).tool_name()
    );
    let parts = [
        "Active routing protocol configuration:\n * bat0: BATMAN_IV\n\n",
        "Selected routing algorithm (used when next batX interface is created):\n => BATMAN_IV\n",
        "Available routing algorithms:\n",
        " * BATMAN_IV\n",
    ];
    scene.record.check(what, parts.iter().all(|part| printed.contains(part)), printed);
    Ok(())
}

/// MGMT-17: what cannot be is refused, and what was set stays. `batctl` up to 2026.2 cuts a number that is too large, and ends with 0 after
/// a refusal of some kinds (MGMT-12, MGMT-17): those are asked of Noctule alone.
fn refusals(scene: &mut Scene<'_>, number: u8) -> Result<()> {
    let rows = [
        ("ag 2", "ag", "enabled"),
        ("ap maybe", "ap", "disabled"),
        ("hp many", "hp", "30"),
        ("it soon", "it", "200"),
        ("gw on", "gw", "off"),
        ("gw server fast", "gw", "off"),
        ("ra BATMAN_X", "gw", "off"),
        ("hardif nowhere hp 5", "hp", "30"),
        ("vid 4096 ap 1", "ap", "disabled"),
        ("vid 11 ap", "ap", "disabled"),
        ("vlan nowhere ap 1", "ap", "disabled"),
    ];
    let ours = [
        ("hp 256", "hp", "30"),
        ("it 39", "it", "200"),
        ("vid 0 ap", "ap", "disabled"),
        ("vid 0 ap 1", "ap", "disabled"),
        ("vid 11 ap 1", "ap", "disabled"),
        ("interface del nowhere", "gw", "off"),
        ("interface add nowhere", "gw", "off"),
    ];
    let noctule = scene.node(number).tool_name() == "noctule";
    for (change, read, expected) in rows.into_iter().chain(ours.into_iter().filter(|_| noctule)) {
        let words = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            scene.node(number).bare_tool(&words)
        };
        let refused = words(change)?.success().is_err();
        let printed = words(read)?.success();
        let tool = scene.node(number).tool_name();
        let what = format!("MGMT-17 {tool} {change} is refused; {tool} {read}: {expected}");
        let right = printed.as_ref().is_ok_and(|text| text.trim_end() == expected);
        scene.record.check(what, refused && right, format!("refused {refused}, then {printed:?}"));
    }
    Ok(())
}

/// MGMT-28: the hard interface is taken out and added again, and the mesh is there again.
fn interfaces(scene: &mut Scene<'_>, number: u8) -> Result<()> {
    let hard = scene.node(number).interface(1);
    let tool = |scene: &Scene<'_>, words: &[&str]| scene.node(number).bare_tool(words)?.success();
    tool(scene, &["interface", "-M", "del", &hard])?;
    let without = tool(scene, &["interface"])?;
    let what = format!("MGMT-28 {} interface del: none is listed", scene.title(number));
    scene.record.check(what, without.trim().is_empty(), without);
    tool(scene, &["meshif", "bat0", "interface", "-M", "add", &hard])?;
    // One that is there already is no error.
    tool(scene, &["if", "a", &hard])?;
    let with = tool(scene, &["if"])?;
    let what = format!("MGMT-28 {} interface add: it is listed", scene.title(number));
    scene.record.check(what, with == format!("{hard}: active\n"), with);
    scene.wait_for_routes(&[1, 2], secs(30))?;
    scene.wait_for_ping(1, 2, secs(30))?;
    Ok(())
}

/// MGMT-27.
fn translated(scene: &mut Scene<'_>) -> Result<()> {
    for (at, of) in [(1, 2), (2, 1)] {
        let client = scene.node(of).mesh_address();
        let rows = [
            (client, scene.node(of).originator()),
            ("02:00:00:00:00:77".to_owned(), "02:00:00:00:00:77".to_owned()),
        ];
        for (client, expected) in rows {
            let printed = scene.node(at).bare_tool(&["translate", &client])?.success();
            let what = format!("MGMT-27 {} translate {client}: {expected}", scene.title(at));
            let right = printed.as_ref().is_ok_and(|text| text.trim_end() == expected);
            scene.record.check(what, right, format!("{printed:?}"));
        }
    }
    Ok(())
}
