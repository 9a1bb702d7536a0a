//! A netlink socket: requests out, the kernel's datagrams in.

use super::message::{Messages, Request};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvmsg, send,
    socket,
};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// The kernel puts at most 32 KiB into one datagram of a list, and a single link's description is far shorter, except for
/// a card with hundreds of virtual functions.
const BUFFER_LEN: usize = 64 * 1024;

/// What came.
#[derive(Debug)]
pub(super) enum Datagram<'a> {
    /// Messages.
    Whole(Messages<'a>),
    /// More than fits the buffer: its messages are lost.
    Cut,
}

/// A netlink socket in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    /// For links, subscribed to the groups in the mask `groups` (`RTMGRP_*`).
    pub(super) fn route(groups: u32) -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkRoute, groups)
    }

    /// For generic netlink, where nl80211 is found.
    pub(super) fn generic() -> io::Result<Self> {
        Self::open(SockProtocol::NetlinkGeneric, 0)
    }

    fn open(protocol: SockProtocol, groups: u32) -> io::Result<Self> {
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { fd, buffer: vec![0; BUFFER_LEN] })
    }

    /// Sends a request to the kernel, which has put its answer into the socket when this returns.
    pub(super) fn send(&self, request: Request) -> io::Result<()> {
        send(self.fd.as_raw_fd(), &request.finish(), MsgFlags::empty())?;
        Ok(())
    }

    /// The next datagram from the kernel. Without `wait`, `None` if there is none; with it, `None` if one came from
    /// somebody else.
    pub(super) fn receive(&mut self, wait: bool) -> io::Result<Option<Datagram<'_>>> {
        let flags = if wait { MsgFlags::empty() } else { MsgFlags::MSG_DONTWAIT };
        let (len, cut) = loop {
            let mut pieces = [IoSliceMut::new(&mut self.buffer)];
            match recvmsg::<NetlinkAddr>(self.fd.as_raw_fd(), &mut pieces, None, flags) {
                // Any program with the rights may write to this socket; only the kernel has the address 0.
                Ok(datagram) if datagram.address.is_none_or(|from| from.pid() != 0) => {
                    if wait {
                        return Ok(None);
                    }
                }
                Ok(datagram) => {
                    break (datagram.bytes, datagram.flags.contains(MsgFlags::MSG_TRUNC));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            }
        };
        Ok(Some(if cut {
            Datagram::Cut
        } else {
            Datagram::Whole(Messages(self.buffer.get(..len).unwrap_or_default()))
        }))
    }
}
