//! Frames in transit: how many a second the node in the middle forwards, what each costs, and what is lost at 80 % of that.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::chain::{Chain, Kind, sink, steer};
use super::figures::Figures;
use super::generator::{self, FLOWS, Generator};
use super::processor;
use crate::lab::Lab;
use crate::node::Node;

/// Lengths of the frames in bytes, Ethernet header included.
pub(super) const LENGTHS: [usize; 3] = [64, 512, 1400];
/// What is still under way when the generator ends has arrived after this.
const SETTLE: Duration = Duration::from_millis(100);
/// The share of its best rate at which a peer's losses and costs are measured.
const SHARE: f64 = 0.8;
/// The generator's name among the peers.
pub(super) const STRAIGHT: &str = "straight";
/// The same with the far end on the other processor.
const STEERED: &str = "straight+rps";

/// A measure's name.
pub(super) fn rate(length: usize, flows: u8) -> String {
    let flows = if flows == 1 { "one flow" } else { "many flows" };
    format!("transit {length} B, {flows}, frames/s")
}
/// Loss of frames of 64 bytes.
pub(super) const LOSS: &str = "loss at 80 % of the peak, %";
/// Processor time of the whole system for each forwarded frame, that of the generator taken off.
pub(super) const COST: &str = "CPU per forwarded frame, 64 B, µs";

/// Two namespaces with a cable between: what the generator can do alone.
pub(super) struct Straight {
    source: Generator,
    far: Node,
    frames: Vec<Vec<Vec<u8>>>,
    /// Seconds of processor time for each frame: making it, sending it, and taking it off the far end.
    cost: f64,
}

impl Straight {
    /// Builds it.
    pub(super) fn new(lab: &Lab) -> Result<Self> {
        let mut near = Node::new(lab, "".as_ref(), "straight1", 1)?;
        let mut far = Node::new(lab, "".as_ref(), "straight2", 2)?;
        near.link(&mut far, lab, 1500)?;
        sink(&far, "e1")?;
        let path = generator::Path {
            next_hop: far.mac(1),
            sender: near.mac(1),
            originator: far.mac(1),
            ttvn: 0,
        };
        let frames = LENGTHS.map(|length| vec![generator::frame(&path, 0, length)]).to_vec();
        Ok(Self { source: Generator::open(&near.namespace, "e1")?, far, frames, cost: 0.0 })
    }

    /// Measures what the generator can do with frames of the first so many of [`LENGTHS`], and what a frame costs it at a moderate rate.
    pub(super) fn measure(
        &mut self,
        figures: &mut Figures,
        lengths: &[usize],
        time: Duration,
    ) -> Result<()> {
        let mut peak = 0.0;
        for (frames, &length) in self.frames.iter().zip(lengths) {
            let run = Run::of(&self.source, &self.far, "e1", frames, None, time)?;
            figures.add(rate(length, 1), STRAIGHT, run.rate());
            peak = if length == LENGTHS[0] { run.rate() } else { peak };
        }
        // Without the work of taking them off: the other processor does that.
        steer(&self.far, true)?;
        let run = Run::of(&self.source, &self.far, "e1", &self.frames[0], None, time);
        steer(&self.far, false)?;
        figures.add(rate(LENGTHS[0], 1), STEERED, run?.rate());
        let run = Run::of(&self.source, &self.far, "e1", &self.frames[0], Some(peak / 4.0), time)?;
        self.cost = run.busy.as_secs_f64() / run.arrived.max(1) as f64;
        figures.add(COST, STRAIGHT, self.cost * 1e6);
        Ok(())
    }
}

/// One run of the generator, seen from both ends.
struct Run {
    sent: generator::Sent,
    arrived: u64,
    busy: Duration,
}

impl Run {
    fn of(
        source: &Generator,
        to: &Node,
        link: &str,
        frames: &[Vec<u8>],
        pace: Option<f64>,
        time: Duration,
    ) -> Result<Self> {
        let before = (to.namespace.link(link)?.rx_frames, processor::busy()?);
        let sent = source.run(frames, pace, time)?;
        sleep(SETTLE);
        let after = (to.namespace.link(link)?.rx_frames, processor::busy()?);
        let (arrived, busy) = (after.0 - before.0, after.1.saturating_sub(before.1));
        Ok(Self { sent, arrived, busy })
    }

    /// Frames a second that arrived.
    fn rate(&self) -> f64 {
        self.arrived as f64 / self.sent.took.as_secs_f64()
    }

    /// The share of frames that did not arrive. Frames of the peers themselves may make up for a few.
    fn loss(&self) -> f64 {
        self.sent.frames.saturating_sub(self.arrived) as f64 / self.sent.frames.max(1) as f64
    }
}

/// A round on one peer. A peer inside the kernel is measured twice: on the generator's own processor, and (`+rps`) with what
/// arrives steered to another one.
pub(super) fn measure(
    figures: &mut Figures,
    chain: &Chain,
    straight: &Straight,
    lengths: &[usize],
    time: Duration,
) -> Result<()> {
    let source = Generator::open(&chain.node(1).namespace, "e1")?;
    let name = chain.kind.name();
    measure_as(figures, chain, straight, &source, name, lengths, time)?;
    if chain.kind.is_in_kernel() {
        steer(chain.node(2), true)?;
        let steered = format!("{name}+rps");
        let result = measure_as(figures, chain, straight, &source, &steered, lengths, time);
        steer(chain.node(2), false)?;
        result?;
    }
    Ok(())
}

fn measure_as(
    figures: &mut Figures,
    chain: &Chain,
    straight: &Straight,
    source: &Generator,
    name: &str,
    lengths: &[usize],
    time: Duration,
) -> Result<()> {
    chain.check_transit()?;
    let sink = chain.node(3);
    let run = |flows: u8, length: usize, pace: Option<f64>| {
        Run::of(source, sink, "e1", &chain.frames(flows, length)?, pace, time)
    };
    for &length in lengths {
        let one = run(1, length, None)?.rate();
        figures.add(rate(length, 1), name, one);
        figures.add(rate(length, FLOWS), name, run(FLOWS, length, None)?.rate());
        if length == LENGTHS[0] {
            let paced = run(1, length, Some(one * SHARE))?;
            figures.add(LOSS, name, paced.loss() * 100.0);
            // What the generator spends goes with the frames sent, and the rest with those that were forwarded.
            let others = paced.busy.as_secs_f64() - straight.cost * paced.sent.frames as f64;
            figures.add(COST, name, others.max(0.0) / paced.arrived.max(1) as f64 * 1e6);
        }
    }
    Ok(())
}

/// The better of a peer's two ways to run, if it was measured: the one that ratios are taken with.
pub(super) fn best(figures: &Figures, kind: Kind, measure: &str) -> Option<f64> {
    let plain = figures.median(measure, kind.name());
    let steered = figures.median(measure, &format!("{}+rps", kind.name()));
    plain.into_iter().chain(steered).reduce(f64::max)
}
