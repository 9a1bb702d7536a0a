//! Two DHCP servers in a chain: who chooses which, and how soon a dead one is left.
//!
//! Nodes 1 and 4 are servers, node 2 is the client, node 3 passes on. The client's own system asks for addresses.

use std::time::Instant;

use anyhow::Result;

use super::super::node::{Kind, Role};
use super::super::scene::{Scene, seconds, secs};
use super::super::stage::Stage;
use crate::lab::dhcp;

pub(super) const ABOUT: &str =
    "two DHCP servers: gateway tables on both sides, and the time until a dead one is left";

const CLIENT: u8 = 2;
const NEAR: u8 = 1;
const FAR: u8 = 4;
/// Noctule's own promise.
const SWITCH_MAX: u64 = 5;
/// How long the kernel node is watched: it stays for 200 s (GW-27).
const WATCHED: u64 = 40;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3), (3, 4)])?;
    scene.set_interval(1000);
    scene.node_mut(NEAR).settings.role = Role::Server("20mbit/5mbit");
    scene.node_mut(CLIENT).settings.role = Role::Client;
    scene.node_mut(FAR).settings.role = Role::Server("100mbit/20mbit");
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3, 4], secs(60))?;
    let _servers = [NEAR, FAR]
        .into_iter()
        .map(|server| dhcp::serve(scene.node(server).space(), server))
        .collect::<Result<Vec<_>>>()?;

    scene.wait("the qualities have not settled", secs(60), |scene| {
        Ok(scene.node(CLIENT).gateways()?.iter().filter(|row| row.tq > 200).count() == 2)
    })?;
    tables(&mut scene)?;

    let first = dhcp::lease(scene.node(CLIENT).space(), secs(20))?;
    let near = scene.node(NEAR).ip();
    let what = format!(
        "GW-32 GW-63 {} asks {}, the better one, which answers",
        scene.title(CLIENT),
        scene.title(NEAR)
    );
    scene.record.check(what, first == Some(near), format!("{first:?}"));

    scene.record.step(format!("{} falls silent", scene.title(NEAR)));
    scene.cut(&[(NEAR, 1), (CLIENT, 1)])?;
    let died = Instant::now();
    let noctule = scene.node(CLIENT).kind == Kind::Noctule;
    let far = scene.node(FAR).ip();
    let mut took = None;
    while took.is_none() && died.elapsed() < secs(WATCHED) {
        if dhcp::lease(scene.node(CLIENT).space(), secs(10))? == Some(far) {
            took = Some(died.elapsed());
        }
    }
    let seen = took.map_or_else(|| format!("not within {WATCHED} s"), seconds);
    let what = format!("{} has an address from the other server after", scene.title(CLIENT));
    scene.record.figure(what, &seen);
    if noctule {
        let what = "GW-27 Noctule leaves a dead gateway: an address within 5 s";
        scene.record.check(what, took.is_some_and(|took| took <= secs(SWITCH_MAX)), seen);
        let rows = scene.node(CLIENT).gateways()?;
        let chosen = rows.iter().find(|row| row.best).map(|row| row.orig_address.clone());
        let far = scene.node(FAR).originator();
        scene.record.check(
            "GW-79 the table marks the other one",
            chosen == Some(far),
            format!("{chosen:?}"),
        );
    }

    scene.mend(&[(NEAR, 1), (CLIENT, 1)])?;
    scene.close()
}

/// GW-10, GW-14: everybody lists the others' gateways with what they announce, and the client marks one.
fn tables(scene: &mut Scene<'_>) -> Result<()> {
    for at in 1..=scene.count() {
        let rows = scene.node(at).gateways()?;
        let mut listed: Vec<_> = rows
            .iter()
            .map(|row| (row.orig_address.clone(), row.bandwidth_down, row.bandwidth_up))
            .collect();
        listed.sort();
        let expected: Vec<_> = [(NEAR, 200, 50), (FAR, 1000, 200)]
            .into_iter()
            .filter(|(server, ..)| *server != at)
            .map(|(server, down, up)| (scene.node(server).originator(), down, up))
            .collect();
        let what = format!("GW-05 GW-10 GW-14 {} lists the other gateways", scene.title(at));
        scene.record.check(what, listed == expected, format!("{listed:?}"));
        let marked: Vec<_> =
            rows.iter().filter(|row| row.best).map(|row| row.orig_address.clone()).collect();
        let expected = if at == CLIENT { vec![scene.node(NEAR).originator()] } else { vec![] };
        let what = format!("GW-20 GW-32 {} marks the gateway that it has chosen", scene.title(at));
        scene.record.check(what, marked == expected, format!("{marked:?}"));
    }
    Ok(())
}
