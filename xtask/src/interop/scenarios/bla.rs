//! Bridge loop avoidance: two gateways on one LAN and a node in the mesh. Each broadcast arrives once and nothing comes
//! back; what happens when the gateway that serves is gone, or has no mesh any more.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Deserialize;

use super::super::echo::Echo;
use super::super::lan::Lan;
use super::super::node::{Kind, text};
use super::super::scene::{Scene, seconds, secs};
use super::super::stage::Stage;
use crate::lab::{FrameSocket, Set};

pub(super) const ABOUT: &str =
    "two gateways bridged to one LAN: broadcasts arrive once, and one takes over from the other";

/// Broadcasts each way, by as many hosts in turns.
const BROADCASTS: u16 = 100;
const HOSTS: u16 = 5;
/// Between two probes while a gateway is gone.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long is watched what happens.
const WATCHED: Duration = secs(20);
/// What a takeover between Noctule nodes may take.
const ENOUGH: Duration = secs(5);
/// A station behind n3 that floods, and is silent otherwise.
const STATION: [u8; 6] = [0x02, 0xc1, 0, 0, 3, 0x55];

/// A row of the claim table.
#[derive(Clone, Debug, Deserialize)]
struct Claim {
    bla_address: String,
    bla_backbone: String,
    bla_crc: u16,
}

/// A row of the backbone table.
#[derive(Clone, Debug, Deserialize)]
struct Backbone {
    #[serde(default)]
    bla_own: bool,
    bla_backbone: String,
    bla_crc: u16,
    bla_vid: i32,
}

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let (mut scene, lan) = stage.segment_with_lan(&[1, 2])?;
    scene.set_interval(1000);
    for number in 1..=3 {
        scene.node_mut(number).settings.bridge_loop_avoidance = true;
    }
    scene.start_all()?;
    for number in [1, 2] {
        scene.node(number).space().set_link("bat0", &[Set::Master("br0")])?;
    }
    scene.wait_for_routes(&[1, 2, 3], secs(40))?;
    let begun = Instant::now();
    let mut wires = Wires::open(&scene, &lan)?;
    begin(&mut scene, &mut wires, begun)?;
    if has_noctule(&scene) && !all_noctule(&scene) {
        // A gateway of the module does not say that it lets broadcasts pass: until it must, 30 s after it was heard first, a
        // client that it claims at the same moment is delivered twice (BLA-N1).
        sleep(secs(12));
    }
    once_each(&mut scene, &mut wires)?;
    agree(&mut scene)?;
    for event in [Event::MeshLost, Event::Dead] {
        fail_over(&mut scene, &lan, &mut wires, event)?;
    }
    drop(wires);
    scene.close()
}

/// The ends of the way from the mesh into the LAN.
struct Wires {
    /// n3's mesh interface.
    mesh: FrameSocket,
    /// The host.
    host: FrameSocket,
    echo: Echo,
}

impl Wires {
    fn open(scene: &Scene<'_>, lan: &Lan) -> Result<Self> {
        Ok(Self {
            mesh: FrameSocket::open(scene.node(3).space(), "bat0")?,
            host: FrameSocket::open(&lan.host, "eth0")?,
            echo: scene.node(3).space().with(|| Echo::open(Lan::IP))?,
        })
    }
}

const MARK: &[u8] = b"noctule-bla-probe";

/// A frame with a number.
fn frame(destination: [u8; 6], source: [u8; 6], kind: u8, number: u16) -> Vec<u8> {
    let mut frame = [&destination[..], &source, &[0x88, 0xb5], MARK, &[kind]].concat();
    frame.extend(number.to_be_bytes());
    frame.resize(64, 0);
    frame
}

/// How often each number of this kind has arrived.
fn arrived(socket: &mut FrameSocket, kind: u8, counts: &mut BTreeMap<u16, u32>) -> Result<()> {
    while let Some(bytes) = socket.try_receive()? {
        let at = 14 + MARK.len();
        if bytes.get(14..at) == Some(MARK) && bytes.get(at) == Some(&kind) {
            let number = u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]);
            *counts.entry(number).or_default() += 1;
        }
    }
    Ok(())
}

/// Waits until broadcasts pass both ways.
fn begin(scene: &mut Scene<'_>, wires: &mut Wires, begun: Instant) -> Result<()> {
    let (mut up, mut down) = (BTreeMap::new(), BTreeMap::new());
    let mut took = [None; 2];
    for number in 0..800 {
        wires.mesh.send(&frame([0xff; 6], STATION, 1, number))?;
        wires.host.send(&frame([0xff; 6], Lan::HOST, 2, number))?;
        sleep(INTERVAL);
        arrived(&mut wires.host, 1, &mut up)?;
        arrived(&mut wires.mesh, 2, &mut down)?;
        for (took, counts) in took.iter_mut().zip([&up, &down]) {
            if took.is_none() && counts.contains_key(&number) {
                *took = Some(begun.elapsed());
            }
        }
        if took.iter().all(Option::is_some) {
            break;
        }
    }
    scene.nobody_died()?;
    let strict = all_noctule(scene);
    let twice = |counts: &BTreeMap<u16, u32>| counts.values().filter(|count| **count > 1).count();
    for ((took, counts), way) in
        took.into_iter().zip([&up, &down]).zip(["from the mesh into the LAN", "the other way"])
    {
        let shown = took.map_or("never".to_owned(), seconds);
        scene.record.figure(format!("first broadcast {way} after"), &shown);
        let what = format!("BLA-38 BLA-39 BLA-73 broadcasts pass {way} within 60 s");
        scene.record.check(what, took.is_some_and(|took| took < secs(60)), shown);
        let what = format!("BLA-38 no broadcast passes twice {way} until then");
        // A gateway of the module claims at the same moment as another one, and both deliver.
        if strict {
            scene.record.check(what, twice(counts) == 0, twice(counts));
        } else {
            scene.record.figure(what, twice(counts));
        }
    }
    Ok(())
}

/// Each broadcast arrives once, and none comes back to where it came from.
fn once_each(scene: &mut Scene<'_>, wires: &mut Wires) -> Result<()> {
    let host = |base: [u8; 6], number: u16| {
        let mut mac = base;
        mac[5] = 0x60 + (number % HOSTS) as u8;
        mac
    };
    // The first one of each makes it known.
    for round in [3, 4] {
        let count = if round == 3 { HOSTS } else { BROADCASTS };
        let mut counts = [(); 4].map(|()| BTreeMap::new());
        for number in 0..count {
            wires.mesh.send(&frame([0xff; 6], host(STATION, number), round, number))?;
            wires.host.send(&frame([0xff; 6], host(Lan::HOST, number), round + 10, number))?;
            sleep(Duration::from_millis(30));
        }
        sleep(secs(1));
        let heard_by = |socket: &mut FrameSocket| -> Result<[BTreeMap<u16, u32>; 2]> {
            let mut both = [BTreeMap::new(), BTreeMap::new()];
            while let Some(bytes) = socket.try_receive()? {
                let at = 14 + MARK.len();
                if bytes.get(14..at) == Some(MARK) {
                    let number = u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]);
                    for (kind, counts) in [round, round + 10].into_iter().zip(&mut both) {
                        if bytes[at] == kind {
                            *counts.entry(number).or_default() += 1;
                        }
                    }
                }
            }
            Ok(both)
        };
        let [into_lan, back_to_host] = heard_by(&mut wires.host)?;
        let [back_to_mesh, into_mesh] = heard_by(&mut wires.mesh)?;
        [counts[0], counts[1], counts[2], counts[3]] =
            [into_lan, into_mesh, back_to_host, back_to_mesh];
        for (which, what) in
            ["from the mesh into the LAN", "from the LAN into the mesh"].into_iter().enumerate()
        {
            let copies: u32 = counts[which].values().sum();
            let twice = counts[which].values().filter(|count| **count > 1).count();
            let lost = usize::from(count) - counts[which].len();
            let seen = format!("{copies} copies of {count}, {lost} lost, {twice} more than once");
            let first = round == 3;
            if first {
                scene.record.figure(format!("first broadcasts of {HOSTS} hosts {what}"), &seen);
            } else {
                scene.record.figure(format!("broadcasts {what}"), &seen);
            }
            if has_noctule(scene) {
                let what = format!("BLA-107 BLA-108 BLA-118 each broadcast {what} arrives once");
                scene.record.check(what, lost == 0 && twice == 0, seen);
            }
        }
        let back: u32 = counts[2].values().chain(counts[3].values()).sum();
        let what = "BLA-50 BLA-117 no broadcast comes back to its sender";
        scene.record.check(format!("{what} ({round})"), back == 0, back);
        scene.nobody_died()?;
    }
    Ok(())
}

/// Whether one of the gateways is a Noctule node. Two of the module's may claim a client at the same moment again and again,
/// and then neither delivers (BLA-98).
fn has_noctule(scene: &Scene<'_>) -> bool {
    [1, 2].iter().any(|number| scene.node(*number).kind == Kind::Noctule)
}

fn all_noctule(scene: &Scene<'_>) -> bool {
    [1, 2].iter().all(|number| scene.node(*number).kind == Kind::Noctule)
}

fn table<T: serde::de::DeserializeOwned>(scene: &Scene<'_>, at: u8, name: &str) -> Result<Vec<T>> {
    let node = scene.node(at);
    let text = match node.kind {
        Kind::Kernel => node.tool(&[&format!("bla_{name}_json")])?.success()?,
        Kind::Noctule => node.tool(&[&format!("{name}table"), "--json"])?.success()?,
    };
    Ok(serde_json::from_str(&text)?)
}

/// Who serves this station, and whether both gateways say the same.
fn owner(scene: &Scene<'_>, station: [u8; 6]) -> Result<Option<u8>> {
    let mut owners = Vec::new();
    for at in [1, 2] {
        let rows: Vec<Claim> = table(scene, at, "claim")?;
        let row = rows.into_iter().find(|row| row.bla_address == text(station));
        owners.push(row.map(|row| row.bla_backbone));
    }
    let number = |mac: &String| (1..=2).find(|number| scene.node(*number).originator() == *mac);
    Ok(owners[0].as_ref().filter(|_| owners[0] == owners[1]).and_then(number))
}

/// Both gateways know each other, with the same sums, and agree who serves whom.
fn agree(scene: &mut Scene<'_>) -> Result<()> {
    let mut seen = String::new();
    let outcome = scene.wait("the gateways do not agree", secs(25), |scene| {
        let claims: Vec<Vec<Claim>> =
            [1, 2].iter().map(|at| table(scene, *at, "claim")).collect::<Result<_>>()?;
        let key = |row: &Claim| (row.bla_address.clone(), row.bla_backbone.clone(), row.bla_crc);
        let [mut one, mut other] = [0, 1].map(|at| claims[at].iter().map(key).collect::<Vec<_>>());
        one.sort();
        other.sort();
        let mut sums = true;
        for (at, of) in [(1, 2), (2, 1)] {
            let rows: Vec<Backbone> = table(scene, at, "backbone")?;
            let originator = scene.node(of).originator();
            let row = rows.iter().find(|row| row.bla_backbone == originator && row.bla_vid == -1);
            let crc = one.iter().find(|(_, backbone, _)| *backbone == originator);
            sums &= row
                .is_some_and(|row| !row.bla_own && crc.is_none_or(|(.., crc)| *crc == row.bla_crc));
        }
        seen =
            format!("{} claims, {}", one.len(), if one == other { "the same" } else { "others" });
        Ok(one == other && sums && !one.is_empty())
    });
    let what = "BLA-02 BLA-04 BLA-30 BLA-34 BLA-96 the gateways have the same claims and sums";
    if has_noctule(scene) {
        scene.record.check(what, outcome.is_ok(), seen);
    } else {
        scene.record.figure(what, seen);
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Event {
    /// Its mesh interface goes down, and it is still on the LAN.
    MeshLost,
    /// Both go down.
    Dead,
}

/// What one kind of probe came to.
#[derive(Default)]
struct Trace {
    sent: Vec<Instant>,
    counts: BTreeMap<u16, u32>,
}

impl Trace {
    /// From the event until everything arrives again, if that was before the end.
    fn recovery(&self, event: Instant) -> Option<Duration> {
        let lost = |number: &usize| !self.counts.contains_key(&(*number as u16));
        let last = (0..self.sent.len()).rev().find(lost);
        let Some(last) = last else { return Some(Duration::ZERO) };
        let next = self.sent.get(last + 10)?;
        let _ = next;
        Some(self.sent[last + 1].saturating_duration_since(event))
    }

    fn lost(&self) -> usize {
        self.sent.len() - self.counts.len()
    }

    fn twice(&self) -> usize {
        self.counts.values().filter(|count| **count > 1).count()
    }
}

fn fail_over(scene: &mut Scene<'_>, lan: &Lan, wires: &mut Wires, event: Event) -> Result<()> {
    let station3 = [0x02, 0xba, 0, 0, 3, 0xba];
    let mut number = 0;
    let serving = scene.wait("no gateway serves", secs(60), |scene| {
        for _ in 0..3 {
            number += 1;
            wires.mesh.send(&frame([0xff; 6], STATION, 5, number))?;
            wires.echo.ping(56, INTERVAL)?;
        }
        let [one, other] = [owner(scene, STATION)?, owner(scene, station3)?];
        Ok(one.is_some() && other.is_some())
    });
    let gateway = owner(scene, STATION)?.filter(|_| serving.is_ok());
    let Some(gateway) = gateway else {
        let what = format!("{event:?}: one gateway serves both stations within 60 s");
        if has_noctule(scene) {
            scene.record.check(what, false, "none");
        } else {
            scene.record.figure(what, "none");
        }
        return Ok(());
    };
    let other = 3 - gateway;
    let (mesh_side, lan_side) = (scene.node(gateway).interface(1), format!("l{gateway}"));
    let [mut pings, mut floods, mut answers] = [(); 3].map(|()| Trace::default());
    while wires.host.try_receive()?.is_some() {}
    while wires.mesh.try_receive()?.is_some() {}
    let begun = Instant::now();
    let mut happened = None;
    for number in 0.. {
        if begun.elapsed() > secs(2) && happened.is_none() {
            happened = Some(Instant::now());
            scene.node(gateway).space().set_link(&mesh_side, &[Set::Down])?;
            if matches!(event, Event::Dead) {
                scene.node(gateway).space().set_link(&lan_side, &[Set::Down])?;
            }
        }
        if begun.elapsed() > secs(2) + WATCHED {
            break;
        }
        let now = Instant::now();
        for trace in [&mut pings, &mut floods, &mut answers] {
            trace.sent.push(now);
        }
        let sequence = wires.echo.send(56)?;
        if number == 0 {
            pings.counts.insert(u16::MAX, u32::from(sequence));
        }
        wires.mesh.send(&frame([0xff; 6], STATION, 6, number))?;
        wires.host.send(&frame(STATION, Lan::HOST, 7, number))?;
        sleep(INTERVAL.saturating_sub(now.elapsed()));
        arrived(&mut wires.host, 6, &mut floods.counts)?;
        arrived(&mut wires.mesh, 7, &mut answers.counts)?;
        let first = pings.counts[&u16::MAX] as u16;
        while let Some((sequence, _)) = wires.echo.answer(Instant::now())? {
            *pings.counts.entry(sequence.wrapping_sub(first)).or_default() += 1;
        }
    }
    pings.counts.remove(&u16::MAX);
    // Those that were sent last may be on their way.
    for trace in [&mut pings, &mut floods, &mut answers] {
        trace.sent.truncate(trace.sent.len() - 2);
        let sent = trace.sent.len() as u16;
        trace.counts.retain(|number, _| *number < sent);
    }
    scene.nobody_died()?;
    let happened = happened.unwrap_or(begun);
    let kinds = [gateway, other, 3].map(|number| scene.node(number).kind);
    let noctule = kinds.iter().all(|kind| *kind == Kind::Noctule);
    let what = match event {
        Event::MeshLost => "has no mesh any more",
        Event::Dead => "is gone",
    };
    let (title, heir) = (scene.title(gateway), scene.title(other));
    for (trace, about) in [
        (&pings, "pings from the mesh to the LAN"),
        (&floods, "broadcasts of another station of the mesh"),
        (&answers, "frames of the LAN to that station"),
    ] {
        let recovery = trace.recovery(happened);
        let shown = format!(
            "{} ({} of {} lost, {} twice)",
            recovery.map_or(format!("not within {} s", WATCHED.as_secs()), seconds),
            trace.lost(),
            trace.sent.len(),
            trace.twice()
        );
        let what = format!("{title} {what}, {heir} is there: {about} flow again after");
        scene.record.figure(&what, &shown);
        if noctule {
            let within = recovery.is_some_and(|took| took < ENOUGH);
            scene.record.check(format!("{what} less than 5 s"), within, shown);
        }
    }
    scene.node(gateway).space().set_link(&lan_side, &[Set::Up])?;
    scene.node(gateway).space().set_link(&mesh_side, &[Set::Up])?;
    let _ = &lan.switch;
    scene.wait_for_routes(&[1, 2, 3], secs(60))?;
    sleep(secs(12));
    Ok(())
}
