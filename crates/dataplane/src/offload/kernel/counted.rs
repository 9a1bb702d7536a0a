//! What was forwarded, for any thread to read.

use super::super::layout::{Counts, HostCounts};
use aya::maps::{MapData, PerCpuArray};
use noctule_fib::Iface;
use std::sync::Arc;

/// What the kernel has done. Clones are the same counters.
#[derive(Clone)]
pub struct Counted {
    pub(super) arrived: Arc<PerCpuArray<MapData, [u64; 4]>>,
    pub(super) host: Arc<PerCpuArray<MapData, [u64; 5]>>,
}

impl Counted {
    /// What was forwarded that arrived on an interface, since the maps were made.
    pub fn counts(&self, place: Iface) -> Counts {
        let place = u32::try_from(place.index()).unwrap_or(u32::MAX);
        self.arrived.get(&place, 0).map_or(Counts::default(), |cpus| {
            cpus.iter().fold(Counts::default(), |sum, cpu| sum.plus(*cpu))
        })
    }

    /// What passed between hosts here and the mesh, since the maps were made.
    pub fn host_counts(&self) -> HostCounts {
        self.host.get(&0, 0).map_or(HostCounts::default(), |cpus| {
            cpus.iter().fold(HostCounts::default(), |sum, cpu| sum.plus(*cpu))
        })
    }
}

impl core::fmt::Debug for Counted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}
