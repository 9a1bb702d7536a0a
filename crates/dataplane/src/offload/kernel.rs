//! The program and its maps, as the kernel has them.
//!
//! With a BPF file system at hand, maps and links are pinned there: they outlive this process, and the next one adopts them.

use super::layout::{self, Arrival, Counts, LAYOUT, NodeEntry, Route, RouteCounts, RouteKey};
use super::mirror::{Inherited, Tables};
use aya::maps::{Array, HashMap as KernelMap, Map, MapData, MapError, PerCpuArray};
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc};
use aya::{Ebpf, EbpfError, EbpfLoader};
use noctule_fib::Iface;
use noctule_wire::Client;
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

/// Why there is no offload.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The process may not.
    #[error("not permitted to load BPF programs (CAP_BPF and CAP_NET_ADMIN are needed)")]
    NotPermitted,
    /// The kernel cannot do it, or what it said.
    #[error("the kernel does not take the program: {0}")]
    Refused(String),
    /// The place for the pins cannot be used.
    #[error("cannot use {}: {error}", .path.display())]
    Pins {
        /// Which place.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// By what the program hangs on an interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hook {
    /// A link that can be pinned (tcx), or a filter where the kernel has none yet: before Linux 6.6.
    #[default]
    Best,
    /// A filter of the `clsact` queueing discipline, in any case. It stays on the interface until somebody takes it away.
    Filter,
}

/// The program on the hard interfaces, and its maps.
pub struct Transit {
    ebpf: Ebpf,
    node: Array<MapData, [u8; 16]>,
    arrivals: KernelMap<MapData, [u8; 4], [u8; 8]>,
    routes: KernelMap<MapData, [u8; 8], [u8; Route::LEN]>,
    departed: KernelMap<MapData, [u8; 8], [u8; 4]>,
    by_arrival: Counted,
    by_route: PerCpuArray<MapData, [u64; 2]>,
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
        if let Some(place) = pins {
            for name in MAPS {
                loader.map_pin_path(name, place.join(name));
            }
        }
        let mut ebpf = loader.load(OBJECT).map_err(refused_object)?;
        let program = classifier(&mut ebpf).map_err(refused)?;
        program.load().map_err(refused)?;
        let mut take = |name: &str| {
            ebpf.take_map(name).ok_or_else(|| OpenError::Refused(format!("no map {name}")))
        };
        let node = of_map(take("node")?)?;
        let arrivals = of_map(take("arrivals")?)?;
        let routes = of_map(take("routes")?)?;
        let departed = of_map(take("departed")?)?;
        let by_arrival = Counted(Arc::new(of_map(take("by_arrival")?)?));
        let by_route = of_map(take("by_route")?)?;
        let pins = pins.map(Path::to_owned);
        let transit = Self {
            ebpf,
            node,
            arrivals,
            routes,
            departed,
            by_arrival,
            by_route,
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
        let program = classifier(&mut self.ebpf).map_err(io::Error::other)?;
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
            if self.adopt(path) {
                return Ok(true);
            }
            // Of an interface that is gone, whose index this one has.
            let _ = fs::remove_file(path);
        }
        let (link, was_there) = self.attach_anew(name)?;
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

    /// Puts the program in the place of the one that hangs on a pinned link: frames pass the old one until this very
    /// moment, and the new one from then on.
    fn adopt(&mut self, path: &Path) -> bool {
        let Ok(old) = PinnedLink::from_pin(path) else { return false };
        let Ok(link) = SchedClassifierLink::try_from(FdLink::from(old)) else { return false };
        let Ok(program) = classifier(&mut self.ebpf) else { return false };
        // What is taken and dropped is a descriptor; the pin stays.
        program.attach_to_link(link).and_then(|id| program.take_link(id)).is_ok()
    }

    fn attach_anew(&mut self, name: &str) -> Result<(SchedClassifierLink, bool), OpenError> {
        let program = classifier(&mut self.ebpf).map_err(refused)?;
        let ingress = TcAttachType::Ingress;
        if self.hook == Hook::Filter {
            return attach_filter(program, name);
        }
        let order = TcAttachOptions::TcxOrder(LinkOrder::default());
        match program.attach_with_options(name, ingress, order) {
            Ok(id) => Ok((program.take_link(id).map_err(refused)?, false)),
            Err(error) if has_cause(&error, libc::EINVAL) => attach_filter(program, name),
            Err(error) => Err(refused(error)),
        }
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

    /// What was forwarded by a route.
    pub fn route_counts(&self, slot: u32) -> RouteCounts {
        let Ok(cpus) = self.by_route.get(&slot, 0) else { return RouteCounts::default() };
        cpus.iter().fold(RouteCounts::default(), |sum, [frames, bytes]| RouteCounts {
            frames: sum.frames.wrapping_add(*frames),
            bytes: sum.bytes.wrapping_add(*bytes),
        })
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

/// What was forwarded, by the interface of arrival. Clones are the same counters.
#[derive(Clone)]
pub struct Counted(Arc<PerCpuArray<MapData, [u64; 4]>>);

impl Counted {
    /// What was forwarded that arrived on an interface, since the maps were made.
    pub fn counts(&self, place: Iface) -> Counts {
        let place = u32::try_from(place.index()).unwrap_or(u32::MAX);
        self.0.get(&place, 0).map_or(Counts::default(), |cpus| {
            cpus.iter().fold(Counts::default(), |sum, cpu| sum.plus(*cpu))
        })
    }
}

impl core::fmt::Debug for Counted {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
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
}

/// The loader reads all type information of the kernel, where it finds any, whether it is needed or not: more than the node
/// ever uses again.
pub(crate) fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "the allocator keeps what is freed unless it is told")]
    // SAFETY: it takes no pointer, touches nothing that is in use, and may be called from any thread.
    let _ = unsafe { libc::malloc_trim(0) };
}

/// How the file of an interface's link begins.
const LINK: &str = "link-";

fn link_path(place: &Path, ifindex: u32) -> PathBuf {
    place.join(format!("{LINK}{ifindex}"))
}

fn classifier(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, ProgramError> {
    let program = ebpf.program_mut(PROGRAM).ok_or(ProgramError::NotLoaded)?;
    program.try_into()
}

fn attach_filter(
    program: &mut SchedClassifier,
    name: &str,
) -> Result<(SchedClassifierLink, bool), OpenError> {
    // The discipline may be there, others may use it too, and it does nothing by itself: it stays.
    let _ = tc::qdisc_add_clsact(name);
    // Left by a daemon that has died.
    let was_there = tc::qdisc_detach_program(name, TcAttachType::Ingress, PROGRAM).is_ok();
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let id = program.attach_with_options(name, TcAttachType::Ingress, options).map_err(refused)?;
    Ok((program.take_link(id).map_err(refused)?, was_there))
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

/// Removes what is pinned in a directory, and the directory.
fn remove_pins(place: &Path) {
    for file in fs::read_dir(place).into_iter().flatten().flatten() {
        let _ = fs::remove_file(file.path());
    }
    let _ = fs::remove_dir(place);
}

/// The same, and those above it that are empty then.
fn remove_folder(place: &Path) {
    remove_pins(place);
    place.ancestors().skip(1).take(2).for_each(|parent| drop(fs::remove_dir(parent)));
}

/// What an older or newer version of this program left cannot be read, and what it forwards nobody renews.
fn remove_other_layouts(base: &Path) {
    for layout in fs::read_dir(base).into_iter().flatten().flatten() {
        if layout.file_name() != LAYOUT {
            remove_pins(&layout.path());
        }
    }
}

fn refused_object(error: EbpfError) -> OpenError {
    refused(error)
}

fn refused(error: impl std::error::Error + 'static) -> OpenError {
    // EACCES is what the verifier says.
    if has_cause(&error, libc::EPERM) {
        return OpenError::NotPermitted;
    }
    OpenError::Refused(chain(&error))
}

/// Whether this is the system's refusal behind an error.
fn has_cause(error: &(dyn std::error::Error + 'static), errno: i32) -> bool {
    let causes = core::iter::successors(Some(error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
        .any(|number| number == errno)
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    // The verifier's output is for who changes the program, not for who runs it.
    text.split(". Verifier")
        .next()
        .and_then(|text| text.lines().next())
        .unwrap_or_default()
        .to_owned()
}
