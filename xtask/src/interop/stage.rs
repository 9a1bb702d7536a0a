//! Where scenarios are played: inside the guest.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::capture::Pcapng;
use super::lan::Lan;
use super::node::Programs;
use super::record::Record;
use super::scenarios::{self, Scenario};
use super::scene::{Scene, Wires};
use crate::lab::Lab;

/// What a scenario has at hand.
pub(crate) struct Stage {
    /// The programs of the nodes.
    pub(crate) programs: Programs,
    /// The kinds of the scenario's nodes, as in `K-N-K`.
    pub(crate) kinds: &'static str,
    /// How often a measuring scenario repeats, if somebody asked.
    rounds: u32,
    /// Where the scenario says what it does and sees.
    pub(crate) record: Record,
    capture: Pcapng,
    lab: Lab,
}

impl Stage {
    /// How often a measurement is to be made: as often as it was asked for, or as a test needs it.
    pub(crate) const fn rounds(&self, of_a_test: u32) -> u32 {
        if self.rounds == 0 { of_a_test } else { self.rounds }
    }

    /// Builds a mesh of the scenario's own kinds.
    pub(crate) fn mesh(&mut self, links: &[(u8, u8)]) -> Result<Scene<'_>> {
        self.mesh_of(self.kinds, links)
    }

    /// Builds a mesh of the scenario's own kinds on one Ethernet that all nodes hear.
    pub(crate) fn segment(&mut self) -> Result<Scene<'_>> {
        self.build(self.kinds, Wires::Segment)
    }

    /// The same, with a LAN that these nodes will be bridged to.
    pub(crate) fn segment_with_lan(&mut self, gateways: &[u8]) -> Result<(Scene<'_>, Lan)> {
        let Self { record, lab, programs, capture, kinds, .. } = self;
        let scene = Scene::build(record, lab, programs, capture, kinds, Wires::Segment)?;
        let lan = Lan::lay(lab, &scene, gateways)?;
        Ok((scene, lan))
    }

    fn build(&mut self, kinds: &str, wires: Wires<'_>) -> Result<Scene<'_>> {
        Scene::build(&mut self.record, &self.lab, &self.programs, &self.capture, kinds, wires)
    }

    /// Builds a mesh of these kinds.
    pub(crate) fn mesh_of(&mut self, kinds: &str, links: &[(u8, u8)]) -> Result<Scene<'_>> {
        self.build(kinds, Wires::Links(links))
    }
}

/// Plays scenarios one after the other; their records and captures go to `folder`.
///
/// The exit status says whether they could be played: what they found is in the records.
pub(crate) fn play(
    folder: &Path,
    programs: &Programs,
    rounds: u32,
    names: &[String],
) -> Result<()> {
    for name in names {
        let scenario = scenarios::find(name).with_context(|| format!("no scenario {name}"))?;
        play_one(folder, programs, rounds, scenario)?;
    }
    Ok(())
}

fn play_one(
    folder: &Path,
    programs: &Programs,
    rounds: u32,
    scenario: &'static Scenario,
) -> Result<()> {
    let name = scenario.file_name();
    let logs = folder.join(format!("{name}.logs"));
    fs::create_dir_all(&logs)?;
    let programs = Programs { logs, ..programs.clone() };
    let mut stage = Stage {
        programs,
        kinds: scenario.kinds,
        rounds,
        record: Record::create(folder, &name)?,
        capture: Pcapng::create(&capture_path(folder, &name))?,
        lab: Lab::new(&format!("interop-{name}"))?,
    };
    let outcome = (scenario.play)(&mut stage);
    if let Err(error) = outcome {
        stage.record.check("the scenario runs to its end", false, format!("{error:#}"));
    } else {
        stage.record.check("the scenario runs to its end", true, "");
    }
    stage.capture.flush()
}

/// The capture of a scenario.
pub(crate) fn capture_path(folder: &Path, file_name: &str) -> PathBuf {
    folder.join(format!("{file_name}.pcapng"))
}
