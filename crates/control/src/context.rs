//! What every part of the engine works with while it handles one input.

use crate::{Event, Output, Rng, Settings};
use noctule_fib::{Counters, Writer};
use noctule_wire::{Discard, Instant, Mac};
use std::collections::VecDeque;

/// The surroundings of a part of the engine, borrowed for one call.
#[derive(Debug)]
pub struct Context<'a> {
    /// When it is.
    pub now: Instant,
    /// What the operator wants.
    pub settings: &'a Settings,
    /// The originator address; `None` until an interface has been active.
    pub primary: Option<Mac>,
    /// Where decisions are published.
    pub fib: &'a mut Writer,
    /// The engine thread's counters.
    pub counters: &'a Counters,
    /// What is to be carried out, oldest first.
    pub outputs: &'a mut VecDeque<Output>,
    /// For jitter.
    pub rng: &'a mut Rng,
}

impl Context<'_> {
    /// Counts something that was not used.
    pub fn discard(&self, reason: Discard) {
        self.counters.discard(reason);
    }

    /// Puts out one thing to do.
    pub fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Tells the operator's tools.
    pub fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
