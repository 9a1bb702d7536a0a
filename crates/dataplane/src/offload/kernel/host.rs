//! The maps of what passes between hosts here and the mesh, and the program on the mesh interface.
//!
//! None of it is pinned: the mesh interface ends with the daemon.

use super::super::layout::{
    HostEntry, Route, client_from_bytes, client_to_bytes, originator_to_bytes, remote_to_bytes,
};
use super::super::mirror::HostTables;
use super::error::{OpenError, refused};
use super::hook::{self, classifier};
use super::{Transit, entries, of_map, set};
use aya::Ebpf;
use aya::maps::{Array, HashMap as KernelMap, MapData, PerCpuArray};
use aya::programs::TcAttachType;
use aya::programs::tc::SchedClassifierLink;
use noctule_wire::{Client, Mac};
use std::io;
use std::sync::Arc;

/// The program's name, in the object and in the kernel.
const PROGRAM: &str = "noctule_host";

pub(super) struct HostMaps {
    host: Array<MapData, [u8; 24]>,
    locals: KernelMap<MapData, [u8; 8], [u8; 8]>,
    remotes: KernelMap<MapData, [u8; 8], [u8; 24]>,
    ways: KernelMap<MapData, [u8; 8], [u8; Route::LEN]>,
    pub(super) by_host: Arc<PerCpuArray<MapData, [u64; 5]>>,
    link: Option<SchedClassifierLink>,
}

impl HostMaps {
    pub(super) fn of(ebpf: &mut Ebpf) -> Result<Self, OpenError> {
        let mut take = |name: &str| {
            ebpf.take_map(name).ok_or_else(|| OpenError::Refused(format!("no map {name}")))
        };
        Ok(Self {
            host: of_map(take("host")?)?,
            locals: of_map(take("locals")?)?,
            remotes: of_map(take("remotes")?)?,
            ways: of_map(take("ways")?)?,
            by_host: Arc::new(of_map(take("by_host")?)?),
            link: None,
        })
    }
}

impl Transit {
    /// Puts the program for frames of hosts on the mesh interface, given by name. It goes with that interface.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn attach_host(&mut self, name: &str) -> Result<(), OpenError> {
        let program = classifier(&mut self.ebpf, PROGRAM).map_err(refused)?;
        program.load().map_err(refused)?;
        let (link, _) = hook::attach(program, PROGRAM, self.hook, TcAttachType::Egress, name)?;
        self.host.link = Some(link);
        Ok(())
    }

    /// The program for frames of hosts, for those who run it without an interface.
    ///
    /// # Errors
    /// It is not loaded.
    pub fn host_program(&mut self) -> io::Result<std::os::fd::BorrowedFd<'_>> {
        use std::os::fd::AsFd;
        let program = classifier(&mut self.ebpf, PROGRAM).map_err(io::Error::other)?;
        Ok(program.fd().map_err(io::Error::other)?.as_fd())
    }

    /// Clients here, and when they last sent a frame by way of the kernel, nanoseconds of `CLOCK_MONOTONIC`.
    pub fn seen(&self) -> impl Iterator<Item = (Client, u64)> + '_ {
        entries(&self.host.locals)
            .map(|(client, seen)| (client_from_bytes(client), u64::from_ne_bytes(seen)))
            .filter(|(_, seen)| *seen != 0)
    }
}

impl HostTables for Transit {
    fn set_host(&mut self, host: HostEntry) -> io::Result<()> {
        // What the program has noted stays.
        let before = self.host.host.get(&0, 0).map_err(io::Error::other)?;
        let slow_until = before.first_chunk().copied().unwrap_or_default();
        self.host.host.set(0, host.to_bytes(slow_until), 0).map_err(io::Error::other)
    }

    fn set_local(&mut self, client: Client, here: bool) -> io::Result<()> {
        set(&mut self.host.locals, client_to_bytes(client), here.then_some([0; 8]))
    }

    fn set_remote(&mut self, client: Client, originator: Option<Mac>) -> io::Result<()> {
        set(&mut self.host.remotes, client_to_bytes(client), originator.map(remote_to_bytes))
    }

    fn set_way(&mut self, originator: Mac, way: Option<Route>) -> io::Result<()> {
        set(&mut self.host.ways, originator_to_bytes(originator), way.map(Route::to_bytes))
    }
}
