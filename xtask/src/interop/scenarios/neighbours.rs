//! IPv6 neighbour discovery: hosts find each other, whoever is between, and what it costs on the air.

use std::net::Ipv6Addr;

use anyhow::Result;
use noctule_wire::payload::neighbour::Neighbour;

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use crate::lab::FrameSocket;

pub(super) const ABOUT: &str =
    "IPv6 neighbour discovery: who is found, and solicitations on the air";

const ROUNDS: usize = 4;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let both_are_ours = stage.kinds == "N-K-N";
    let mut scene = stage.mesh(&[(1, 2), (2, 3)])?;
    scene.start_all()?;
    for number in 1..=3 {
        let space = scene.node(number).space();
        let _ = space.set_sysctl("net.ipv6.conf.bat0.accept_dad", "0");
        let _ = space.set_sysctl("net.ipv6.conf.bat0.disable_ipv6", "0");
        space.add_address("bat0", &format!("{}/64", ip6(number)))?;
    }
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.expect_same_clients("TT-79", &[1, 2, 3], secs(30))?;
    let mut counts = Vec::new();
    for _ in 0..ROUNDS {
        counts.push(look(&mut scene)?);
    }
    scene.record.figure("solicitations on two links, round by round", format!("{counts:?}"));
    if both_are_ours {
        scene.record.check(
            "ND-11 nothing crosses the air for a resolved neighbour",
            counts[1..].iter().all(|count| *count == 0),
            format!("{counts:?}"),
        );
    }
    scene.close()
}

fn ip6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, number.into())
}

/// Everybody forgets whom it knows before each look. How many solicitations the ends' looking for each other puts on the
/// links.
fn look(scene: &mut Scene<'_>) -> Result<usize> {
    let mut count = 0;
    for (from, to) in [(1, 3), (3, 1), (1, 2), (2, 3)] {
        let is_far = from != 2 && to != 2;
        for number in 1..=3 {
            let words = ["ip", "-6", "neighbour", "flush", "dev", "bat0"];
            scene.node(number).space().run(&words, secs(10))?.success()?;
        }
        let mut sockets = Vec::new();
        for link in [0, 1] {
            let name = scene.node(2).interface(scene.node(2).interfaces()[link]);
            sockets.push(FrameSocket::open(scene.node(2).space(), &name)?);
        }
        let space = scene.node(from).space();
        // A packet is enough to be looked for; that it arrives shows in the neighbour's state.
        let socket = space.with(|| std::net::UdpSocket::bind("[::]:0"))?;
        socket.send_to(b"who are you", (ip6(to), 9))?;
        let mut seen = String::new();
        let found = scene.wait("the neighbour is not found", secs(5), |scene| {
            let words =
                ["ip", "-6", "neighbour", "show", "dev", "bat0", "to", &ip6(to).to_string()];
            seen = scene.node(from).space().run(&words, secs(10))?.success()?;
            Ok(seen.contains(&scene.node(to).mesh_address()))
        });
        scene.record.check(
            format!("ND-14 n{from} finds n{to}"),
            found.is_ok(),
            seen.trim().to_owned(),
        );
        for socket in &mut sockets {
            while let Some(frame) = socket.try_receive()? {
                count +=
                    usize::from(is_far && (is_question(frame, to) || is_question(frame, from)));
            }
        }
    }
    Ok(count)
}

/// Whether somewhere in a mesh frame there is a solicitation to a group for this node.
fn is_question(frame: &[u8], to: u8) -> bool {
    (14..frame.len())
        .filter(|at| frame.get(at + 12..at + 14) == Some(&[0x86, 0xdd]))
        .filter_map(|at| Neighbour::find(&frame[at..]))
        .any(|said| said.is_question() && said.target == ip6(to))
}
