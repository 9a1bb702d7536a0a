//! The mesh interface: an Ethernet device (TAP) whose other end is this process. What the host sends into it is read here,
//! what is written here the host receives.
//!
//! Where the kernel can, the host hands over long TCP segments whole and leaves checksums open, as to a network card that
//! does the rest: see [`crate::segmentation`].
//!
//! The device lives as long as the [`Tap`]: a node that dies takes its `bat0` with it, and a start never takes over a
//! device that somebody else made.

mod queues;
mod sys;

use crate::segmentation::VirtioHeader;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::sys::uio::{readv, writev};
use nix::unistd;
use noctule_wire::Mac;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use sys::{InterfaceName, Request};

/// The longest frame that a TAP hands out: the largest MTU of Linux, the Ethernet header and one VLAN tag. A read into
/// less cuts longer frames without a word.
pub const FRAME_LEN_MAX: usize = 65_535 + 14 + 4;

/// Pieces of a frame that [`Tap::write_parts`] gathers without allocating.
const PARTS_MAX: usize = 8;

/// What the host may leave to us: checksums and TCP segments, with and without ECN. Every kernel that has `IFF_VNET_HDR`
/// knows these.
const OFFLOADS: libc::c_uint =
    libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
/// And UDP segments, which Linux 6.2 knows.
const UDP_OFFLOADS: libc::c_uint = libc::TUN_F_USO4 | libc::TUN_F_USO6;

/// What can go wrong with the mesh interface.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// Linux would not take the name.
    #[error("`{0}` is no name for an interface: 1 to 15 bytes, without space, `/`, `:` or `%`")]
    BadName(String),
    /// There is an interface of that name.
    #[error(
        "{0} exists already: stop the other node that runs it, choose another name, or delete it with `ip link del {0}`"
    )]
    NameTaken(String),
    /// `/dev/net/tun` is missing, or the kernel has no driver behind it.
    #[error("/dev/net/tun is not there: load the driver with `modprobe tun`")]
    NoTunDriver,
    /// `/dev/net/tun` may not be opened.
    #[error(
        "no access to /dev/net/tun: run as root, or let this user read and write it (`ls -l /dev/net/tun`)"
    )]
    NoAccess,
    /// `/dev/net/tun` is something else.
    #[error(
        "/dev/net/tun is something else than the TUN driver: remove it and make it anew with `mknod /dev/net/tun c 10 200`"
    )]
    NotTun,
    /// No right to make interfaces in this network namespace.
    #[error("making an interface is not permitted: run as root, or grant CAP_NET_ADMIN")]
    NotPermitted,
    /// The interface was deleted while it was in use.
    #[error("the mesh interface is gone: somebody deleted it")]
    Gone,
    /// Anything else.
    #[error("{call} failed: {source}")]
    System {
        /// The system call or ioctl.
        call: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// Why a frame did not reach the host. The frame is lost; the caller counts it.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The mesh interface is down. No fault: the mesh goes on without its host (FWD-12).
    #[error("the mesh interface is down")]
    Down,
    /// The host does not keep up.
    #[error("the host's queue is full")]
    Busy,
    /// The interface was deleted while it was in use.
    #[error("the mesh interface is gone: somebody deleted it")]
    Gone,
    /// Anything else, for instance a frame shorter than an Ethernet header.
    #[error("writing to the mesh interface failed: {0}")]
    System(#[source] io::Error),
}

/// An Ethernet interface of the host that ends here. Non-blocking.
#[derive(Debug)]
pub struct Tap {
    file: OwnedFd,
    /// Requests by name need some socket, in the namespace in which the interface was made.
    socket: UnixDatagram,
    ifindex: u32,
    /// Whether a [`VirtioHeader`] stands in front of each frame.
    has_header: bool,
    /// Whether the host may use it, and we. All queues have it in common.
    offloads: Arc<AtomicBool>,
}

/// What the host may leave to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offloads {
    /// Nothing: every frame is whole.
    None,
    /// Checksums, and TCP segments longer than the MTU.
    Tcp,
    /// UDP segments, too.
    TcpAndUdp,
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd()
    }
}

impl Tap {
    /// Makes the interface `name` in the network namespace of the calling thread. It has a random address, is down, and
    /// vanishes when the value is dropped. The host may leave nothing to it until [`Self::offload`].
    ///
    /// # Errors
    /// [`TapError`]; nothing is left behind.
    pub fn open(name: &str) -> Result<Self, TapError> {
        Self::make(name, 0)
    }

    /// The same with a queue for each of `workers` workers, the first one's first: what the host sends is sorted by the rule
    /// of [`steering`](crate::pipeline::steering). Where the kernel cannot do that (before Linux 4.16, or without the right to
    /// load a program) there is one queue alone. The interface vanishes with the last queue.
    ///
    /// # Errors
    /// [`TapError`]; nothing is left behind.
    pub fn open_queues(name: &str, workers: usize) -> Result<Vec<Self>, TapError> {
        if workers <= 1 {
            return Ok(vec![Self::open(name)?]);
        }
        let first = Self::make(name, libc::IFF_MULTI_QUEUE)?;
        if queues::sort(&first.file).is_err() {
            return Ok(vec![first]);
        }
        let mut all = vec![first];
        while all.len() < workers {
            let next = all[0].another_queue(name)?;
            all.push(next);
        }
        Ok(all)
    }

    fn make(name: &str, flags: libc::c_int) -> Result<Self, TapError> {
        let short_name = InterfaceName::new(name).ok_or_else(|| TapError::BadName(name.into()))?;
        let file = open_driver()?;
        let mut request = Request::new(short_name);
        // Not known: then there is none.
        let features = sys::features(&file).unwrap_or(0);
        let header = features & libc::IFF_VNET_HDR;
        request.set_flags(libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_TUN_EXCL | header | flags);
        request.tun_set_iff(&file).map_err(|errno| not_made(errno, name))?;
        let mut tap = Self {
            file,
            socket: any_socket()?,
            ifindex: 0,
            has_header: header != 0,
            offloads: Arc::default(),
        };
        let mut request = tap.request()?;
        request.get_index(&tap.socket).map_err(system("SIOCGIFINDEX"))?;
        tap.ifindex = request.index();
        Ok(tap)
    }

    /// One more queue of the same interface, which has had this name all along.
    fn another_queue(&self, name: &str) -> Result<Self, TapError> {
        let short_name = InterfaceName::new(name).ok_or_else(|| TapError::BadName(name.into()))?;
        let file = open_driver()?;
        let mut request = Request::new(short_name);
        let header = if self.has_header { libc::IFF_VNET_HDR } else { 0 };
        request.set_flags(libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_MULTI_QUEUE | header);
        request.tun_set_iff(&file).map_err(system("TUNSETIFF"))?;
        Ok(Self { file, socket: any_socket()?, offloads: Arc::clone(&self.offloads), ..*self })
    }

    /// For poll(2): `POLLIN` when the host has sent something, `POLLERR` when the interface is gone.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The index of the interface.
    pub fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The name, which may have been changed since [`Self::open`].
    ///
    /// # Errors
    /// [`TapError::Gone`].
    pub fn name(&self) -> Result<String, TapError> {
        Ok(self.request()?.name())
    }

    /// Lets the host leave its checksums and the cutting of long segments to us, or not; says what it may from now on.
    /// What it has sent before still comes as it was.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said; then the host leaves nothing.
    pub fn offload(&self, wanted: bool) -> Result<Offloads, TapError> {
        self.offloads.store(false, Ordering::Relaxed);
        if !self.has_header {
            return Ok(Offloads::None);
        }
        let refused = system("TUNSETOFFLOAD");
        if !wanted {
            return sys::set_offload(&self.file, 0).map(|()| Offloads::None).map_err(refused);
        }
        let offloads = match sys::set_offload(&self.file, OFFLOADS | UDP_OFFLOADS) {
            Ok(()) => Offloads::TcpAndUdp,
            Err(Errno::EINVAL) => {
                sys::set_offload(&self.file, OFFLOADS).map_err(refused)?;
                Offloads::Tcp
            }
            Err(errno) => return Err(refused(errno)),
        };
        self.offloads.store(true, Ordering::Relaxed);
        Ok(offloads)
    }

    /// Whether the host leaves something to us, and takes from us what is not cut.
    pub fn offloads(&self) -> bool {
        self.offloads.load(Ordering::Relaxed)
    }

    /// Takes the next frame that the host sent, and returns its length and what is left to do with it; `None` if there is
    /// none. `buffer` should have [`FRAME_LEN_MAX`] bytes.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Option<(usize, VirtioHeader)>, TapError> {
        let mut header = [0; VirtioHeader::LEN];
        loop {
            let outcome = if self.has_header {
                let mut pieces = [IoSliceMut::new(&mut header), IoSliceMut::new(buffer)];
                readv(&self.file, &mut pieces).map(|len| len.saturating_sub(VirtioHeader::LEN))
            } else {
                unistd::read(&self.file, buffer)
            };
            match outcome {
                Ok(len) => return Ok(Some((len, VirtioHeader::from_bytes(header)))),
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(system("read from the mesh interface")(errno)),
            }
        }
    }

    /// Hands one frame to the host, given in pieces that start with its Ethernet header.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write_parts(&self, parts: &[&[u8]]) -> Result<(), WriteError> {
        self.write_offloaded(&VirtioHeader::default(), parts)
    }

    /// The same for a frame with which something is left to do. Only while [`Self::offloads`]: without its header the frame
    /// would be a broken one.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write_offloaded(
        &self,
        header: &VirtioHeader,
        parts: &[&[u8]],
    ) -> Result<(), WriteError> {
        let header = header.to_bytes();
        let header = if self.has_header { header.as_slice() } else { &[] };
        let mut few = [IoSlice::new(&[]); PARTS_MAX + 1];
        let many: Vec<IoSlice<'_>>;
        let all = std::iter::once(header).chain(parts.iter().copied()).map(IoSlice::new);
        let pieces = match few.get_mut(..=parts.len()) {
            Some(pieces) => {
                for (piece, part) in pieces.iter_mut().zip(all) {
                    *piece = part;
                }
                &*pieces
            }
            None => {
                many = all.collect();
                &many
            }
        };
        loop {
            return match writev(&self.file, pieces) {
                Ok(_) => Ok(()),
                Err(Errno::EINTR) => continue,
                Err(Errno::EIO) => Err(WriteError::Down),
                Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM) => Err(WriteError::Busy),
                Err(Errno::EBADFD) => Err(WriteError::Gone),
                Err(errno) => Err(WriteError::System(errno.into())),
            };
        }
    }

    /// The interface's address.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn mac(&self) -> Result<Mac, TapError> {
        let mut request = self.request()?;
        request.get_mac(&self.socket).map_err(system("SIOCGIFHWADDR"))?;
        Ok(request.mac())
    }

    /// Gives the interface another address: that of a station, which the kernel checks.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn set_mac(&self, mac: Mac) -> Result<(), TapError> {
        self.request()?.set_mac(&self.socket, mac).map_err(system("SIOCSIFHWADDR"))
    }

    /// The interface's MTU, bytes.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn mtu(&self) -> Result<u32, TapError> {
        let mut request = self.request()?;
        request.get_mtu(&self.socket).map_err(system("SIOCGIFMTU"))?;
        Ok(request.mtu())
    }

    /// Sets the interface's MTU, bytes, 68 to 65,521.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn set_mtu(&self, mtu: u32) -> Result<(), TapError> {
        self.request()?.set_mtu(&self.socket, mtu).map_err(system("SIOCSIFMTU"))
    }

    /// Whether the interface is up.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn is_up(&self) -> Result<bool, TapError> {
        let mut request = self.request()?;
        request.get_flags(&self.socket).map_err(system("SIOCGIFFLAGS"))?;
        Ok(request.flags() & libc::IFF_UP != 0)
    }

    /// Sets the interface up or down.
    ///
    /// # Errors
    /// [`TapError::Gone`], or whatever else the kernel said.
    pub fn set_up(&self, up: bool) -> Result<(), TapError> {
        let mut request = self.request()?;
        request.get_flags(&self.socket).map_err(system("SIOCGIFFLAGS"))?;
        let flags =
            if up { request.flags() | libc::IFF_UP } else { request.flags() & !libc::IFF_UP };
        request.set_flags(flags);
        request.apply_flags(&self.socket).map_err(system("SIOCSIFFLAGS"))
    }

    /// A request about the interface under the name it has now.
    fn request(&self) -> Result<Request, TapError> {
        Request::of_tun(&self.file).map_err(system("TUNGETIFF"))
    }
}

fn open_driver() -> Result<OwnedFd, TapError> {
    let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    open("/dev/net/tun", flags, Mode::empty()).map_err(no_tun)
}

fn any_socket() -> Result<UnixDatagram, TapError> {
    UnixDatagram::unbound().map_err(|source| TapError::System { call: "socket(AF_UNIX)", source })
}

/// Why `/dev/net/tun` cannot be opened.
fn no_tun(errno: Errno) -> TapError {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV | Errno::ENXIO => TapError::NoTunDriver,
        Errno::EACCES | Errno::EPERM => TapError::NoAccess,
        Errno::EISDIR => TapError::NotTun,
        _ => system("open(/dev/net/tun)")(errno),
    }
}

/// Why the interface cannot be made.
fn not_made(errno: Errno, name: &str) -> TapError {
    match errno {
        // EBUSY: a TUN or TAP of that name; EINVAL: any other interface of that name.
        Errno::EBUSY | Errno::EINVAL | Errno::EEXIST => TapError::NameTaken(name.into()),
        Errno::ENOTTY => TapError::NotTun,
        _ => system("TUNSETIFF")(errno),
    }
}

/// Names the call that failed.
fn system(call: &'static str) -> impl FnOnce(Errno) -> TapError {
    move |errno| match errno {
        Errno::EPERM | Errno::EACCES => TapError::NotPermitted,
        Errno::EBADFD => TapError::Gone,
        _ => TapError::System { call, source: errno.into() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A missing driver, a device that this user must not open, and a right that is missing are three things, and each has
    /// its own remedy.
    #[test]
    fn each_way_in_which_there_is_no_tun_has_its_own_sentence() {
        #[rustfmt::skip]
        let rows = [
            (no_tun(Errno::ENOENT), "modprobe tun"),
            (no_tun(Errno::ENODEV), "modprobe tun"),
            (no_tun(Errno::EACCES), "no access to /dev/net/tun: "),
            (no_tun(Errno::EPERM), "no access to /dev/net/tun: "),
            (no_tun(Errno::EISDIR), "mknod /dev/net/tun c 10 200"),
            (not_made(Errno::ENOTTY, "bat0"), "mknod /dev/net/tun c 10 200"),
            (not_made(Errno::EPERM, "bat0"), "CAP_NET_ADMIN"),
            (not_made(Errno::EBUSY, "bat0"), "bat0 exists already"),
        ];
        for (error, part) in rows {
            let sentence = error.to_string();
            assert!(sentence.contains(part), "{sentence}");
            let names_right = part == "CAP_NET_ADMIN";
            assert_eq!(sentence.contains("CAP_NET_ADMIN"), names_right, "{sentence}");
        }
    }

    #[test]
    fn names_that_linux_would_not_take_are_refused_before_anything_happens() {
        for name in
            ["", ".", "..", "a name", "a/b", "a:b", "bat%d", "0123456789abcdef", "a\0b", "a\n", "à"]
        {
            assert!(
                matches!(Tap::open(name), Err(TapError::BadName(bad)) if bad == name),
                "{name:?}"
            );
        }
        for name in ["bat0", "0123456789abcde", "bät"] {
            assert!(InterfaceName::new(name).is_some(), "{name}");
        }
    }
}
