//! Gateway choice with a real DHCP server and client.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{LIMIT, nodes};
use crate::lab::{Skipped, dhcp, wait_for};
use crate::packages;

/// Until a client that asks once a second has an address of the other server.
const SWITCH_MAX: Duration = Duration::from_secs(5);

/// GW-27 and beyond: anna's clients get an address from the other gateway within 5 s of the first one's death, over
/// three hops. The reference stays with the dead one for 200 s.
pub(super) fn gw_27_gw_63_gw_77_a_dead_gateway_is_replaced_in_five_seconds() -> Result<()> {
    packages::ensure(&dhcp::PROGRAMS).map_err(|error| Skipped::because(format!("{error:#}")))?;
    let (lab, mut nodes) = nodes(&["anna", "ben", "cara", "dora", "eve"])?;
    for (a, b) in [(0, 1), (1, 2), (2, 3), (2, 4)] {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    nodes[0].start(&["--gw-mode", "client"])?;
    nodes[1].start(&[])?;
    nodes[2].start(&[])?;
    for server in [3, 4] {
        nodes[server].start(&["--gw-mode", "server", "--gw-bandwidth", "20mbit/5mbit"])?;
    }
    let servers = [3, 4].map(|server| dhcp::serve(&nodes[server].namespace, server as u8));
    let _servers = servers.into_iter().collect::<Result<Vec<_>>>()?;
    wait_for(LIMIT, "anna knows both gateways, has chosen one, and has settled", || {
        let rows = nodes[0].table("gateways")?;
        let settled = rows.iter().all(|row| row["tq"].as_u64().is_some_and(|tq| tq > 150));
        ensure!(rows.len() == 2 && settled, "{rows:?}");
        ensure!(rows.iter().any(|row| row["best"] == true), "{rows:?}");
        ensure!(rows.iter().all(|row| row["bandwidth_down"] == 200), "{rows:?}");
        Ok(())
    })?;
    let chosen = || -> Result<usize> {
        let rows = nodes[0].table("gateways")?;
        let best = rows.iter().find(|row| row["best"] == true);
        let best = best.map_or(String::new(), |row| row["orig_address"].to_string());
        Ok(if best.contains(&nodes[3].originator()) { 3 } else { 4 })
    };
    let (dead, other) = if chosen()? == 3 { (3, 4) } else { (4, 3) };
    let gave = dhcp::lease(&nodes[0].namespace, LIMIT)?;
    ensure!(gave == Some(nodes[dead].address()), "{gave:?} gave an address, not the chosen one");
    let socket = nodes[0].socket().display().to_string();
    let program = nodes[0].program().display().to_string();
    let words = [&program, "--socket", &socket, "events", "--json"];
    let events = nodes[0].namespace.spawn("events", &words)?;

    let requests = nodes[dead].counter("rx")?;
    nodes[dead].kill()?;
    let died = Instant::now();
    let gave = dhcp::lease(&nodes[0].namespace, LIMIT)?;
    let took = died.elapsed();
    println!("        an address {:.1} s after the gateway died", took.as_secs_f64());
    ensure!(gave == Some(nodes[other].address()), "{gave:?} gave an address");
    ensure!(requests > 0, "the first gateway got no request");
    ensure!(took <= SWITCH_MAX, "an address only after {took:?}");
    wait_for(LIMIT, "the change is told", || {
        let told = events.log();
        let line = told.lines().find(|line| line.contains("\"type\":\"gw\""));
        let line = line.unwrap_or_default();
        let expected = format!(
            "\"type\":\"gw\",\"action\":\"change\",\"data\":\"{}\",\"prev\":\"{}\"",
            nodes[other].originator(),
            nodes[dead].originator()
        );
        ensure!(line.contains(&expected), "{told}");
        Ok(())
    })?;
    let flooded = nodes[1].counter("tx")?;
    ensure!(flooded < 100, "the relay sent {flooded} frames of its own");
    nodes[0].stop()
}
