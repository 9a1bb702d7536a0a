//! Three nodes in a row: the quality ladder, payload over the relay, traceroute.

use anyhow::Result;

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use super::pair::mesh_ping;

pub(super) const ABOUT: &str =
    "a chain of three: quality ladder, payload and traceroute by a relay";

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.wait_for_ping(1, 3, secs(30))?;
    scene.wait_for_ping(3, 1, secs(30))?;
    scene.expect_pings("FWD-71 FWD-72", 1, 3, 56, 20)?;
    scene.expect_pings("FWD-71 FWD-72", 3, 1, 1000, 20)?;
    scene.expect_same_clients("TT-62 TT-79 TT-83", &[1, 2, 3], secs(30))?;
    for (from, to) in [(1, [2, 3]), (2, [1, 3]), (3, [1, 2])] {
        scene.expect_broadcasts("FWD-93 FWD-96 FWD-97", from, &to)?;
    }
    relay_counters(&mut scene)?;
    for (from, to) in [(1, 3), (3, 1), (1, 2), (3, 2)] {
        mesh_ping(&mut scene, from, to)?;
    }
    record_route(&mut scene)?;
    traceroute(&mut scene, 1, 3)?;
    traceroute(&mut scene, 3, 1)?;
    let direct = [(1, 2), (2, 1), (2, 3), (3, 2)];
    scene.expect_tq("IV-108 IV-109", &direct, 251..=255, secs(60))?;
    scene.expect_tq("IV-83 IV-108 IV-109", &[(1, 3), (3, 1)], 217..=225, secs(60))?;
    scene.close()
}

/// The relay counts what it forwards, headers included: each ping and its answer.
fn relay_counters(scene: &mut Scene<'_>) -> Result<()> {
    let before = scene.node(2).statistics()?;
    scene.expect_pings("FWD-72", 1, 3, 100, 20)?;
    let after = scene.node(2).statistics()?;
    let grown = |name: &str| after.get(name).unwrap_or(&0) - before.get(name).unwrap_or(&0);
    let (frames, bytes) = (grown("forward"), grown("forward_bytes"));
    // 142 bytes and a unicast header of 10 behind an outer Ethernet header of 14. Now and then the
    // hosts ask each other's address meanwhile (42 bytes, and 18 of a DAT header at most).
    let passed = (40..=48).contains(&frames)
        && bytes >= 40 * (142 + 24)
        && bytes <= 40 * (142 + 24) + (frames - 40) * (42 + 14 + 18);
    let what = format!("FWD-72 FWD-140 {} counts what it forwards", scene.title(2));
    scene.record.check(what, passed, format!("{frames} frames, {bytes} bytes"));
    Ok(())
}

/// A ping that records its route names the interface of each hop on which it came in.
fn record_route(scene: &mut Scene<'_>) -> Result<()> {
    let target = scene.node(3).originator();
    let printed = scene.node(1).tool(&["ping", "-R", "-c", "1", &target])?;
    let expected = [scene.node(2).address(1), scene.node(3).address(1), scene.node(2).address(2)];
    let passed = printed.status == Some(0) && in_order(&printed.text, &expected);
    let what = format!(
        "ICMP-05 ICMP-11 ICMP-31 `{} ping -R` from {} to {} names the incoming interfaces",
        scene.node(1).tool_name(),
        scene.title(1),
        scene.title(3)
    );
    let seen = if passed { expected.join(", ") } else { format!("{printed:?}") };
    scene.record.check(what, passed, seen);
    Ok(())
}

fn traceroute(scene: &mut Scene<'_>, from: u8, to: u8) -> Result<()> {
    let target = scene.node(to).originator();
    let printed = scene.node(from).tool(&["traceroute", "-n", &target])?;
    let hops: Vec<_> = printed
        .text
        .lines()
        .filter(|line| line.trim_start().starts_with(['1', '2', '3']))
        .collect();
    let expected = [scene.node(2).originator(), target];
    let passed = printed.status == Some(0)
        && hops.len() == 2
        && hops.iter().zip(&expected).all(|(hop, address)| hop.contains(address.as_str()));
    let what = format!(
        "ICMP-07 ICMP-14 ICMP-26 `{} traceroute` from {} to {} names {} on the way",
        scene.node(from).tool_name(),
        scene.title(from),
        scene.title(to),
        scene.title(2)
    );
    let seen = if passed { hops.join(" | ") } else { format!("{printed:?}") };
    scene.record.check(what, passed, seen);
    Ok(())
}

/// Whether the words occur in the text one after the other.
fn in_order(text: &str, words: &[String]) -> bool {
    let mut rest = text;
    words.iter().all(|word| match rest.find(word.as_str()) {
        Some(at) => {
            rest = &rest[at + word.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_out_of_order_are_noticed() {
        let words = ["b".to_owned(), "a".to_owned()];
        assert!(in_order("b c a", &words));
        assert!(!in_order("a c b", &words));
    }
}
