//! VLANs: devices on top of `bat0` make them, each has a table and a CRC of its own, a bridge brings its own, and frames of
//! others stay outside.
//!
//! ```text
//! n1 (bat0.10) -- n2 -- n3 (bat0.10)       n2 relays and has no VLAN
//! ```

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::echo::Echo;
use super::super::node::text;
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use crate::lab::{FrameSocket, Set};

pub(super) const ABOUT: &str = "VLANs on top of bat0 and of a bridge: tables, CRCs, traffic";

const VLAN: u16 = 10;
/// A VLAN that nobody has.
const STRANGE: u16 = 20;
const PINGS: usize = 10;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.wait_for_ping(1, 3, secs(30))?;
    for number in [1, 3] {
        let space = scene.node(number).space();
        space.add_vlan("bat0", "bat0.10", VLAN)?;
        space.set_link("bat0.10", &[Set::Up])?;
        space.add_address("bat0.10", &format!("{}/24", address(number)))?;
        scene.record.step(format!("bat0.10 on {}", scene.title(number)));
    }
    announced(&mut scene)?;
    traffic(&mut scene)?;
    scene.expect_same_clients("TT-29 TT-31 TT-45 TT-54", &[1, 2, 3], secs(20))?;
    strangers_stay_outside(&mut scene)?;
    scene.node(1).space().delete_link("bat0.10")?;
    gone(&mut scene)?;
    bridged(&mut scene)?;
    scene.close()
}

const fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 98, 0, number)
}

/// The mesh interface's own address is a client on the VLAN, wherever one looks.
fn announced(scene: &mut Scene<'_>) -> Result<()> {
    for (at, of) in [(2, 1), (2, 3), (1, 3), (3, 1)] {
        let own = text([0x02, 0xba, 0, 0, of, 0xba]);
        let listed = scene.wait("the VLAN is not announced", secs(20), |scene| {
            let rows = scene.clients_at(at, of)?;
            Ok(rows.iter().any(|(mac, vid, _)| *mac == own && *vid == i32::from(VLAN)))
        });
        let what =
            format!("TT-31 {} lists {}'s bat0 on VLAN {VLAN}", scene.title(at), scene.title(of));
        scene.record.check(what, listed.is_ok(), "");
    }
    Ok(())
}

fn traffic(scene: &mut Scene<'_>) -> Result<()> {
    for (from, to) in [(1, 3), (3, 1)] {
        let mut echo = scene.node(from).space().with(|| Echo::open(address(to)))?;
        let begun = Instant::now();
        while echo.ping(56, Duration::from_millis(500))?.is_none() && begun.elapsed() < secs(20) {}
        let mut answered = 0;
        for _ in 0..PINGS {
            answered += usize::from(echo.ping(1400, Duration::from_secs(2))?.is_some());
        }
        let what = format!(
            "TT-12 FWD-46 {PINGS} tagged pings of 1400 bytes from {} to {} are answered",
            scene.title(from),
            scene.title(to)
        );
        scene.record.check(what, answered == PINGS, format!("{answered} of {PINGS}"));
        scene.expect_tcp("TT-12 FWD-46 FWD-48", from, to, address(to));
    }
    Ok(())
}

/// FWD-30: a frame of a VLAN that the mesh interface does not have never enters the mesh.
fn strangers_stay_outside(scene: &mut Scene<'_>) -> Result<()> {
    let frame = |vlan: u16| {
        let mut frame = [0xff; 6].to_vec();
        frame.extend([0x02, 0xc1, 0, 0, 1, 0x77, 0x81, 0x00]);
        frame.extend(vlan.to_be_bytes());
        frame.extend([0x88, 0xb5]);
        frame.resize(64, 0x77);
        frame
    };
    let inside = FrameSocket::open(scene.node(1).space(), "bat0")?;
    let mut outside = FrameSocket::open(scene.node(3).space(), "n3e1")?;
    for vlan in [STRANGE, VLAN] {
        let sent = frame(vlan);
        inside.send(&sent)?;
        let marked = |bytes: &[u8]| bytes.ends_with(&sent[14..]);
        let arrived = outside.receive(Duration::from_secs(2), marked).is_ok();
        let what = format!(
            "FWD-30 a broadcast on VLAN {vlan} of {} {} the mesh",
            scene.title(1),
            if vlan == VLAN { "enters" } else { "does not enter" }
        );
        scene.record.check(what, arrived == (vlan == VLAN), "");
    }
    Ok(())
}

/// TT-31: without the device the node's own address is on the VLAN no more.
fn gone(scene: &mut Scene<'_>) -> Result<()> {
    let own = text([0x02, 0xba, 0, 0, 1, 0xba]);
    let since = Instant::now();
    let listed = |scene: &Scene<'_>, at| -> Result<bool> {
        let rows = scene.clients_at(at, 1)?;
        Ok(rows.iter().any(|(mac, vid, _)| *mac == own && *vid == i32::from(VLAN)))
    };
    let outcome = scene.wait("the VLAN is still announced", secs(20), |scene| {
        Ok(!listed(scene, 2)? && !listed(scene, 3)?)
    });
    let what = format!("TT-31 {} withdraws its address from VLAN {VLAN}", scene.title(1));
    scene.record.check(what, outcome.is_ok(), format!("{:.1} s", since.elapsed().as_secs_f64()));
    scene.expect_same_clients("TT-82", &[1, 2, 3], secs(20))
}

/// A bridge has VLAN 1 on its ports from the start.
fn bridged(scene: &mut Scene<'_>) -> Result<()> {
    for number in [1, 2] {
        let space = scene.node(number).space();
        space.add_bridge("br0")?;
        space.set_link("br0", &[Set::Up])?;
        space.set_link("bat0", &[Set::Master("br0")])?;
    }
    for (of, at) in [(1, 2), (2, 1)] {
        let own = text([0x02, 0xba, 0, 0, of, 0xba]);
        let outcome = scene.wait("VLAN 1 is not announced", secs(20), |scene| {
            let rows = scene.clients_at(at, of)?;
            Ok(rows.iter().any(|(mac, vid, _)| *mac == own && *vid == 1))
        });
        let what = format!("TT-29 {}'s bridge has VLAN 1 on bat0", scene.title(of));
        scene.record.check(what, outcome.is_ok(), "");
    }
    scene.expect_same_clients("TT-29 TT-54", &[1, 2, 3], secs(20))
}
