//! A link with the backend on one end, and waiting.

use crate::netns::link;
use crate::support::{HEADER, PATIENCE, Peer, SILENCE, await_carrier};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use noctule_dataplane::link::{self as path, Backend, Path, Receiver, Transmitter};
use noctule_dataplane::packet::{OpenError, PacketSettings};
use noctule_dataplane::xdp::{Mode, Unsuitable, XdpSettings};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// What is asked for, and what must come of it on a veth pair.
pub(super) const NATIVE: XdpSettings =
    XdpSettings { best: Mode::ZeroCopy, least: Mode::Native, transmit_ring: false };
pub(super) const GENERIC: XdpSettings = XdpSettings { best: Mode::Generic, ..NATIVE_OR_LESS };
const NATIVE_OR_LESS: XdpSettings = XdpSettings { least: Mode::Generic, ..NATIVE };
/// Sends by the transmit ring.
pub(super) const RING: XdpSettings = XdpSettings { transmit_ring: true, ..NATIVE };

/// The data path of an interface, for one worker.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) receiver: Receiver,
    pub(super) transmitter: Transmitter,
    pub(super) backend: Backend,
    pub(super) because: Option<Unsuitable>,
}

/// Opens it.
pub(super) fn open(
    ifindex: u32,
    mtu: u32,
    settings: &PacketSettings,
    asked: Option<XdpSettings>,
) -> Result<Link, OpenError> {
    let path::Link { mut paths, backend, because } = path::open(ifindex, mtu, settings, asked, 1)?;
    assert_eq!(paths.len(), 1);
    let Path { receiver, transmitter } = paths.remove(0);
    Ok(Link { receiver: receiver.expect("the only one"), transmitter, backend, because })
}

/// A data packet of `len` bytes that can be told from others.
pub(super) fn frame(nth: u32, len: usize) -> Vec<u8> {
    let mut frame = [&HEADER[..], &[0x40]].concat();
    frame.extend(nth.to_be_bytes());
    frame.extend((0..len).map(|at| (at as u32 ^ nth) as u8));
    frame.truncate(len);
    frame
}

/// Asks a driver, or tells it, by the numbers of `ethtool`.
pub(super) fn ethtool<const LEN: usize>(name: &str, request: &mut [u32; LEN]) {
    let any = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    let any = any.unwrap();
    // SAFETY: zero is a value of an array of characters and a union of plain C types.
    let mut ifreq: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in ifreq.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed() as libc::c_char;
    }
    ifreq.ifr_ifru.ifru_data = request.as_mut_ptr().cast();
    // SAFETY: each caller's array is as long as the structure that its first number names.
    let outcome = unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut ifreq) };
    assert_eq!(outcome, 0, "{name}: {}", std::io::Error::last_os_error());
}

/// Lets a driver take VLAN tags out of what arrives, or not.
pub(super) fn take_tags(name: &str, on: bool) {
    // ETHTOOL_SFLAGS, ETH_FLAG_RXVLAN (of which the others stay off).
    ethtool(name, &mut [0x26, if on { 1 << 8 } else { 0 }]);
}

/// Makes the pair `a` and `b`, both up and carrying frames; `a` leaves tags where they are.
pub(super) fn veth(a: &str, b: &str) {
    link::veth(a, b);
    take_tags(a, false);
    await_carrier(a, b);
}

/// Opens the backend, which must work.
pub(super) fn open_on(name: &str, settings: &PacketSettings, asked: XdpSettings) -> Link {
    let link = open(link::index(name), 1500, settings, Some(asked)).unwrap();
    let mode = if asked.best == Mode::Generic { Mode::Generic } else { Mode::Native };
    assert_eq!((link.backend, link.because.clone()), (Backend::Xdp(mode), None));
    link
}

/// A link with the backend on one end and a peer on the other.
pub(super) fn linked(asked: XdpSettings) -> (Link, Peer) {
    veth("pa", "pb");
    let link = open_on("pa", &PacketSettings::default(), asked);
    await_carrier("pa", "pb");
    (link, Peer::on("pb"))
}

/// Waits until something is there, or told.
pub(super) fn wait_within(receiver: &Receiver, limit: Duration) -> PollFlags {
    let mut fds: Vec<_> = receiver.fds().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    poll(&mut fds, PollTimeout::try_from(limit).unwrap()).unwrap();
    fds.iter().fold(PollFlags::empty(), |all, fd| all | fd.revents().unwrap())
}

/// The next frame.
pub(super) fn receive(receiver: &mut Receiver) -> Option<Vec<u8>> {
    receive_within(receiver, PATIENCE)
}

/// Whether no frame comes any more.
pub(super) fn is_silent(receiver: &mut Receiver) -> bool {
    receive_within(receiver, SILENCE).is_none()
}

pub(super) fn receive_within(receiver: &mut Receiver, limit: Duration) -> Option<Vec<u8>> {
    // Twice: what woke us up may have been a frame that is dropped.
    for _ in 0..2 {
        if let Some(frame) = receiver.next_frame() {
            return Some(frame.to_vec());
        }
        wait_within(receiver, limit);
    }
    receiver.next_frame().map(|frame| frame.to_vec())
}

/// How many frames came by the AF_XDP sockets.
pub(super) fn by_lanes(receiver: &Receiver) -> u64 {
    match receiver {
        Receiver::Xdp(receiver) => receiver.by_lanes(),
        Receiver::Packet(_) => panic!("not this backend"),
    }
}
