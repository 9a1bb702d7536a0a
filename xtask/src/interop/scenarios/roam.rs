//! A client walks from one node to another and back while frames run towards it.
//!
//! ```text
//! n1 (sender) -- n2 -- n3        the client is behind n2, then n3, then n2, …
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::super::node::text;
use super::super::scene::{Scene, median, secs, spread};
use super::super::stage::Stage;
use crate::lab::FrameSocket;

pub(super) const ABOUT: &str =
    "a client roams while 500 frames a second run towards it: how long it misses them";

/// Walks in each mesh of a test.
const WALKS: u32 = 4;
const CLIENT: [u8; 6] = [0x02, 0xc1, 0, 0, 9, 1];
const SENDER: [u8; 6] = [0x02, 0xc1, 0, 0, 1, 1];
/// Frames of all walks that a busy machine may lose.
const LOST_BESIDE: usize = 10;
/// 500 frames a second.
const SPACING: Duration = Duration::from_millis(2);
/// The default interval: how soon the mesh knows decides.
const INTERVAL_MS: u32 = 1000;
/// Where in its rhythm the client catches the mesh decides about some tenths of a second, in a kernel mesh, too.
const SLACK: Duration = Duration::from_millis(400);

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let kinds = ["K-K-K", "N-N-N", stage.kinds];
    let (mut times, mut losses) = (Vec::new(), Vec::new());
    for kinds in kinds {
        let walks = walk(stage, kinds)?;
        let gaps: Vec<_> = walks.iter().map(|walk| walk.gap).collect();
        let lost: Vec<_> = walks.iter().map(|walk| walk.lost.to_string()).collect();
        stage.record.figure(format!("{kinds}: interruption"), spread(&gaps));
        stage.record.figure(format!("{kinds}: frames lost in each walk"), lost.join(", "));
        times.push(gaps);
        losses.push(walks.iter().map(|walk| walk.lost).sum::<usize>());
    }
    let kernel = median(&times[0]);
    for (kinds, gaps) in kinds.into_iter().zip(&times).skip(1) {
        stage.record.check(
            format!("TT-106 TT-115 {kinds} interrupts no longer than K-K-K"),
            median(gaps) <= kernel + SLACK,
            format!("medians: {:.3} s, {:.3} s", median(gaps).as_secs_f64(), kernel.as_secs_f64()),
        );
    }
    for (kinds, lost) in kinds.into_iter().zip(&losses).skip(1) {
        stage.record.check(
            format!("TT-106 TT-115 {kinds} loses no more frames than K-K-K"),
            *lost <= losses[0] + LOST_BESIDE,
            format!("{lost}, {}", losses[0]),
        );
    }
    Ok(())
}

struct Walk {
    /// From the client's first word at the new node to the first frame that it gets there.
    gap: Duration,
    /// Frames of that time that it got nowhere.
    lost: usize,
}

fn walk(stage: &mut Stage, kinds: &str) -> Result<Vec<Walk>> {
    let rounds = stage.rounds(WALKS);
    let mut scene = stage.mesh_of(kinds, &[(1, 2), (2, 3)])?;
    scene.set_interval(INTERVAL_MS);
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3], secs(30))?;
    scene.add_client(1, SENDER)?;
    scene.add_client(2, CLIENT)?;
    let address = text(CLIENT);
    scene.wait("the client is not known", secs(20), |scene| {
        Ok(scene.clients_at(1, 2)?.iter().any(|(mac, _, _)| *mac == address))
    })?;
    let end = Arc::new(AtomicBool::new(false));
    let arrivals: Vec<_> = [2, 3]
        .into_iter()
        .map(|number| listen(FrameSocket::open(scene.node(number).space(), "bat0")?, end.clone()))
        .collect::<Result<_>>()?;
    let sender = send(FrameSocket::open(scene.node(1).space(), "bat0")?, end.clone());
    sleep(secs(2));
    let mut moves = Vec::new();
    for round in 0..rounds {
        let to = if round % 2 == 0 { 3 } else { 2 };
        moves.push((to, Instant::now()));
        scene.add_client(to, CLIENT)?;
        // A roaming client is left alone for some intervals: the table is in step before it walks on.
        sleep(secs(6));
    }
    end.store(true, Ordering::Relaxed);
    let sent = sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
    let mut arrived = Vec::new();
    for listener in arrivals {
        arrived.push(listener.join().map_err(|_| anyhow::anyhow!("a listener panicked"))?);
    }
    let everywhere: BTreeSet<u32> = arrived.iter().flatten().map(|(_, number)| *number).collect();
    let mut walks = Vec::new();
    for (to, moved) in moves {
        let there = &arrived[usize::from(to) - 2];
        let first = there.iter().find(|(at, _)| *at > moved).map(|(at, _)| *at);
        let Some(first) = first else {
            bail!("{kinds}: the client gets nothing at n{to} any more")
        };
        let on_the_way = sent.iter().filter(|(at, _)| *at >= moved && *at <= first);
        let lost = on_the_way.filter(|(_, number)| !everywhere.contains(number)).count();
        walks.push(Walk { gap: first - moved, lost });
    }
    check(&mut scene, kinds, &sent, &arrived, &everywhere);
    scene.close()?;
    Ok(walks)
}

/// Nothing is doubled, and nothing is lost but for the walks.
fn check(
    scene: &mut Scene<'_>,
    kinds: &str,
    sent: &[Stamped],
    arrived: &[Vec<Stamped>],
    everywhere: &BTreeSet<u32>,
) {
    let copies: usize = arrived.iter().map(Vec::len).sum();
    scene.record.check(
        format!("FWD-69 {kinds}: no frame arrives twice"),
        copies == everywhere.len(),
        format!("{} of {} arrived", everywhere.len(), sent.len()),
    );
}

/// A frame's number, and when it was seen.
type Stamped = (Instant, u32);

fn frame(number: u32) -> Vec<u8> {
    let mut frame = CLIENT.to_vec();
    frame.extend(SENDER);
    frame.extend([0x88, 0xb5]);
    frame.extend(number.to_be_bytes());
    frame.resize(100, 0);
    frame
}

fn send(socket: FrameSocket, end: Arc<AtomicBool>) -> JoinHandle<Result<Vec<Stamped>>> {
    thread::spawn(move || {
        let mut sent = Vec::new();
        while !end.load(Ordering::Relaxed) {
            let number = u32::try_from(sent.len()).context("too many frames")?;
            sent.push((Instant::now(), number));
            // A full queue is a lost frame.
            let _ = socket.send(&frame(number));
            sleep(SPACING);
        }
        Ok(sent)
    })
}

fn listen(mut socket: FrameSocket, end: Arc<AtomicBool>) -> Result<JoinHandle<Vec<Stamped>>> {
    Ok(thread::spawn(move || {
        let mut arrived = Vec::new();
        while !end.load(Ordering::Relaxed) {
            let is_ours = |bytes: &[u8]| bytes.starts_with(&frame(0)[..14]);
            if let Ok(bytes) = socket.receive(Duration::from_millis(200), is_ours)
                && let Some(number) = bytes.get(14..18).and_then(|part| part.first_chunk())
            {
                arrived.push((Instant::now(), u32::from_be_bytes(*number)));
            }
        }
        arrived
    }))
}
