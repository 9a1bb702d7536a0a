//! What must be known of a device before frames are taken from it: two questions by the ioctls of `ethtool`.
#![expect(unsafe_code, reason = "ioctls take a C union")]

use nix::errno::Errno;
use nix::net::if_::if_indextoname;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::{AsRawFd, OwnedFd};

const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GCHANNELS: u32 = 0x3c;
/// `ETH_FLAG_RXVLAN`.
const TAKES_TAGS: u32 = 1 << 8;

/// A device that can be asked.
pub(super) struct Device {
    name: String,
    socket: OwnedFd,
}

impl Device {
    /// The device with this index.
    pub(super) fn of(ifindex: u32) -> Result<Self, Errno> {
        let name = if_indextoname(ifindex).map_err(|_| Errno::ENODEV)?;
        let name = name.into_string().map_err(|_| Errno::ENODEV)?;
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        Ok(Self { name, socket })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it takes VLAN tags out of the frames on arrival.
    pub(super) fn takes_tags(&self) -> bool {
        let mut request = [ETHTOOL_GFLAGS, 0];
        self.ask(&mut request).is_ok() && request[1] & TAKES_TAGS != 0
    }

    /// How many receive queues it has: one if it does not say.
    pub(super) fn queues(&self) -> u32 {
        // struct ethtool_channels: the command, the most of each sort, and how many there are: receive, transmit, other,
        // combined.
        let mut request = [ETHTOOL_GCHANNELS, 0, 0, 0, 0, 0, 0, 0, 0];
        match self.ask(&mut request) {
            Ok(()) => request[5].saturating_add(request[8]).max(1),
            Err(_) => 1,
        }
    }

    fn ask<const LEN: usize>(&self, request: &mut [u32; LEN]) -> Result<(), Errno> {
        // SAFETY: an array of characters and a union of plain C types: zero is a value of each.
        let mut ifreq: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in ifreq.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(self.name.bytes())
        {
            *to = from.cast_signed() as libc::c_char;
        }
        ifreq.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
        // SAFETY: the kernel reads and writes the struct that the command at its start names, which `request` is as long as;
        // both live through the call. (The type of the request's number differs between C libraries.)
        let outcome =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut ifreq) };
        Errno::result(outcome).map(drop)
    }
}
