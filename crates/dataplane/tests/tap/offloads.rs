//! What the host leaves to the mesh interface, and what it takes from it uncut. The host's side is a packet socket that
//! speaks of virtio headers, too.

use super::may_open_tun;
use super::netns::isolated;
use super::tcp::{Tcp, cut};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrLike, bind, recv,
    send, socket,
};
use noctule_dataplane::segmentation::VirtioHeader;
use noctule_dataplane::tap::{FRAME_LEN_MAX, Offloads, Tap};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// A packet socket on an interface, in front of whose frames a virtio header stands.
struct Host(OwnedFd);

impl Host {
    fn on(ifindex: u32) -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::EthAll;
        let fd = socket(AddressFamily::Packet, SockType::Raw, flags, protocol).unwrap();
        let on: libc::c_int = 1;
        // SAFETY: the option takes an integer, which lives through the call.
        let outcome = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_VNET_HDR,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        assert_eq!(outcome, 0, "PACKET_VNET_HDR");
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: ifindex.cast_signed(),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: it is a whole address of that family.
        let address = unsafe {
            LinkAddr::from_raw((&raw const address).cast(), Some(size_of_val(&address) as u32))
        };
        bind(fd.as_raw_fd(), &address.unwrap()).unwrap();
        Self(fd)
    }

    fn send(&self, header: VirtioHeader, frame: &[u8]) {
        let bytes = [&header.to_bytes()[..], frame].concat();
        assert_eq!(send(self.0.as_raw_fd(), &bytes, MsgFlags::empty()), Ok(bytes.len()));
    }

    /// The next frame that a `Tcp` could be.
    fn receive(&self) -> (VirtioHeader, Vec<u8>) {
        let mut bytes = vec![0; FRAME_LEN_MAX + VirtioHeader::LEN];
        loop {
            wait(self.0.as_fd());
            let len = recv(self.0.as_raw_fd(), &mut bytes, MsgFlags::empty()).unwrap();
            let (header, frame) = bytes[..len].split_first_chunk().unwrap();
            if is_ours(frame) {
                return (VirtioHeader::from_bytes(*header), frame.to_vec());
            }
        }
    }
}

fn wait(fd: std::os::fd::BorrowedFd<'_>) {
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::from(10_000_u16)), Ok(1), "nothing came");
}

/// Not what the host sends of its own accord.
fn is_ours(frame: &[u8]) -> bool {
    frame.starts_with(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
}

fn read(tap: &Tap) -> (VirtioHeader, Vec<u8>) {
    let mut buffer = vec![0; FRAME_LEN_MAX];
    loop {
        match tap.read(&mut buffer).unwrap() {
            Some((len, header)) if is_ours(&buffer[..len]) => {
                return (header, buffer[..len].to_vec());
            }
            Some(_) => {}
            None => wait(tap.fd()),
        }
    }
}

fn all() -> impl Iterator<Item = Tcp> {
    [(false, 0), (true, 0), (false, 1), (true, 1)]
        .into_iter()
        .map(|(v6, tags)| Tcp { tags, ..Tcp::new(v6, 30_500) })
}

#[test]
fn long_segments_come_whole_from_the_host_or_cut_by_it() {
    isolated("offloads::long_segments_come_whole_from_the_host_or_cut_by_it", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        tap.set_up(true).unwrap();
        let host = Host::on(tap.ifindex());
        assert!(!tap.offloads(), "nobody has asked");
        for on in [true, false, true] {
            let offloads = tap.offload(on).unwrap();
            assert_eq!(offloads != Offloads::None, on, "this kernel can");
            assert_eq!(tap.offloads(), on);
            for tcp in all() {
                let (header, frame) = tcp.whole(1000);
                let parts = cut(&header, frame.clone(), None);
                host.send(header, &frame);
                if on {
                    let (told, came) = read(&tap);
                    assert_eq!(told.segmentation(), header.segmentation(), "{}", tcp.tags);
                    assert_eq!(told.checksum(), header.checksum(), "{}", tcp.tags);
                    assert!(came == frame, "other bytes");
                    assert!(cut(&told, came, None) == parts);
                } else {
                    for part in &parts {
                        let (told, came) = read(&tap);
                        assert_eq!(told, VirtioHeader::default());
                        assert!(came == *part, "the kernel cuts as we do");
                    }
                }
            }
        }
    });
}

#[test]
fn joined_segments_reach_the_host_as_one() {
    isolated("offloads::joined_segments_reach_the_host_as_one", || {
        if !may_open_tun() {
            return;
        }
        let tap = Tap::open("bat0").unwrap();
        tap.set_up(true).unwrap();
        tap.offload(true).unwrap();
        let host = Host::on(tap.ifindex());
        for tcp in all() {
            let (header, frame) = tcp.whole(1000);
            tap.write_offloaded(&header, &[&frame]).unwrap();
            let (told, came) = host.receive();
            // The kernel keeps tags beside the frame.
            let plain = Tcp { tags: 0, ..tcp };
            let (header, frame) = plain.whole(1000);
            assert_eq!(told.segmentation(), header.segmentation());
            assert_eq!(told.checksum(), header.checksum());
            assert!(came == frame, "other bytes");
        }
    });
}
