//! The system calls on a packet socket. Whoever reads this file has read all that the backend asks of the kernel, except
//! for the mapping.
#![expect(unsafe_code, reason = "packet sockets have options and addresses that only libc names")]

use super::error::OpenError;
use super::filter::Program;
use super::layout::RingLayout;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, getsockopt, setsockopt, socket, sockopt,
};
use std::io::IoSlice;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What the kernel books for a frame in its queues beyond the bytes, about: `struct sk_buff` and rounding.
const BOOKED_PER_FRAME: usize = 1536;
/// Frames handed over by one `sendmmsg`: enough to make the call's own price small, little enough for the stack.
pub(super) const SEND_MANY_MAX: usize = 64;

/// A raw, non-blocking packet socket.
#[derive(Debug)]
pub(super) struct PacketSocket {
    fd: OwnedFd,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PacketSocket {
    /// A socket that receives nothing yet: its protocol is 0.
    pub(super) fn unbound() -> Result<Self, OpenError> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        match socket(AddressFamily::Packet, SockType::Raw, flags, None) {
            Ok(fd) => Ok(Self { fd }),
            Err(Errno::EAFNOSUPPORT) => Err(OpenError::NoPacketSockets),
            Err(errno) => Err(OpenError::system("socket(AF_PACKET)")(errno)),
        }
    }

    /// Lets the kernel run a filter on each frame from the next one on. Call it before [`Self::bind`].
    pub(super) fn set_filter(&self, program: &Program) -> Result<(), OpenError> {
        let program = libc::sock_fprog {
            len: program.len() as libc::c_ushort,
            filter: program.as_ptr().cast_mut(),
        };
        // SAFETY: the kernel reads the struct and the `len` instructions behind `filter`, which are borrowed through the
        // call, and copies them; it writes neither.
        let outcome = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        };
        Errno::result(outcome).map(drop).map_err(OpenError::system("SO_ATTACH_FILTER"))
    }

    /// Joins a group of sockets that share the frames of the interface, or founds one, where `program` says who gets which
    /// frame; returns the group's number. `None`: this kernel cannot do that, or not now. Call it after [`Self::bind`].
    pub(super) fn join(
        &self,
        group: Option<u16>,
        program: &[libc::sock_filter],
    ) -> Result<Option<u16>, OpenError> {
        let kind = libc::PACKET_FANOUT_CBPF << 16;
        let request = match group {
            Some(group) => kind | u32::from(group),
            None => kind | libc::PACKET_FANOUT_FLAG_UNIQUEID << 16,
        };
        match self.set(libc::PACKET_FANOUT, &request) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOPROTOOPT | Errno::ENOTSUP) => return Ok(None),
            Err(errno) => return Err(OpenError::system("PACKET_FANOUT")(errno)),
        }
        if group.is_some() {
            return Ok(group);
        }
        let program = libc::sock_fprog {
            len: program.len() as libc::c_ushort,
            filter: program.as_ptr().cast_mut(),
        };
        // The kernel copies the instructions, and writes neither them nor the struct.
        match self.set(libc::PACKET_FANOUT_DATA, &program) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOTSUP) => return Ok(None),
            Err(errno) => return Err(OpenError::system("PACKET_FANOUT_DATA")(errno)),
        }
        let founded = self.get(libc::PACKET_FANOUT).map_err(OpenError::system("PACKET_FANOUT"))?;
        // The upper half says of what kind it is.
        Ok(Some(founded as u16))
    }

    /// Sets what has to be set before the ring is made.
    pub(super) fn prepare(&self, qdisc_bypass: bool) -> Result<(), OpenError> {
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        self.set(libc::PACKET_VERSION, &version).map_err(OpenError::system("PACKET_VERSION"))?;
        let on: libc::c_int = 1;
        match self.set(libc::PACKET_IGNORE_OUTGOING, &on) {
            // Before Linux 4.20: each frame's packet type is looked at anyway.
            Ok(()) | Err(Errno::ENOPROTOOPT) => {}
            Err(errno) => return Err(OpenError::system("PACKET_IGNORE_OUTGOING")(errno)),
        }
        if qdisc_bypass {
            self.set(libc::PACKET_QDISC_BYPASS, &on)
                .map_err(OpenError::system("PACKET_QDISC_BYPASS"))?;
        }
        Ok(())
    }

    /// Makes the kernel allocate the receive ring.
    pub(super) fn make_ring(&self, layout: &RingLayout) -> Result<(), OpenError> {
        let small = |len: usize| libc::c_uint::try_from(len).expect("a ring is below 4 GiB");
        let request = libc::tpacket_req {
            tp_block_size: small(layout.block_len),
            tp_block_nr: layout.blocks,
            tp_frame_size: small(layout.slot_len),
            tp_frame_nr: layout.slots(),
        };
        self.set(libc::PACKET_RX_RING, &request).map_err(|errno| match errno {
            Errno::ENOMEM => OpenError::NoMemory { bytes: layout.byte_len() },
            _ => OpenError::system("PACKET_RX_RING")(errno),
        })
    }

    /// Lets `frames` frames of `frame_len` bytes wait in the interface's queue. Without the right to exceed the system's
    /// limit (`net.core.wmem_max`) the queue stays shorter; that is no error.
    pub(super) fn set_send_buffer(&self, frames: usize, frame_len: usize) {
        let bytes = frames * (frame_len + BOOKED_PER_FRAME);
        if setsockopt(self, sockopt::SndBufForce, &bytes).is_err() {
            let _ = setsockopt(self, sockopt::SndBuf, &bytes);
        }
    }

    /// Sets the priority of all that is sent (`SO_PRIORITY`).
    pub(super) fn set_priority(&self, priority: libc::c_int) -> Result<(), Errno> {
        setsockopt(self, sockopt::Priority, &priority)
    }

    /// Binds to one interface and, unless `ethertype` is 0, begins to receive it.
    pub(super) fn bind(&self, ifindex: u32, ethertype: u16) -> Result<(), OpenError> {
        // Index 0 means "any interface" to the kernel; we never mean that.
        let index = i32::try_from(ifindex)
            .ok()
            .filter(|index| *index != 0)
            .ok_or(OpenError::NoSuchInterface(ifindex))?;
        let address = link_address(index, ethertype);
        // SAFETY: the address is a whole `sockaddr_ll`, passed with its length, and only read during the call.
        let outcome = unsafe {
            libc::bind(
                self.fd.as_raw_fd(),
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        match Errno::result(outcome) {
            Ok(_) => Ok(()),
            Err(Errno::ENODEV | Errno::ENXIO) => Err(OpenError::NoSuchInterface(ifindex)),
            Err(errno) => Err(OpenError::system("bind(AF_PACKET)")(errno)),
        }
    }

    /// Takes the socket's pending error (`SO_ERROR`), which also ends its `POLLERR`.
    pub(super) fn take_error(&self) -> Result<(), Errno> {
        match getsockopt(self, sockopt::SocketError)? {
            0 => Ok(()),
            errno => Err(Errno::from_raw(errno)),
        }
    }

    /// The interface the socket is bound to; `None` once that has gone: the kernel then says -1.
    pub(super) fn bound_to(&self) -> Option<u32> {
        let mut address = link_address(0, 0);
        let mut len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes into the struct, all of whose bit patterns are fine, and the
        // length back into `len`; both live through the call.
        let outcome = unsafe {
            libc::getsockname(self.fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len)
        };
        Errno::result(outcome).ok()?;
        u32::try_from(address.sll_ifindex).ok()
    }

    /// How many frames found no slot since the last question (`PACKET_STATISTICS`).
    pub(super) fn dropped_since_last(&self) -> Result<u32, Errno> {
        let mut statistics = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut len = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes into the struct, all of whose bit patterns are fine, and the
        // length back into `len`; both live through the call.
        let outcome = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut len,
            )
        };
        Errno::result(outcome).map(|_| statistics.tp_drops)
    }

    /// Sends whole frames, at most [`SEND_MANY_MAX`] of them, and returns how many went before one was refused. The
    /// error is that of the first frame.
    pub(super) fn send_many(&self, frames: &[IoSlice<'_>]) -> Result<usize, Errno> {
        // SAFETY: all fields of `mmsghdr` are numbers and pointers, for which zero is a value.
        let mut headers: [libc::mmsghdr; SEND_MANY_MAX] = unsafe { std::mem::zeroed() };
        for (header, frame) in headers.iter_mut().zip(frames) {
            // `IoSlice` is guaranteed to be laid out as `iovec`. The kernel only reads through it.
            header.msg_hdr.msg_iov = std::ptr::from_ref(frame).cast_mut().cast();
            header.msg_hdr.msg_iovlen = 1;
        }
        let count = frames.len().min(SEND_MANY_MAX);
        // SAFETY: the first `count` headers are filled in; each points to an `IoSlice` in `frames`, whose borrow keeps the
        // bytes behind it alive and unwritten through the call; no address and no control data is given. The kernel
        // writes only `msg_len` in `headers`. (The type of the flags differs between C libraries.)
        let outcome = unsafe {
            libc::sendmmsg(
                self.fd.as_raw_fd(),
                headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        Errno::result(outcome).map(|sent| usize::try_from(sent).unwrap_or(0))
    }

    /// Reads a number.
    fn get(&self, name: libc::c_int) -> Result<libc::c_int, Errno> {
        let mut value: libc::c_int = 0;
        let mut len = size_of_val(&value) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes into the number, and the length back into `len`; both live through
        // the call.
        let outcome = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                name,
                (&raw mut value).cast(),
                &raw mut len,
            )
        };
        Errno::result(outcome).map(|_| value)
    }

    fn set<T>(&self, name: libc::c_int, value: &T) -> Result<(), Errno> {
        // SAFETY: the kernel reads `size_of::<T>()` bytes of `value`, which is borrowed through the call, and what a pointer
        // in it leads to, which the caller borrows as long; every `T` that this file passes is a C struct or number.
        let outcome = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                name,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        Errno::result(outcome).map(drop)
    }
}

/// The address of an interface, as far as binding needs it.
fn link_address(ifindex: libc::c_int, ethertype: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as libc::sa_family_t,
        sll_protocol: ethertype.to_be(),
        sll_ifindex: ifindex,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}
