//! The program and its maps, as the kernel has them.
//!
//! With a BPF file system at hand, maps and links are pinned there: they outlive this process, and the next one adopts them.

mod counted;
mod error;
mod hook;
mod host;
mod pins;

pub use counted::Counted;
pub use error::OpenError;
pub use hook::Hook;

use super::layout::{self, Arrival, Counts, LAYOUT, NodeEntry, Route, RouteCounts, RouteKey};
use super::mirror::{Inherited, Tables};
use aya::maps::{Array, HashMap as KernelMap, Map, MapData, MapError, PerCpuArray};
use aya::programs::TcAttachType;
use aya::programs::links::FdLink;
use aya::programs::tc::SchedClassifierLink;
use aya::{Ebpf, EbpfLoader};
pub(crate) use error::chain;
use error::refused;
use hook::classifier;
use host::HostMaps;
use noctule_fib::Iface;
use noctule_wire::Client;
use pins::{LINK, link_path, remove_folder, remove_other_layouts, remove_pins};
use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(target_endian = "little")]
static OBJECT: &[u8] = aya::include_bytes_aligned!("bpf/transit.bpfel.o");
#[cfg(target_endian = "big")]
static OBJECT: &[u8] = aya::include_bytes_aligned!("bpf/transit.bpfeb.o");

/// The program's name, in the object and in the kernel.
const PROGRAM: &str = "noctule_transit";
/// The maps, as the object names them.
const MAPS: [&str; 6] = ["node", "arrivals", "routes", "departed", "by_arrival", "by_route"];

/// The program on the hard interfaces, and its maps.
pub struct Transit {
    ebpf: Ebpf,
    node: Array<MapData, [u8; 16]>,
    arrivals: KernelMap<MapData, [u8; 4], [u8; 8]>,
    routes: KernelMap<MapData, [u8; 8], [u8; Route::LEN]>,
    departed: KernelMap<MapData, [u8; 8], [u8; 4]>,
    by_arrival: Counted,
    by_route: PerCpuArray<MapData, [u64; 2]>,
    host: HostMaps,
    /// Where maps and links are pinned.
    pins: Option<PathBuf>,
    hook: Hook,
    /// Attachments that are not pinned, by the index of the interface: each is undone when it is dropped.
    links: HashMap<u32, SchedClassifierLink>,
}

impl Transit {
    /// Loads the program. With `pins`, a directory on a BPF file system that belongs to this mesh alone, the maps that are
    /// there already are adopted: what they hold is returned as well.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(pins: Option<&Path>) -> Result<(Self, Inherited), OpenError> {
        let Some(base) = pins else { return Self::load(None) };
        let place = base.join(LAYOUT);
        remove_other_layouts(base);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&place)
            .map_err(|error| OpenError::Pins { path: place.clone(), error })?;
        Self::load(Some(&place)).or_else(|error| {
            if matches!(error, OpenError::NotPermitted) {
                remove_folder(&place);
                return Err(error);
            }
            // What lies there may be half of something: once more, from nothing.
            remove_pins(&place);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&place)
                .map_err(|error| OpenError::Pins { path: place.clone(), error })?;
            Self::load(Some(&place)).inspect_err(|_| remove_folder(&place))
        })
    }

    fn load(pins: Option<&Path>) -> Result<(Self, Inherited), OpenError> {
        let mut loader = EbpfLoader::new();
        // The object has no type information, so the kernel's is not needed.
        loader.btf(None);
        // Before anything that stays is put into the gaps.
        give_back_memory();
        if let Some(place) = pins {
            for name in MAPS {
                loader.map_pin_path(name, place.join(name));
            }
        }
        let mut ebpf = loader.load(OBJECT).map_err(refused)?;
        let program = classifier(&mut ebpf, PROGRAM).map_err(refused)?;
        program.load().map_err(refused)?;
        let mut take = |name: &str| {
            ebpf.take_map(name).ok_or_else(|| OpenError::Refused(format!("no map {name}")))
        };
        let node = of_map(take("node")?)?;
        let arrivals = of_map(take("arrivals")?)?;
        let routes = of_map(take("routes")?)?;
        let departed = of_map(take("departed")?)?;
        let by_arrival = Arc::new(of_map(take("by_arrival")?)?);
        let by_route = of_map(take("by_route")?)?;
        let host = HostMaps::of(&mut ebpf)?;
        let by_arrival = Counted { arrived: by_arrival, host: Arc::clone(&host.by_host) };
        let pins = pins.map(Path::to_owned);
        let transit = Self {
            ebpf,
            node,
            arrivals,
            routes,
            departed,
            by_arrival,
            by_route,
            host,
            pins,
            hook: Hook::default(),
            links: HashMap::new(),
        };
        drop(loader);
        give_back_memory();
        let inherited = transit.inherited();
        Ok((transit, inherited))
    }

    /// What the maps hold.
    fn inherited(&self) -> Inherited {
        let arrivals = entries(&self.arrivals).filter_map(|(key, value)| {
            Some((u32::from_ne_bytes(key), Arrival::from_bytes(value)?))
        });
        let routes = entries(&self.routes).filter_map(|(key, value)| {
            Some((RouteKey::from_bytes(key)?, Route::from_bytes(value)))
        });
        let departed = entries(&self.departed).map(|(key, _)| layout::client_from_bytes(key));
        Inherited {
            arrivals: arrivals.collect(),
            routes: routes.collect(),
            departed: departed.collect(),
        }
    }

    /// By what it is to hang on the interfaces that are attached from now on.
    #[must_use]
    pub fn by(self, hook: Hook) -> Self {
        Self { hook, ..self }
    }

    /// Whether the program outlives this process.
    pub fn is_pinned(&self) -> bool {
        self.pins.is_some()
    }

    /// The program, for those who run it without an interface.
    ///
    /// # Errors
    /// It is not loaded.
    pub fn program(&mut self) -> io::Result<BorrowedFd<'_>> {
        let program = classifier(&mut self.ebpf, PROGRAM).map_err(io::Error::other)?;
        Ok(program.fd().map_err(io::Error::other)?.as_fd())
    }

    /// Puts the program on an interface, given by index and name; takes the place of one that hangs there from before. Says
    /// whether there was one: if not, what the maps hold of this interface is about another one that had its index.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn attach(&mut self, ifindex: u32, name: &str) -> Result<bool, OpenError> {
        self.links.remove(&ifindex);
        let pin = self.pins.as_deref().map(|place| link_path(place, ifindex));
        if let Some(path) = &pin {
            let program = classifier(&mut self.ebpf, PROGRAM).map_err(refused)?;
            if hook::adopt(program, path) {
                return Ok(true);
            }
            // Of an interface that is gone, whose index this one has.
            let _ = fs::remove_file(path);
        }
        let program = classifier(&mut self.ebpf, PROGRAM).map_err(refused)?;
        let (link, was_there) =
            hook::attach(program, PROGRAM, self.hook, TcAttachType::Ingress, name)?;
        match pin {
            // A filter needs no pin, and has none.
            Some(path) if <&FdLink>::try_from(&link).is_ok() => {
                let link = FdLink::try_from(link).map_err(refused)?;
                link.pin(path).map_err(refused)?;
            }
            _ => drop(self.links.insert(ifindex, link)),
        }
        Ok(was_there)
    }

    /// Takes the program off an interface.
    pub fn detach(&mut self, ifindex: u32) {
        if let Some(place) = &self.pins {
            let _ = fs::remove_file(link_path(place, ifindex));
        }
        self.links.remove(&ifindex);
    }

    /// The interfaces that carry a pinned program, by their indexes.
    pub fn pinned_links(&self) -> Vec<u32> {
        let Some(Ok(files)) = self.pins.as_ref().map(fs::read_dir) else { return Vec::new() };
        files
            .flatten()
            .filter_map(|file| file.file_name().to_str()?.strip_prefix(LINK)?.parse().ok())
            .collect()
    }

    /// What was forwarded, for any thread to read.
    pub fn counted(&self) -> Counted {
        self.by_arrival.clone()
    }

    /// What was forwarded that arrived on an interface.
    pub fn counts(&self, place: Iface) -> Counts {
        self.by_arrival.counts(place)
    }

    /// Leaves everything in the kernel as it is, for the next one to adopt.
    pub fn leave(self) {
        // Dropped, a filter would be taken away.
        self.links.into_values().for_each(core::mem::forget);
    }

    /// Takes everything out of the kernel.
    pub fn remove(self) {
        if let Some(place) = &self.pins {
            remove_folder(place);
        }
    }
}

impl core::fmt::Debug for Transit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Transit")
            .field("pins", &self.pins)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

impl Tables for Transit {
    fn set_node(&mut self, node: NodeEntry) -> io::Result<()> {
        self.node.set(0, node.to_bytes(), 0).map_err(io::Error::other)
    }

    fn set_arrival(&mut self, ifindex: u32, arrival: Option<Arrival>) -> io::Result<()> {
        let key = ifindex.to_ne_bytes();
        set(&mut self.arrivals, key, arrival.map(Arrival::to_bytes))
    }

    fn set_route(&mut self, key: RouteKey, route: Option<Route>) -> io::Result<()> {
        set(&mut self.routes, key.to_bytes(), route.map(Route::to_bytes))
    }

    fn set_departed(&mut self, client: Client, departed: bool) -> io::Result<()> {
        let value = departed.then_some([0; 4]);
        set(&mut self.departed, layout::client_to_bytes(client), value)
    }

    fn clear_slot(&mut self, slot: u32) -> io::Result<()> {
        let cpus = self.by_route.get(&slot, 0).map_err(io::Error::other)?.len();
        let zero = aya::maps::PerCpuValues::try_from(vec![[0; 2]; cpus])?;
        self.by_route.set(slot, zero, 0).map_err(io::Error::other)
    }

    fn slot_counts(&self, slot: u32) -> RouteCounts {
        let Ok(cpus) = self.by_route.get(&slot, 0) else { return RouteCounts::default() };
        cpus.iter().fold(RouteCounts::default(), |sum, [frames, bytes]| {
            sum.plus(RouteCounts { frames: *frames, bytes: *bytes })
        })
    }
}

/// The loader reads all type information of the kernel, where it finds any, whether it is needed or not: more than the node
/// ever uses again.
pub(crate) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the allocator keeps what is freed unless it is told")]
    // SAFETY: it takes no pointer, touches nothing that is in use, and may be called from any thread.
    let _ = unsafe { libc::malloc_trim(0) };
}

fn of_map<M: TryFrom<Map, Error = MapError>>(map: Map) -> Result<M, OpenError> {
    M::try_from(map).map_err(|error| OpenError::Refused(chain(&error)))
}

/// All entries; one that goes meanwhile is left out.
fn entries<const K: usize, const V: usize>(
    map: &KernelMap<MapData, [u8; K], [u8; V]>,
) -> impl Iterator<Item = ([u8; K], [u8; V])> + '_ {
    map.iter().flatten()
}

fn set<const K: usize, const V: usize>(
    map: &mut KernelMap<MapData, [u8; K], [u8; V]>,
    key: [u8; K],
    value: Option<[u8; V]>,
) -> io::Result<()> {
    match value {
        Some(value) => map.insert(key, value, 0),
        None => map.remove(&key),
    }
    .map_err(io::Error::other)
}
