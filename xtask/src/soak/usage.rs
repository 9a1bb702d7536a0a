//! What a daemon holds: memory and descriptors, and whether that grows.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab::{Process, wait_for};

/// Rounds after which a daemon has seen what there is, and its memory is what it needs.
const WARM: u32 = 9;
/// How much more resident memory it may have at the end, bytes.
const GROWTH_MAX: u64 = 1 << 20;

/// How long a daemon may take to close a connection.
const CLOSED: Duration = Duration::from_secs(20);

/// Of one daemon, since it was started.
#[derive(Debug, Default)]
pub(super) struct Usage {
    rounds: u32,
    /// Bytes and descriptors when it was warm.
    warm: Option<(u64, usize)>,
}

impl Usage {
    /// Looks once more, after a round.
    pub(super) fn look(&mut self, name: &str, daemon: &Process) -> Result<()> {
        self.rounds += 1;
        match self.warm {
            None if self.rounds >= WARM => {
                self.warm = Some((daemon.resident_bytes()?, descriptors(daemon.id())?));
            }
            Some((_, warm)) => {
                // A connection of whoever asked last may not be closed yet.
                wait_for(CLOSED, "what was opened is closed", || {
                    let now = descriptors(daemon.id())?;
                    ensure!(now <= warm, "{name} has {now} descriptors, {warm} when it was warm");
                    Ok(())
                })?;
            }
            None => {}
        }
        Ok(())
    }

    /// Looks a last time; says how many bytes it has more than when it was warm, if it ever was.
    pub(super) fn end(&self, name: &str, daemon: &Process) -> Result<Option<i64>> {
        let Some((warm, _)) = self.warm else { return Ok(None) };
        let now = daemon.resident_bytes()?;
        ensure!(now <= warm + GROWTH_MAX, "{name} has grown from {warm} to {now} bytes");
        Ok(Some(now.cast_signed() - warm.cast_signed()))
    }
}

fn descriptors(process: u32) -> Result<usize> {
    let path = format!("/proc/{process}/fd");
    Ok(std::fs::read_dir(&path).with_context(|| format!("cannot read {path}"))?.count())
}
