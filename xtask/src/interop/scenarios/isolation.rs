//! Isolated clients behind different nodes are kept apart.
//!
//! ```text
//! client 11 (isolated) \              / client 21 (isolated)
//!                       n1 -------- n2
//! client 12            /              \ client 22
//! ```
//!
//! Behind a kernel node a client is isolated by the mark of its frames, behind a Noctule node by its bridge port.

use std::time::Duration;

use anyhow::Result;

use super::super::net;
use super::super::node::text;
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use crate::lab::FrameSocket;

pub(super) const ABOUT: &str =
    "two isolated clients behind different nodes cannot talk, all others can";

/// Frames from one client to another; what does not arrive of so many is dropped.
const FRAMES: u8 = 5;
const MARK: u32 = 1;

/// A client's way into the mesh.
struct Client {
    node: u8,
    isolated: bool,
    address: [u8; 6],
    socket: FrameSocket,
}

impl Client {
    fn new(scene: &Scene<'_>, node: u8, number: u8) -> Result<Self> {
        let isolated = number == 1;
        let space = scene.node(node).space();
        let socket = if scene.node(node).tool_name() == "batctl" {
            let socket = FrameSocket::open(space, "bat0")?;
            if isolated {
                socket.set_mark(MARK)?;
            }
            socket
        } else {
            let (port, host) = (format!("port{number}"), format!("host{number}"));
            for words in [
                format!("link add {port} type veth peer name {host}"),
                format!("link set {port} master br0"),
                format!("link set {port} up"),
                format!("link set {host} up"),
            ] {
                ip(scene, node, &words)?;
            }
            if isolated {
                ip(scene, node, &format!("link set {port} type bridge_slave isolated on"))?;
            }
            FrameSocket::open(space, &host)?
        };
        Ok(Self { node, isolated, address: [0x02, 0xc1, 0, 0, node, number], socket })
    }

    fn send(&self, to: [u8; 6], number: u8) -> Result<()> {
        let mut frame = to.to_vec();
        frame.extend(self.address);
        frame.extend([0x88, 0xb5, number]);
        frame.resize(60, 0);
        Ok(self.socket.send(&frame)?)
    }

    /// How many of the frames for `to` leave its node's mesh interface.
    fn reaches(&self, scene: &Scene<'_>, to: &Self) -> Result<usize> {
        let mut ear = FrameSocket::open(scene.node(to.node).space(), "bat0")?;
        for number in 0..FRAMES {
            self.send(to.address, number)?;
            std::thread::sleep(Duration::from_millis(10));
        }
        let is_ours = |bytes: &[u8]| bytes.starts_with(&[to.address, self.address].concat());
        let mut arrived = 0;
        while arrived < usize::from(FRAMES)
            && ear.receive(Duration::from_millis(700), is_ours).is_ok()
        {
            arrived += 1;
        }
        Ok(arrived)
    }
}

fn ip(scene: &Scene<'_>, node: u8, words: &str) -> Result<()> {
    let words: Vec<_> = words.split(' ').collect();
    net::output(scene.node(node).space(), "ip".as_ref(), &words)?.success()?;
    Ok(())
}

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut scene = stage.mesh(&[(1, 2)])?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2], secs(30))?;
    for node in [1, 2] {
        if scene.node(node).tool_name() == "batctl" {
            let mark = format!("{MARK:#x}/{MARK:#x}");
            scene.node(node).tool(&["isolation_mark", &mark])?.success()?;
        } else {
            for words in ["link add br0 type bridge", "link set bat0 master br0", "link set br0 up"]
            {
                ip(&scene, node, words)?;
            }
        }
    }
    let mut clients = Vec::new();
    for node in [1, 2] {
        for number in [1, 2] {
            clients.push(Client::new(&scene, node, number)?);
        }
    }
    // Frames to all let each be known; again and again, for a port that has just come up may lose the first.
    scene.wait("the clients are known with their flags", secs(30), |scene| {
        for client in &clients {
            client.send([0xff; 6], 0)?;
        }
        let known = |client: &Client| -> Result<bool> {
            let rows = scene.node(3 - client.node).global_clients()?;
            let row = rows.iter().find(|row| row.tt_address == text(client.address));
            Ok(row.is_some_and(|row| row.tt_flags.isolated == client.isolated))
        };
        Ok(clients.iter().map(known).collect::<Result<Vec<_>>>()?.into_iter().all(|known| known))
    })?;
    for (on, title) in [
        (&[][..], "off"),
        (&[1, 2][..], "on at both"),
        (&[1][..], "on at n1"),
        (&[2][..], "on at n2"),
    ] {
        for node in [1, 2] {
            let value = if on.contains(&node) { "1" } else { "0" };
            let words: &[_] = &["ap_isolation", value];
            let words = if scene.node(node).tool_name() == "batctl" {
                words.to_vec()
            } else {
                [&["set"], words].concat()
            };
            scene.node(node).tool(&words)?.success()?;
        }
        for from in &clients {
            for to in clients.iter().filter(|to| to.node != from.node) {
                let cut = !on.is_empty() && from.isolated && to.isolated;
                let arrived = from.reaches(&scene, to)?;
                let expected = if cut { 0 } else { usize::from(FRAMES) };
                let name = |client: &Client| format!("{}{}", client.node, client.address[5]);
                let verb = if cut { "does not reach" } else { "reaches" };
                scene.record.check(
                    format!(
                        "TT-121 TT-122 isolation {title}: client {} {verb} client {}",
                        name(from),
                        name(to)
                    ),
                    arrived == expected,
                    format!("{arrived} of {FRAMES} frames"),
                );
            }
        }
    }
    scene.close()
}
