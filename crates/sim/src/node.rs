//! One simulated node: engine, pipeline, and where their outputs go.

use crate::NodeId;
use crate::mesh::wall_clock;
use noctule_control::{
    Engine, Event, IfaceSettings, Input, Measured, MeterResult, Output, Settings,
};
use noctule_dataplane::pipeline::{PipelineSettings, egress};
use noctule_dataplane::{Hint, Outlet, Pipeline};
use noctule_fib::{Counters, Fib, HashKey, Iface, View, Writer};
use noctule_wire::{Discard, Instant, Mac, SeqNo};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node of the simulation.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) engine: Engine,
    pipeline: Pipeline,
    pub(crate) fib: Fib,
    /// The engine's and the pipeline's counters.
    pub(crate) counters: [Arc<Counters>; 2],
    pub(crate) mesh_mac: Mac,
    pub(crate) events: Vec<(Instant, Event)>,
    pub(crate) meter_results: Vec<MeterResult>,
    /// What the interfaces say of their speed, Mbit/s, where that is not 10,000.
    pub(crate) speeds: BTreeMap<Iface, u32>,
    /// Whether the node takes part; a dead one neither hears nor speaks.
    pub(crate) alive: bool,
}

/// What one node did in one turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    pub(crate) sent: Vec<(Iface, Vec<u8>)>,
    pub(crate) delivered: Vec<Vec<u8>>,
    punted: Vec<(Iface, Vec<u8>)>,
    hints: Vec<Hint>,
}

impl Outlet for Turn {
    fn transmit(&mut self, iface: Iface, _: u8, parts: &[&[u8]]) -> Result<(), Discard> {
        self.sent.push((iface, parts.concat()));
        Ok(())
    }

    fn deliver(&mut self, parts: &[&[u8]]) -> Result<(), Discard> {
        self.delivered.push(parts.concat());
        Ok(())
    }

    fn punt(&mut self, iface: Iface, frame: &[u8]) -> Result<(), Discard> {
        self.punted.push((iface, frame.to_vec()));
        Ok(())
    }

    fn hint(&mut self, hint: Hint) -> Result<(), Discard> {
        self.hints.push(hint);
        Ok(())
    }
}

impl Node {
    /// A node; its sequence numbers start from the clock, as a daemon's do.
    pub(crate) fn new(now: Instant, id: NodeId, seed: u64, settings: Settings) -> Self {
        let broadcasts = SeqNo(wall_clock(now).wrapping_mul(64));
        let hash_key = HashKey([seed, !seed]);
        let writer = Writer::new(hash_key, seed as u16, broadcasts);
        let fib = writer.reader();
        let counters = [Arc::default(), Arc::<Counters>::default()];
        let pipeline =
            Pipeline::new(fib.clone(), Arc::clone(&counters[1]), PipelineSettings::new(hash_key));
        let engine = Engine::new(now, settings, writer, Arc::clone(&counters[0]), seed);
        let mesh_mac = id.mesh_mac();
        Self {
            engine,
            pipeline,
            fib,
            counters,
            mesh_mac,
            events: Vec::new(),
            meter_results: Vec::new(),
            speeds: BTreeMap::new(),
            alive: true,
        }
    }

    pub(crate) fn start(&mut self, now: Instant) -> Turn {
        self.engine(now, Input::MeshInterface { mac: self.mesh_mac, mtu: 1500 })
    }

    pub(crate) fn attach(
        &mut self,
        now: Instant,
        iface: Iface,
        link: noctule_control::Link,
        seqno: u32,
    ) -> Turn {
        self.engine(now, Input::Attach { iface, link, settings: IfaceSettings::default(), seqno })
    }

    /// An input for the engine.
    pub(crate) fn engine(&mut self, now: Instant, input: Input<'_>) -> Turn {
        let mut turn = Turn::default();
        self.engine.handle(now, input);
        self.settle(now, &mut turn);
        turn
    }

    /// A frame from a link.
    pub(crate) fn receive(&mut self, now: Instant, iface: Iface, frame: &mut [u8]) -> Turn {
        let mut turn = Turn::default();
        self.pipeline.receive(now, iface, frame, &mut turn);
        self.settle(now, &mut turn);
        turn
    }

    /// A frame from the host.
    pub(crate) fn send(&mut self, now: Instant, frame: &[u8]) -> Turn {
        let mut turn = Turn::default();
        self.pipeline.send(now, frame, &mut turn);
        self.settle(now, &mut turn);
        turn
    }

    /// Whatever is due.
    pub(crate) fn wake(&mut self, now: Instant) -> Turn {
        let mut turn = Turn::default();
        if self.pipeline.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.pipeline.on_deadline(now, &mut turn);
        }
        if self.engine.next_deadline() <= now {
            self.engine.handle(now, Input::Deadline);
        }
        self.settle(now, &mut turn);
        turn
    }

    /// When [`Self::wake`] is wanted.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.engine.next_deadline().min(self.pipeline.next_deadline().unwrap_or(Instant::NEVER))
    }

    /// Carries what the pipeline handed up to the engine, and what the engine puts out back down.
    fn settle(&mut self, now: Instant, turn: &mut Turn) {
        loop {
            for hint in core::mem::take(&mut turn.hints) {
                let input = match hint {
                    Hint::Local(client) => {
                        Input::LearnLocal { client, wifi: false, isolated: false }
                    }
                    Hint::Bridge(news) => Input::Bridge(news),
                    Hint::Remote { client, originator } => {
                        Input::LearnRemote { client, originator }
                    }
                };
                self.engine.handle(now, input);
            }
            for (iface, frame) in core::mem::take(&mut turn.punted) {
                self.engine.handle(now, Input::Frame { iface, bytes: &frame });
            }
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Transmit { iface, frame } => turn.sent.push((iface, frame)),
                    Output::ToOriginator { destination, view, packet } => {
                        let guard = self.fib.pin();
                        let counters = &self.counters[0];
                        let sent = egress::send_to_originator(
                            &guard,
                            counters,
                            destination,
                            view,
                            0,
                            &packet,
                            turn,
                        );
                        if let Err(discard) = sent {
                            counters.discard(discard);
                        }
                    }
                    Output::MeterMessage { destination, seqno, packet } => {
                        let guard = self.fib.pin();
                        let counters = &self.counters[0];
                        let view = View::Default;
                        let sent = egress::send_to_originator(
                            &guard,
                            counters,
                            destination,
                            view,
                            0,
                            &packet,
                            turn,
                        );
                        if sent.is_err() {
                            self.engine.handle(now, Input::MeterRefused { destination, seqno });
                        }
                    }
                    Output::MeterResult(result) => self.meter_results.push(result),
                    Output::ToHost { frame } => turn.delivered.push(frame),
                    Output::Answer(_) => {}
                    Output::Measure { iface, neighbour } => {
                        let speed = Some(self.speeds.get(&iface).copied().unwrap_or(10_000));
                        let measured = Measured::Wired { speed, full_duplex: true };
                        self.engine.handle(now, Input::Measured { iface, neighbour, measured });
                    }
                    Output::Event(event) => self.events.push((now, event)),
                }
            }
            if turn.hints.is_empty() && turn.punted.is_empty() {
                return;
            }
        }
    }
}
