//! The program that sorts, on one interface.

use super::Unsuitable;
use super::socket::XdpSocket;
use crate::offload::kernel::give_back_memory;
use aya::EbpfLoader;
use aya::maps::XskMap;
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, Xdp, XdpMode};
use aya::util::KernelVersion;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{LazyLock, Mutex, PoisonError};

#[cfg(target_endian = "little")]
static OBJECT: &[u8] = aya::include_bytes_aligned!("bpf/redirect.bpfel.o");
#[cfg(target_endian = "big")]
static OBJECT: &[u8] = aya::include_bytes_aligned!("bpf/redirect.bpfeb.o");

const PROGRAM: &str = "noctule_redirect";
/// The map of the sockets, by queue, as the object names it.
const SOCKETS: &str = "sockets";

/// Made once: a new one reads all type information of the kernel, where it finds any, whether it is needed or not.
static LOADER: LazyLock<Mutex<EbpfLoader<'static>>> = LazyLock::new(|| {
    let mut loader = EbpfLoader::new();
    // The object has none, so the kernel's is not needed.
    loader.btf(None);
    give_back_memory();
    Mutex::new(loader)
});

/// The program's hold on an interface; dropped, or when the process ends, the program is off.
#[derive(Debug)]
pub(super) struct Program {
    _link: XdpLink,
}

impl Program {
    /// Loads the program for these sockets, one for each queue from the first, and puts it on the interface: by the driver,
    /// or `generic`, in the kernel's own code.
    pub(super) fn attach<'a>(
        ifindex: u32,
        sockets: impl Iterator<Item = &'a XdpSocket>,
        generic: bool,
    ) -> Result<Self, Unsuitable> {
        // Without links, who attaches takes the place of whoever is there.
        let first = KernelVersion::new(5, 9, 0);
        if !KernelVersion::current().is_ok_and(|version| version >= first) {
            return Err(Unsuitable::Kernel);
        }
        let mut loader = LOADER.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ebpf = loader.load(OBJECT).map_err(|error| refused(&error))?;
        drop(loader);
        let map = ebpf.take_map(SOCKETS).ok_or(Unsuitable::Kernel)?;
        let mut map = XskMap::try_from(map).map_err(|error| refused(&error))?;
        for (queue, socket) in (0..map.len()).zip(sockets) {
            let fd = socket.as_fd().as_raw_fd();
            map.set(queue, fd, 0).map_err(|error| refused(&error))?;
        }
        let program = ebpf.program_mut(PROGRAM).ok_or(Unsuitable::Kernel)?;
        let program: &mut Xdp = program.try_into().map_err(|error| refused(&error))?;
        program.load().map_err(|error| refused(&error))?;
        let mode = if generic { XdpMode::Skb } else { XdpMode::Driver };
        let id = program.attach_to_if_index(ifindex, mode).map_err(|error| not_attached(&error))?;
        // The link keeps the program, and the program its map.
        let link = program.take_link(id).map_err(|error| refused(&error))?;
        drop(ebpf);
        Ok(Self { _link: link })
    }
}

fn not_attached(error: &ProgramError) -> Unsuitable {
    match errno_of(error) {
        Some(libc::EBUSY | libc::EEXIST) => Unsuitable::Occupied,
        Some(libc::EOPNOTSUPP) => Unsuitable::NotNative,
        _ => refused(error),
    }
}

fn refused(error: &(dyn std::error::Error + 'static)) -> Unsuitable {
    match errno_of(error) {
        Some(libc::EPERM) => Unsuitable::NotPermitted,
        _ => Unsuitable::Refused(crate::offload::kernel::chain(error)),
    }
}

/// The system's refusal behind an error.
fn errno_of(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut causes = core::iter::successors(Some(error), |error| error.source());
    causes.find_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error())
}
