//! The system calls on an AF_XDP socket. Whoever reads this file has read all that the backend asks of such a socket, except
//! for the mappings.
#![expect(unsafe_code, reason = "AF_XDP sockets have options and addresses that only libc names")]

use super::chunks::{CHUNK_LEN, Memory};
use super::memory::Mapping;
use super::ring::{Parts, Ring};
use nix::errno::Errno;
use std::mem::{size_of, size_of_val};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// Which of its four rings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Which {
    Receive,
    Transmit,
    Fill,
    Completion,
}

/// A socket for one queue of an interface.
#[derive(Debug)]
pub(super) struct XdpSocket {
    fd: OwnedFd,
}

impl AsFd for XdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl XdpSocket {
    pub(super) fn unbound() -> Result<Self, Errno> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointer is passed.
        let fd = Errno::result(unsafe { libc::socket(libc::AF_XDP, kind, 0) })?;
        // SAFETY: a new descriptor that nobody else knows.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Gives the kernel the memory that frames are to lie in. The caller keeps it as long as the socket.
    pub(super) fn register(&self, memory: &Memory) -> Result<(), Errno> {
        let registration = libc::xdp_umem_reg {
            addr: memory.address(),
            len: memory.len() as u64,
            chunk_size: CHUNK_LEN as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        self.set(libc::XDP_UMEM_REG, &registration)
    }

    /// Makes one of the rings, with `len` entries, a power of two.
    pub(super) fn make_ring(&self, which: Which, len: u32) -> Result<(), Errno> {
        let name = match which {
            Which::Receive => libc::XDP_RX_RING,
            Which::Transmit => libc::XDP_TX_RING,
            Which::Fill => libc::XDP_UMEM_FILL_RING,
            Which::Completion => libc::XDP_UMEM_COMPLETION_RING,
        };
        let len = libc::c_int::try_from(len).map_err(|_| Errno::EINVAL)?;
        self.set(name, &len)
    }

    /// Maps a ring of places (fill, completion).
    pub(super) fn places(&self, which: Which, len: u32) -> Result<Ring<u64>, Errno> {
        debug_assert!(matches!(which, Which::Fill | Which::Completion));
        // SAFETY: the entries of these two are addresses, of 8 bytes.
        unsafe { self.map(which, len) }
    }

    /// Maps a ring of frames (receive, transmit).
    pub(super) fn frames(&self, which: Which, len: u32) -> Result<Ring<libc::xdp_desc>, Errno> {
        debug_assert!(matches!(which, Which::Receive | Which::Transmit));
        // SAFETY: the entries of these two are descriptors.
        unsafe { self.map(which, len) }
    }

    /// # Safety
    /// The entries of this ring are `T`, `len` is what it was made with, and it is mapped once.
    unsafe fn map<T: Copy>(&self, which: Which, len: u32) -> Result<Ring<T>, Errno> {
        // SAFETY: four times four numbers, for which zero is a value.
        let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
        let told = self.get(libc::XDP_MMAP_OFFSETS, &mut offsets)?;
        if told != size_of_val(&offsets) {
            // Before Linux 5.4, whose rings have no flags.
            return Err(Errno::EOPNOTSUPP);
        }
        let (at, page) = match which {
            Which::Receive => (offsets.rx, libc::XDP_PGOFF_RX_RING),
            Which::Transmit => (offsets.tx, libc::XDP_PGOFF_TX_RING),
            Which::Fill => (offsets.fr, libc::XDP_UMEM_PGOFF_FILL_RING as libc::off_t),
            Which::Completion => (offsets.cr, libc::XDP_UMEM_PGOFF_COMPLETION_RING as libc::off_t),
        };
        let parts = Parts {
            producer: at.producer as usize,
            consumer: at.consumer as usize,
            flags: at.flags as usize,
            entries: at.desc as usize,
        };
        let bytes = parts.entries + len as usize * size_of::<T>();
        let bytes = NonZeroUsize::new(bytes).ok_or(Errno::EINVAL)?;
        let mapping = Arc::new(Mapping::ring(self.fd.as_fd(), bytes, page)?);
        // SAFETY: the kernel said where the parts are, and gave `bytes` bytes from a page's start, initialised; the mapping is
        // kept by the `Arc` and its address goes nowhere else; by the caller's word the entries are `T`.
        Ok(unsafe { Ring::new(mapping.base(), parts, len, mapping) })
    }

    /// Binds to a queue of an interface: without copying where the driver can, else with. From here on frames can come.
    pub(super) fn bind(&self, ifindex: u32, queue: u32, copy: bool) -> Result<(), Errno> {
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as libc::__u16,
            sxdp_flags: libc::XDP_USE_NEED_WAKEUP | if copy { libc::XDP_COPY } else { 0 },
            sxdp_ifindex: ifindex,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        // SAFETY: the address is a whole `sockaddr_xdp`, passed with its length, and only read during the call.
        let outcome = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        Errno::result(outcome).map(drop)
    }

    /// Whether frames cross without being copied.
    pub(super) fn is_zero_copy(&self) -> bool {
        let mut options = libc::xdp_options { flags: 0 };
        self.get(libc::XDP_OPTIONS, &mut options).is_ok()
            && options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0
    }

    /// How many frames for this queue found no chunk or no room in the ring, since the socket was made.
    pub(super) fn dropped(&self) -> Result<u64, Errno> {
        // SAFETY: six numbers, for which zero is a value. An older kernel fills in the first three.
        let mut statistics: libc::xdp_statistics = unsafe { std::mem::zeroed() };
        self.get(libc::XDP_STATISTICS, &mut statistics)?;
        Ok(statistics.rx_dropped + statistics.rx_ring_full)
    }

    /// Lets the kernel look at the transmit ring. Without zero-copy the call itself sends, 32 frames at most.
    pub(super) fn kick_transmit(&self) -> Result<(), Errno> {
        // SAFETY: no data and no address is given.
        let outcome = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                std::ptr::null(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null(),
                0,
            )
        };
        Errno::result(outcome).map(drop)
    }

    /// Lets the driver look at the fill ring.
    pub(super) fn kick_receive(&self) {
        // SAFETY: no room for data and none for an address is given. The driver looks, whatever the answer is.
        unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                std::ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
        }
    }

    fn set<T>(&self, name: libc::c_int, value: &T) -> Result<(), Errno> {
        // SAFETY: the kernel reads `size_of::<T>()` bytes of `value`, which is borrowed through the call; every `T` that
        // this file passes is a C struct or number without padding.
        let outcome = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_XDP,
                name,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        Errno::result(outcome).map(drop)
    }

    /// Says how many bytes the kernel wrote.
    fn get<T>(&self, name: libc::c_int, value: &mut T) -> Result<usize, Errno> {
        let mut len = size_of::<T>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes into `value`, all of whose bit patterns are fine for every `T` that
        // this file passes, and the length back into `len`; both live through the call.
        let outcome = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_XDP,
                name,
                std::ptr::from_mut(value).cast(),
                &raw mut len,
            )
        };
        Errno::result(outcome).map(|_| len as usize)
    }
}
