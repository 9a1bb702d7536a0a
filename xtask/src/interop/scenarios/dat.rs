//! ARP: what a request costs on the air, who answers it, and that everybody's cache says the same.

use std::thread::sleep;

use anyhow::{Context, Result, ensure};

use super::super::scene::{Scene, secs};
use super::super::stage::Stage;
use crate::lab::FrameSocket;

pub(super) const ABOUT: &str =
    "the distributed ARP table: requests that cross the air, and what the caches say";

const LINKS: [(u8, u8); 3] = [(1, 2), (2, 3), (3, 4)];
/// Where the outer header ends, and the payload of a broadcast packet begins.
const OUTER: usize = 14;
const INNER: usize = OUTER + 14;

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let kinds = ["K-K-K-K", "N-N-N-N", stage.kinds];
    let mut sums = Vec::new();
    for kinds in kinds {
        let [first, again, third] = requests(stage, kinds)?;
        stage.record.figure(
            format!("{kinds}: ARP broadcasts on the air, three links"),
            format!(
                "{first} for the first request, {again} when asked again, {third} from another node"
            ),
        );
        sums.push([first, again, third]);
    }
    let kernel = sums[0];
    for (kinds, sum) in kinds.into_iter().zip(&sums).skip(1) {
        stage.record.check(
            format!("DAT-33 DAT-36 DAT-41 {kinds} floods no more than K-K-K-K"),
            sum.iter().zip(&kernel).all(|(ours, kernel)| ours <= kernel),
            format!("{sum:?}, {kernel:?}"),
        );
        stage.record.check(
            format!("DAT-33 {kinds} floods nothing for a resolved neighbour"),
            sum[1] == 0 && sum[2] == 0,
            format!("{sum:?}"),
        );
    }
    Ok(())
}

/// Forgets whom the host knows, so that it asks anew.
fn forget(scene: &Scene<'_>, at: u8) -> Result<()> {
    let words = ["ip", "neighbour", "flush", "dev", "bat0"];
    scene.node(at).space().run(&words, secs(10))?.success()?;
    Ok(())
}

/// How many ARP requests cross the links as broadcast while n1 looks for n4 the first time, while it does again, and
/// while n2 does.
fn requests(stage: &mut Stage, kinds: &str) -> Result<[usize; 3]> {
    let mut scene = stage.mesh_of(kinds, &LINKS)?;
    scene.start_all()?;
    scene.wait_for_routes(&[1, 2, 3, 4], secs(60))?;
    scene.expect_same_clients("TT-79", &[1, 2, 3, 4], secs(30))?;
    // Who takes part is known when everybody's OGM with containers has come.
    sleep(secs(3));
    let mut counts = [0; 3];
    for (count, from) in counts.iter_mut().zip([1, 1, 2]) {
        forget(&scene, from)?;
        let mut sockets = Vec::new();
        for number in 1..=4 {
            for interface in scene.node(number).interfaces() {
                let name = scene.node(number).interface(*interface);
                sockets.push(FrameSocket::open(scene.node(number).space(), &name)?);
            }
        }
        let answered = scene.node(from).ping(scene.node(4), 56)?;
        scene.record.check(
            format!("DAT-46 {kinds}: n{from} finds n4"),
            answered.is_some(),
            String::new(),
        );
        // What waits for an answer is flooded after 250 ms.
        sleep(secs(1));
        for socket in &mut sockets {
            while let Some(frame) = socket.try_receive()? {
                *count += usize::from(is_arp_broadcast(frame));
            }
        }
    }
    for at in [1, 4] {
        let (ip, mac) = (scene.node(4).ip().to_string(), scene.node(4).mesh_address());
        let other = (scene.node(1).ip().to_string(), scene.node(1).mesh_address());
        scene.wait("the cache does not have both", secs(10), |scene| {
            let rows = cache(scene, at)?;
            Ok([(&ip, &mac), (&other.0, &other.1)]
                .iter()
                .all(|(ip, mac)| rows.iter().any(|row| row.0 == **ip && row.1 == **mac)))
        })?;
        scene.record.check(
            format!("DAT-07 DAT-81 {kinds}: n{at} says who has the addresses of n1 and n4"),
            true,
            format!("{} rows", cache(&scene, at)?.len()),
        );
    }
    let answers: u64 = (1..=4)
        .map(|number| scene.node(number).counter("dat_cached_reply_tx"))
        .sum::<Result<u64>>()?;
    let puts: u64 =
        (1..=4).map(|number| scene.node(number).counter("dat_put_rx")).sum::<Result<u64>>()?;
    ensure!(puts > 0, "{kinds}: nobody was told of an address");
    scene.record.figure(
        format!("{kinds}: entries put at keepers, requests answered by them"),
        format!("{puts}, {answers}"),
    );
    scene.close()?;
    Ok(counts)
}

fn is_arp_broadcast(frame: &[u8]) -> bool {
    frame.get(12..15) == Some(&[0x43, 0x05, 0x01])
        && frame.get(INNER + 12..INNER + 14) == Some(&[0x08, 0x06])
        && frame.get(INNER + 20..INNER + 22) == Some(&[0, 1])
}

/// Addresses and who has them, as a node's cache prints it.
fn cache(scene: &Scene<'_>, at: u8) -> Result<Vec<(String, String)>> {
    let printed = scene.node(at).tool(&["dat_cache", "-n"])?.success()?;
    let rows = printed.lines().filter_map(|line| line.strip_prefix(" * "));
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some((words.next()?, words.next()?))
    };
    rows.map(|line| row(line).with_context(|| format!("an odd row: {line}"))).collect()
}
