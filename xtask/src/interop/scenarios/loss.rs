//! Link quality over lossy links: what a Noctule node sees lies within what kernel nodes see.
//!
//! Netem loses frames at random, so no two links are equal. Several kernel pairs give the spread of
//! the kernel's own values for a loss; the medians of the mixed pairs must lie inside it.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::node::Kind;
use super::super::scene::{Scene, secs};
use super::super::stage::Stage;

pub(super) const ABOUT: &str = "links that lose 10 % and 30 % of all frames: Noctule's quality lies in the kernel's own spread";

/// Pairs of each kind for each loss.
const PAIRS: u8 = 3;
/// The losses, in percent of the frames of each direction.
const LOSSES: [u8; 2] = [10, 30];
/// How long the values are sampled once the windows are full.
const SAMPLED: Duration = secs(30);
/// 64 intervals of 200 ms fill the windows (IV-44); half as much again for those that lost some.
const WARM_UP: Duration = secs(20);

/// A pair of nodes: their numbers, the loss, and whether it has a Noctule node.
struct Pair {
    nodes: (u8, u8),
    loss: u8,
    mixed: bool,
}

pub(super) fn play(stage: &mut Stage) -> Result<()> {
    let mut kinds = Vec::new();
    let mut pairs = Vec::new();
    for loss in LOSSES {
        for mixed in [false, true] {
            for _ in 0..PAIRS {
                let first = kinds.len() as u8 + 1;
                kinds.extend(["K", if mixed { "N" } else { "K" }]);
                pairs.push(Pair { nodes: (first, first + 1), loss, mixed });
            }
        }
    }
    let links: Vec<_> = pairs.iter().map(|pair| pair.nodes).collect();
    let mut scene = stage.mesh_of(&kinds.join("-"), &links)?;
    for pair in &pairs {
        scene.node(pair.nodes.0).lose(1, pair.loss)?;
        scene.node(pair.nodes.1).lose(1, pair.loss)?;
    }
    scene.start_all()?;
    scene.record.step(format!("{} pairs run; their windows fill", pairs.len()));
    sleep(WARM_UP);
    let samples = sample(&mut scene, &pairs)?;
    for loss in LOSSES {
        judge(&mut scene, &samples, loss);
    }
    scene.close()
}

/// All values of a kind of view under a loss: the kernel's of a kernel node, the kernel's of a
/// Noctule node, Noctule's of a kernel node.
type Samples = BTreeMap<(u8, View), Vec<u8>>;

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum View {
    KernelOfKernel,
    KernelOfNoctule,
    NoctuleOfKernel,
}

fn sample(scene: &mut Scene<'_>, pairs: &[Pair]) -> Result<Samples> {
    let mut samples = Samples::new();
    let begun = Instant::now();
    while begun.elapsed() < SAMPLED {
        for pair in pairs {
            let (a, b) = pair.nodes;
            for (at, of) in [(a, b), (b, a)] {
                let view = match (scene.node(at).kind, pair.mixed) {
                    (Kind::Noctule, _) => View::NoctuleOfKernel,
                    (Kind::Kernel, true) => View::KernelOfNoctule,
                    (Kind::Kernel, false) => View::KernelOfKernel,
                };
                samples.entry((pair.loss, view)).or_default().push(scene.tq(at, of)?);
            }
        }
        scene.nobody_died()?;
    }
    for values in samples.values_mut() {
        values.sort_unstable();
    }
    Ok(samples)
}

fn judge(scene: &mut Scene<'_>, samples: &Samples, loss: u8) {
    let empty = Vec::new();
    let values = |view| samples.get(&(loss, view)).unwrap_or(&empty);
    let spread = values(View::KernelOfKernel);
    for view in [View::KernelOfKernel, View::KernelOfNoctule, View::NoctuleOfKernel] {
        let values = values(view);
        scene.record.figure(format!("{loss} % loss, TQ, {view:?}"), summary(values));
    }
    let (low, high) = (quantile(spread, 0.0), quantile(spread, 1.0));
    for view in [View::KernelOfNoctule, View::NoctuleOfKernel] {
        let median = quantile(values(view), 0.5);
        scene.record.check(
            format!("IV-61 IV-62 IV-64 {loss} % loss: the median of {view:?} lies in the kernel's spread"),
            (low..=high).contains(&median) && median > 0,
            format!("{median} in {low}..{high}"),
        );
    }
}

fn summary(sorted: &[u8]) -> String {
    let at = |part| quantile(sorted, part);
    format!(
        "min {} p10 {} median {} p90 {} max {} ({} samples)",
        at(0.0),
        at(0.1),
        at(0.5),
        at(0.9),
        at(1.0),
        sorted.len()
    )
}

/// The value below which a part of the sorted values lie.
fn quantile(sorted: &[u8], part: f64) -> u8 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((part * last as f64).round() as usize).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_few_values() {
        assert_eq!(quantile(&[1, 2, 3], 0.0), 1);
        assert_eq!(quantile(&[1, 2, 3], 0.5), 2);
        assert_eq!(quantile(&[1, 2, 3], 1.0), 3);
        assert_eq!(quantile(&[], 0.5), 0);
    }
}
