//! The ioctls of the mesh interface, each as one safe function.
#![expect(unsafe_code, reason = "ioctls take a C union")]

use nix::errno::Errno;
use noctule_wire::Mac;
use std::os::fd::{AsFd, AsRawFd};

/// What the driver can do, as flags of [`Request::tun_set_iff`] (`TUNGETFEATURES`).
pub(super) fn features(tun: impl AsFd) -> Result<libc::c_int, Errno> {
    let mut flags: libc::c_uint = 0;
    // SAFETY: the request writes one unsigned number to where the pointer points, which lives through the call.
    let outcome =
        unsafe { libc::ioctl(tun.as_fd().as_raw_fd(), libc::TUNGETFEATURES, &raw mut flags) };
    Errno::result(outcome)?;
    Ok(flags.cast_signed())
}

/// Says what whoever reads from `tun` does himself (`TUNSETOFFLOAD`).
pub(super) fn set_offload(tun: impl AsFd, flags: libc::c_uint) -> Result<(), Errno> {
    // SAFETY: the request takes a number, not a pointer.
    let outcome = unsafe {
        libc::ioctl(tun.as_fd().as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags))
    };
    Errno::result(outcome).map(drop)
}

/// A name that Linux would take for an interface, with zeros behind it.
#[derive(Clone, Copy)]
pub(super) struct InterfaceName([libc::c_char; libc::IFNAMSIZ]);

impl InterfaceName {
    pub(super) fn new(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        // 0xa0 is white space for the kernel, whose characters are those of Latin-1.
        let bad = |byte: &u8| byte.is_ascii_whitespace() || b"/:%\0\x0b\xa0".contains(byte);
        if bytes.is_empty()
            || bytes.len() >= libc::IFNAMSIZ
            || matches!(name, "." | "..")
            || bytes.iter().any(bad)
        {
            return None;
        }
        let mut field = [0; libc::IFNAMSIZ];
        for (to, from) in field.iter_mut().zip(bytes) {
            *to = from.cast_signed() as libc::c_char;
        }
        Some(Self(field))
    }
}

/// A `struct ifreq`: the name of an interface and one value. Which value it is depends on the last call; each call that
/// fills it in has the getter that fits it beside it.
pub(super) struct Request(libc::ifreq);

impl Request {
    /// About the interface `name`, with a value of zero.
    pub(super) fn new(name: InterfaceName) -> Self {
        // SAFETY: an array of characters and a union of plain C types: zero is a value of each.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        request.ifr_name = name.0;
        Self(request)
    }

    /// About the interface behind an attached `/dev/net/tun`, under the name it has now (`TUNGETIFF`).
    pub(super) fn of_tun(tun: impl AsFd) -> Result<Self, Errno> {
        let mut request = Self::new(InterfaceName([0; libc::IFNAMSIZ]));
        request.call(tun, libc::TUNGETIFF)?;
        Ok(request)
    }

    /// The interface's name.
    pub(super) fn name(&self) -> String {
        let bytes: Vec<u8> =
            self.0.ifr_name.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Makes the interface and attaches it to `tun`; flags as set by [`Self::set_flags`].
    pub(super) fn tun_set_iff(&mut self, tun: impl AsFd) -> Result<(), Errno> {
        self.call(tun, libc::TUNSETIFF)
    }

    pub(super) fn set_flags(&mut self, flags: libc::c_int) {
        // Only the lower 16 bits exist in this call.
        self.0.ifr_ifru.ifru_flags = flags as libc::c_short;
    }

    pub(super) fn apply_flags(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        self.call(socket, libc::SIOCSIFFLAGS)
    }

    pub(super) fn get_flags(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        self.call(socket, libc::SIOCGIFFLAGS)
    }

    pub(super) fn flags(&self) -> libc::c_int {
        // SAFETY: every bit pattern is a number, and all bytes of the union are initialised (zeroed in `new`).
        libc::c_int::from(unsafe { self.0.ifr_ifru.ifru_flags })
    }

    pub(super) fn get_index(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        self.call(socket, libc::SIOCGIFINDEX)
    }

    pub(super) fn index(&self) -> u32 {
        // SAFETY: as in `flags`.
        unsafe { self.0.ifr_ifru.ifru_ifindex }.cast_unsigned()
    }

    pub(super) fn get_mtu(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        self.call(socket, libc::SIOCGIFMTU)
    }

    pub(super) fn mtu(&self) -> u32 {
        // SAFETY: as in `flags`.
        unsafe { self.0.ifr_ifru.ifru_mtu }.cast_unsigned()
    }

    pub(super) fn set_mtu(&mut self, socket: impl AsFd, mtu: u32) -> Result<(), Errno> {
        self.0.ifr_ifru.ifru_mtu = libc::c_int::try_from(mtu).map_err(|_| Errno::EINVAL)?;
        self.call(socket, libc::SIOCSIFMTU)
    }

    pub(super) fn get_mac(&mut self, socket: impl AsFd) -> Result<(), Errno> {
        self.call(socket, libc::SIOCGIFHWADDR)
    }

    pub(super) fn mac(&self) -> Mac {
        // SAFETY: as in `flags`.
        let data = unsafe { self.0.ifr_ifru.ifru_hwaddr }.sa_data;
        Mac(std::array::from_fn(|nth| data[nth] as u8))
    }

    pub(super) fn set_mac(&mut self, socket: impl AsFd, mac: Mac) -> Result<(), Errno> {
        let mut data = [0; 14];
        for (to, from) in data.iter_mut().zip(mac.0) {
            *to = from.cast_signed() as libc::c_char;
        }
        self.0.ifr_ifru.ifru_hwaddr =
            libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: data };
        self.call(socket, libc::SIOCSIFHWADDR)
    }

    fn call(&mut self, fd: impl AsFd, request: libc::Ioctl) -> Result<(), Errno> {
        // SAFETY: every request in this file reads and writes one `struct ifreq` and nothing else; it is borrowed
        // exclusively through the call, and any bytes the kernel leaves in it are values of its fields.
        let outcome = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request, &raw mut self.0) };
        Errno::result(outcome).map(drop)
    }
}
