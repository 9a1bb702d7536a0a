//! Raw frames on one interface: what tests inject and listen with, and what a [`super::Wire`] is
//! made of.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
    setsockopt, socket, sockopt,
};

use super::Namespace;

/// Longer than any frame of an interface whose MTU has 16 bits.
const LONGEST: usize = 1 << 17;

/// A socket that sees every frame an interface receives, and sends frames as they are.
pub(crate) struct FrameSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl FrameSocket {
    /// Opens a socket on the interface `link` of a namespace.
    pub(crate) fn open(namespace: &Namespace, link: &str) -> Result<Self> {
        let socket = namespace.with(|| -> Result<OwnedFd> {
            let address = getifaddrs()?
                .filter(|address| address.interface_name == link)
                .find_map(|address| address.address?.as_link_addr().copied())
                .with_context(|| format!("no link {link}"))?;
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll)?;
            bind(socket.as_raw_fd(), &address)?;
            Ok(socket)
        });
        let socket = socket
            .with_context(|| format!("cannot open {link} in namespace {}", namespace.name()))?;
        let mut frames = Self { socket, buffer: vec![0; LONGEST] };
        // Between its making and its binding the socket saw the frames of every interface.
        while frames.try_receive()?.is_some() {}
        Ok(frames)
    }

    /// Gives every frame that is sent this mark, for packet filters and the like.
    pub(crate) fn set_mark(&self, mark: u32) -> io::Result<()> {
        setsockopt(&self.socket, sockopt::Mark, &mark)?;
        Ok(())
    }

    /// Sends a frame, Ethernet header first.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }

    /// A frame that has arrived, if there is one; frames that this machine sent do not count.
    pub(crate) fn try_receive(&mut self) -> io::Result<Option<&[u8]>> {
        let length = loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut self.buffer) {
                Ok((_, Some(from))) if from.pkttype() == libc::PACKET_OUTGOING => {}
                Ok((length, _)) => break length,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        Ok(self.buffer.get(..length))
    }

    /// Waits for a frame that `wanted` accepts.
    ///
    /// # Errors
    /// If none comes within `limit`.
    pub(crate) fn receive(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<u8>> {
        let deadline = Instant::now() + limit;
        loop {
            while let Some(frame) = self.try_receive()? {
                if wanted(frame) {
                    return Ok(frame.to_vec());
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("no such frame within {limit:?}");
            }
            let mut ready = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
            poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX))?;
        }
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
