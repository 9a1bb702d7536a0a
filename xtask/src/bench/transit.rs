//! Frames in transit: how many a second the node in the middle forwards, up to which rate none is lost, and what each costs.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::chain::{Chain, Kind, as_card};
use super::figures::Figures;
use super::generator::{self, Control, FLOWS, Generator, Traffic};
use super::plan::Plan;
use super::processor;
use super::sink::Sink;
use crate::lab::Lab;
use crate::node::Node;

/// Lengths of the frames in bytes, Ethernet header included.
pub(super) const LENGTHS: [usize; 3] = [64, 512, 1400];
/// What is still under way when the generator ends has arrived after this.
const SETTLE: Duration = Duration::from_millis(100);
/// The share of frames that may be lost at a rate "without loss".
const LOST: f64 = 0.001;
/// Who loses more than this share at full speed cannot keep up with the generator.
const TIGHT: f64 = 0.01;
/// The share of the slowest peer's rate at which all peers' costs are measured.
const SHARE: f64 = 0.5;
/// The generator's name among the peers.
pub(super) const STRAIGHT: &str = "generator";

/// What arrives at full speed. `queues` generators, each on a processor of its own, send `flows` flows each.
pub(super) fn rate(length: usize, queues: u8, flows: u8) -> String {
    let how = match (queues, flows) {
        (1, 1) => "one queue, one flow",
        (1, _) => "one queue, many flows",
        _ => "two queues, a flow each",
    };
    format!("transit {length} B, {how}, frames/s")
}

/// The highest rate without loss. The frames have 64 bytes.
pub(super) const NO_DROP: &str = "no-drop rate 64 B, one queue, one flow, frames/s";
/// Loss of frames of 64 bytes, of peers that lose any at full speed.
pub(super) const LOSS: &str = "loss at 80 % of the peak, one queue, %";
/// Processor time of generator and daemon for each forwarded frame, that of the generator alone taken off.
pub(super) const COST: &str = "CPU per forwarded frame, 64 B, µs";
/// At which rate that was.
pub(super) const COST_AT: &str = "offered for that, frames/s";

/// The two ends of a row between which frames go.
struct Way<'a> {
    source: Generator,
    sink: &'a Sink,
    traffic: &'a dyn Fn(u8, usize) -> Result<Traffic>,
    /// Process number of the daemon that forwards, if one does.
    daemon: Option<u32>,
}

/// One run of the generator, seen from both ends.
struct Run {
    sent: u64,
    arrived: u64,
    /// What arrived in the window, which begins when all is warm and ends before the generator does.
    in_window: u64,
    window: Duration,
    /// Processor time within it.
    worked: Worked,
    queues: u8,
}

/// For how long whoever takes part had a processor. What other programs of the machine used is not in it.
#[derive(Clone, Copy, Debug, Default)]
struct Worked {
    /// The generator's threads together, and what the kernel does in their name: receiving, and all forwarding inside the kernel.
    generator: Duration,
    /// The daemon's threads together.
    daemon: Duration,
    /// The one of them that worked most.
    busiest: Duration,
}

impl Worked {
    fn between(before: &Ran, after: &Ran) -> Self {
        let worked = |part: fn(&Ran) -> &BTreeMap<u32, Duration>| {
            let before = part(before).clone();
            part(after).clone().into_iter().map(move |(thread, ran)| {
                ran.saturating_sub(before.get(&thread).copied().unwrap_or_default())
            })
        };
        Self {
            generator: worked(|ran| &ran.generator).sum(),
            daemon: worked(|ran| &ran.daemon).sum(),
            busiest: worked(|ran| &ran.daemon).max().unwrap_or_default(),
        }
    }

    fn all(self) -> Duration {
        self.generator + self.daemon
    }
}

/// How long each thread has run.
struct Ran {
    generator: BTreeMap<u32, Duration>,
    daemon: BTreeMap<u32, Duration>,
}

/// What the generator sends in a run.
#[derive(Clone, Copy)]
struct Load {
    length: usize,
    queues: u8,
    flows: u8,
    /// Frames a second; none: as many as go.
    pace: Option<f64>,
}

impl Load {
    const fn full(length: usize, queues: u8, flows: u8) -> Self {
        Self { length, queues, flows, pace: None }
    }

    const fn at(pace: f64) -> Self {
        Self { length: LENGTHS[0], queues: 1, flows: 1, pace: Some(pace) }
    }
}

impl Way<'_> {
    fn run(&self, load: Load, warm_up: Duration, window: Duration) -> Result<Run> {
        let before = self.sink.arrived()?;
        let (sent, seen) = self.during(load, |control| self.watch(control, warm_up, window))?;
        let (in_window, window, worked) = seen;
        sleep(SETTLE);
        let arrived = self.sink.arrived()? - before;
        Ok(Run { sent, arrived, in_window, window, worked, queues: load.queues })
    }

    /// Does something while the generator runs; says how many frames that has sent, and what came of it.
    fn during<T>(&self, load: Load, act: impl FnOnce(&Control) -> Result<T>) -> Result<(u64, T)> {
        let traffic = (self.traffic)(load.flows, load.length)?;
        let control = Control::default();
        std::thread::scope(|scope| {
            let (source, control) = (&self.source, &control);
            let source = scope.spawn(move || source.run(&traffic, load.queues, load.pace, control));
            let done = act(control);
            control.stop.store(true, Ordering::Relaxed);
            let sent = source.join().map_err(|_| anyhow!("the generator panicked"))??;
            Ok((sent, done?))
        })
    }

    /// What happens within a window.
    fn watch(
        &self,
        control: &Control,
        warm_up: Duration,
        window: Duration,
    ) -> Result<(u64, Duration, Worked)> {
        sleep(warm_up);
        let (begun, first, before) = (Instant::now(), self.sink.arrived()?, self.ran(control)?);
        sleep(window);
        let (window, last, after) = (begun.elapsed(), self.sink.arrived()?, self.ran(control)?);
        Ok((last - first, window, Worked::between(&before, &after)))
    }

    fn ran(&self, control: &Control) -> Result<Ran> {
        let mut generator = processor::ran("self")?;
        let threads = control.threads.lock().unwrap_or_else(PoisonError::into_inner);
        generator.retain(|thread, _| threads.contains(thread));
        let daemon = self.daemon.map(|daemon| processor::ran(&daemon.to_string())).transpose()?;
        Ok(Ran { generator, daemon: daemon.unwrap_or_default() })
    }
}

impl Run {
    /// Frames that arrived in a second of the processor that was the bottleneck. With one queue that is the generator's, or, if
    /// frames were lost, the daemon's; with two it is both, whoever worked there. On a machine that does nothing else it
    /// is a second on the wall; on another one, what the others took is left out.
    fn rate(&self) -> f64 {
        let time = match self.queues {
            1 if self.loss() > TIGHT && !self.worked.busiest.is_zero() => self.worked.busiest,
            1 => self.worked.generator,
            queues => self.worked.all() / queues.into(),
        };
        self.in_window as f64 / time.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Frames that arrived in a second on the wall.
    fn on_the_wall(&self) -> f64 {
        self.in_window as f64 / self.window.as_secs_f64()
    }

    /// The share of frames that did not arrive.
    fn loss(&self) -> f64 {
        self.sent.saturating_sub(self.arrived) as f64 / self.sent.max(1) as f64
    }

    /// Seconds of processor time for each frame that arrived, all included.
    fn cost(&self) -> f64 {
        self.worked.all().as_secs_f64() / self.in_window.max(1) as f64
    }
}

/// Two namespaces with a cable between: what the generator can do alone, with its frames dropped where a node would receive them.
pub(super) struct Straight {
    near: Node,
    far: Node,
    sink: Sink,
}

impl Straight {
    /// Builds it.
    pub(super) fn new(lab: &Lab) -> Result<Self> {
        let mut near = Node::new(lab, "".as_ref(), "straight1", 1)?;
        let mut far = Node::new(lab, "".as_ref(), "straight2", 2)?;
        near.link(&mut far, lab, 1500)?;
        as_card(&far, true)?;
        let sink = Sink::new(lab, &far.namespace, "e1")?;
        Ok(Self { near, far, sink })
    }

    fn with<T>(&self, act: impl FnOnce(&Way<'_>) -> Result<T>) -> Result<T> {
        let traffic = |flows, length| {
            let path = generator::Path {
                next_hop: self.far.mac(1),
                sender: self.near.mac(1),
                originator: self.far.mac(1),
                ttvn: 0,
            };
            Ok(Traffic { path, flows, length })
        };
        let source = Generator::new(&self.near.namespace, "e1")?;
        act(&Way { source, sink: &self.sink, traffic: &traffic, daemon: None })
    }

    /// Measures what the generator can do.
    pub(super) fn measure(&self, figures: &mut Figures, plan: &Plan) -> Result<()> {
        self.with(|way| full_speed(figures, STRAIGHT, way, plan)).map(drop)
    }
}

/// Runs at full speed; returns the one with one queue, one flow and the shortest frames.
fn full_speed(figures: &mut Figures, name: &str, way: &Way<'_>, plan: &Plan) -> Result<Run> {
    let mut add = |length, queues, flows| -> Result<Run> {
        let run = way.run(Load::full(length, queues, flows), plan.warm_up, plan.time)?;
        figures.add(rate(length, queues, flows), name, run.rate());
        Ok(run)
    };
    let first = add(LENGTHS[0], 1, 1)?;
    if !plan.quick {
        add(LENGTHS[0], 1, FLOWS)?;
    }
    if processor::count() > 1 {
        add(LENGTHS[0], 2, 1)?;
    }
    for &length in &plan.lengths()[1..] {
        add(length, 1, 1)?;
    }
    Ok(first)
}

/// With a peer's second node receiving as a network card does.
fn with_card<T>(chain: &Chain, act: impl FnOnce(&Way<'_>) -> Result<T>) -> Result<T> {
    as_card(chain.node(2), true)?;
    let result = chain.check_transit().and_then(|()| {
        let source = Generator::new(&chain.node(1).namespace, "e1")?;
        let traffic = |flows, length| chain.traffic(flows, length);
        let daemon = chain.processes().get(1).copied();
        act(&Way { source, sink: chain.sink()?, traffic: &traffic, daemon })
    });
    as_card(chain.node(2), false)?;
    result
}

/// Does something while a peer's second node gets all the generator can give, by one queue.
pub(super) fn at_full_speed<T>(chain: &Chain, act: impl FnOnce() -> Result<T>) -> Result<T> {
    with_card(chain, |way| {
        way.during(Load::full(LENGTHS[0], 1, 1), |_| act()).map(|(_, done)| done)
    })
}

/// A round on one peer: what it forwards at full speed, and without loss. Returns the former, with one queue.
pub(super) fn measure(figures: &mut Figures, chain: &Chain, plan: &Plan) -> Result<f64> {
    with_card(chain, |way| {
        let name = chain.kind.name();
        let full = full_speed(figures, name, way, plan)?;
        let peak = full.rate();
        if full.loss() <= LOST {
            figures.add(NO_DROP, name, peak);
            return Ok(peak);
        }
        figures.add(NO_DROP, name, no_drop(way, peak, plan)?);
        let paced = way.run(Load::at(peak * 0.8), plan.warm_up, plan.time)?;
        figures.add(LOSS, name, paced.loss() * 100.0);
        Ok(peak)
    })
}

/// The highest rate without loss, by halving what lies between. One trial of two is enough: the other may have been disturbed.
fn no_drop(way: &Way<'_>, peak: f64, plan: &Plan) -> Result<f64> {
    let passes = |pace: f64| -> Result<bool> {
        for _ in 0..2 {
            let run = way.run(Load::at(pace), plan.warm_up, plan.time / 2)?;
            if run.loss() <= LOST && run.on_the_wall() >= pace * 0.95 {
                return Ok(true);
            }
        }
        Ok(false)
    };
    highest(peak * 1.2, if plan.quick { 4 } else { 6 }, passes)
}

/// The highest of the values below `limit` that passes, found in so many steps.
fn highest(limit: f64, steps: u32, passes: impl Fn(f64) -> Result<bool>) -> Result<f64> {
    let (mut passed, mut failed) = (0.0, limit);
    for _ in 0..steps {
        let middle = (passed + failed) / 2.0;
        *(if passes(middle)? { &mut passed } else { &mut failed }) = middle;
    }
    Ok(passed)
}

/// What a frame costs each of these peers, at one rate that all can carry: half of the lowest of their `peaks`.
pub(super) fn costs(
    figures: &mut Figures,
    straight: &Straight,
    chains: &[(&Chain, f64)],
    plan: &Plan,
) -> Result<()> {
    let Some(least) = chains.iter().map(|(_, peak)| *peak).reduce(f64::min) else { return Ok(()) };
    let load = Load::at(least * SHARE);
    let run = |way: &Way<'_>| way.run(load, plan.warm_up, plan.time * 2);
    let alone = straight.with(run)?;
    figures.add(COST, STRAIGHT, alone.cost() * 1e6);
    figures.add(COST_AT, STRAIGHT, alone.on_the_wall());
    for (chain, _) in chains {
        let name = chain.kind.name();
        let done = with_card(chain, run).map(|run| {
            figures.add(COST, name, (run.cost() - alone.cost()).max(0.0) * 1e6);
            figures.add(COST_AT, name, run.on_the_wall());
        });
        figures.skip_if_failed(name, done);
    }
    Ok(())
}

/// What a peer forwards on this machine: the better of its rates with one queue and with two.
pub(super) fn best(figures: &Figures, kind: Kind) -> Option<f64> {
    let median = |queues| figures.median(&rate(LENGTHS[0], queues, 1), kind.name());
    median(1).into_iter().chain(median(2)).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_rate_that_passes_is_found() {
        let found = highest(1000.0, 10, |rate| Ok(rate <= 700.0)).unwrap();
        assert!((699.0..=700.0).contains(&found), "{found}");
        assert_eq!(highest(1000.0, 5, |_| Ok(false)).unwrap(), 0.0);
    }

    #[test]
    fn what_arrives_in_the_window_makes_the_rate_and_all_makes_the_loss() {
        let milliseconds = Duration::from_millis;
        let worked = Worked {
            generator: milliseconds(200),
            daemon: milliseconds(300),
            busiest: milliseconds(250),
        };
        let mut run = Run {
            sent: 1000,
            arrived: 999,
            in_window: 500,
            window: milliseconds(500),
            worked,
            queues: 1,
        };
        assert_eq!((run.on_the_wall(), run.rate()), (1000.0, 2500.0));
        assert!((run.loss() - 0.001).abs() < 1e-9 && (run.cost() - 0.001).abs() < 1e-9);
        // The daemon did not keep up.
        run.sent = 2000;
        assert_eq!(run.rate(), 2000.0);
        run.queues = 2;
        assert_eq!(run.rate(), 2000.0);
    }
}
