//! Client tables: changes in OGMs, requests after missed changes, a late node.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::super::node::text;
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str =
    "client tables: changes, missed changes in both directions, a late node";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start(1)?;
    scene.start(2)?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    scene.wait_for_ping(1, 2, secs(30))?;
    scene.expect_same_clients("TT-56 TT-79", &[1, 2], secs(20))?;

    announced_change(&mut scene)?;
    missed_changes(&mut scene, 1, 2, 0x10)?;
    missed_changes(&mut scene, 2, 1, 0x20)?;
    late_node(&mut scene)?;
    scene.close()
}

/// A client appears and is announced by a change record, without a request.
fn announced_change(scene: &mut Scene<'_>) -> Result<()> {
    for (of, at) in [(1, 2), (2, 1)] {
        let requests = scene.node(at).counter("tt_request_tx")?;
        scene.add_client(of, client(of, 0x01))?;
        wait_for_client(scene, of, at, client(of, 0x01))?;
        let asked = scene.node(at).counter("tt_request_tx")? - requests;
        let what = format!(
            "TT-75 TT-77 {} learns a new client of {} from the change in its OGM",
            scene.title(at),
            scene.title(of)
        );
        scene.record.check(what, asked == 0, format!("{asked} requests"));
    }
    scene.expect_same_clients("TT-79", &[1, 2], secs(20))
}

/// Two changes are lost with the OGMs that carried them; the next OGM makes `at` ask `of`.
fn missed_changes(scene: &mut Scene<'_>, of: u8, at: u8, first: u8) -> Result<()> {
    scene.record.step(format!("{}'s OGMs are lost while two clients appear", scene.title(of)));
    let version = version(scene, of, at)?;
    let before = [scene.node(of).statistics()?, scene.node(at).statistics()?];
    // A node may have several links; the one to `at` is meant.
    let interface = if of == 2 { 1 } else { scene.node(of).interfaces()[0] };
    scene.cut(&[(of, interface)])?;
    for number in [first, first + 1] {
        scene.add_client(of, client(of, number))?;
        // Long enough for a commit and the four OGMs that carry it (TT-44).
        sleep(Duration::from_millis(1400));
    }
    scene.mend(&[(of, interface)])?;
    wait_for_client(scene, of, at, client(of, first))?;
    wait_for_client(scene, of, at, client(of, first + 1))?;
    scene.expect_same_clients("TT-75 TT-96", &[of, at], secs(20))?;
    let now = self::version(scene, of, at)?;
    let after = [scene.node(of).statistics()?, scene.node(at).statistics()?];
    let grown = |side: usize, name: &str| {
        after[side].get(name).unwrap_or(&0) - before[side].get(name).unwrap_or(&0)
    };
    let (asked, heard) = (grown(1, "tt_request_tx"), grown(0, "tt_request_rx"));
    let (answered, taken) = (grown(0, "tt_response_tx"), grown(1, "tt_response_rx"));
    let what = format!(
        "TT-75 TT-85 TT-91 TT-96 {} asks {}, which answers",
        scene.title(at),
        scene.title(of)
    );
    let seen = format!(
        "version {version} to {now}; {asked} requests sent, {heard} heard, {answered} answers sent, \
         {taken} taken"
    );
    let passed = now.wrapping_sub(version) >= 2
        && asked >= 1
        && heard >= 1
        && answered >= 1
        && taken >= 1
        && answered <= heard;
    scene.record.check(what, passed, seen);
    scene.expect_pings("TT-111 TT-112", at, of, 56, 5)
}

/// n3 appears when n1 and n2 have long stopped to carry their changes.
fn late_node(scene: &mut Scene<'_>) -> Result<()> {
    scene.record.step(format!("{} starts late", scene.title(3)));
    let answers = |scene: &Scene<'_>, number: u8| scene.node(number).counter("tt_response_tx");
    let before = (answers(scene, 1)?, answers(scene, 2)?);
    scene.start(3)?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.expect_same_clients("TT-92 TT-96", &[1, 2, 3], secs(30))?;
    let asked = scene.node(3).counter("tt_request_tx")?;
    let own = answers(scene, 1)? - before.0;
    let relayed = answers(scene, 2)? - before.1;
    let what = format!(
        "TT-88 TT-89 TT-93 {} asks for full tables; {} answers for itself and for {}",
        scene.title(3),
        scene.title(2),
        scene.title(1)
    );
    let seen = format!("{asked} requests, {relayed} answers of n2, {own} of n1");
    scene.record.check(what, asked >= 2 && relayed >= 2 && own == 0, seen);
    scene.wait_for_ping(3, 1, secs(20))?;
    scene.expect_pings("TT-111 TT-112", 3, 1, 56, 10)
}

/// The version of `of`'s table that `at` has.
fn version(scene: &Scene<'_>, of: u8, at: u8) -> Result<u8> {
    let originator = scene.node(of).originator();
    let rows = scene.node(at).global_clients()?;
    Ok(rows.iter().find(|row| row.orig_address == originator).map_or(0, |row| row.tt_last_ttvn))
}

fn wait_for_client(scene: &mut Scene<'_>, of: u8, at: u8, client: [u8; 6]) -> Result<()> {
    let address = text(client);
    let what = format!("{} does not list {address} at {}", scene.title(at), scene.title(of));
    scene.wait(&what, secs(20), |scene| {
        Ok(scene.clients_at(at, of)?.iter().any(|(listed, _, _)| *listed == address))
    })?;
    Ok(())
}

/// A client behind a node.
const fn client(node: u8, number: u8) -> [u8; 6] {
    [0x02, 0xc1, 0, 0, node, number]
}
