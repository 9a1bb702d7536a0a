//! Links for tests: the few rtnetlink requests that `ip link` would make.

use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType};
use nix::sys::socket::{recv, send, socket};
use std::io;
use std::os::fd::AsRawFd;

const NLM_F_REQUEST_ACK: u16 = 0x05;
const NLM_F_CREATE_EXCL: u16 = 0x600;
const VETH_INFO_PEER: u16 = 1;
const TC_H_ROOT: u32 = 0xffff_ffff;
/// The handle `1:` of a throttle.
const THROTTLE: u32 = 1 << 16;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_BURST: u16 = 6;
const TCA_NETEM_LATENCY64: u16 = 10;
const TC_LINKLAYER_ETHERNET: u8 = 1;

/// A request, built attribute by attribute.
struct Request(Vec<u8>);

impl Request {
    /// `struct nlmsghdr` and `struct ifinfomsg`; `flags` are set, those in `change` and not in `flags` are cleared.
    fn new(kind: u16, extra: u16, ifindex: u32, flags: u32, change: u32) -> Self {
        let mut request = Self::header(kind, extra);
        request.ifinfomsg(ifindex, flags, change);
        request
    }

    /// `struct nlmsghdr` and `struct tcmsg`, about the root queueing discipline of `name`.
    fn of_root_queue(kind: u16, extra: u16, name: &str) -> Self {
        Self::of_queue(kind, extra, name, 0, TC_H_ROOT)
    }

    /// About the queueing discipline `handle` (0: whichever) below `parent`.
    fn of_queue(kind: u16, extra: u16, name: &str, handle: u32, parent: u32) -> Self {
        let mut request = Self::header(kind, extra);
        request.u32(0).u32(index(name)).u32(handle).u32(parent).u32(0);
        request
    }

    fn header(kind: u16, extra: u16) -> Self {
        let mut request = Self(Vec::new());
        request.u32(0).u16(kind).u16(NLM_F_REQUEST_ACK | extra).u32(1).u32(0);
        request
    }

    fn ifinfomsg(&mut self, ifindex: u32, flags: u32, change: u32) {
        self.u16(0).u16(0).u32(ifindex).u32(flags).u32(change);
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_ne_bytes());
        self
    }

    fn attr(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        self.nest(kind, |inner| inner.0.extend(value))
    }

    fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.0.len();
        self.u16(0).u16(kind);
        fill(self);
        let len = u16::try_from(self.0.len() - start).unwrap();
        self.0[start..start + 2].copy_from_slice(&len.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Sends the request and waits for the answer.
    fn send(&mut self) -> io::Result<()> {
        let len = u32::try_from(self.0.len()).unwrap();
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        let netlink = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        send(netlink.as_raw_fd(), &self.0, MsgFlags::empty())?;
        let mut answer = [0; 4096];
        let len = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
        let error = answer[..len][16..].first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        match error {
            Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// The index of the interface `name`.
pub(crate) fn index(name: &str) -> u32 {
    if_nametoindex(name).unwrap_or_else(|errno| panic!("{name}: {errno}"))
}

/// Makes the pair `a` and `b`, both up.
pub(crate) fn veth(a: &str, b: &str) {
    Request::new(libc::RTM_NEWLINK, NLM_F_CREATE_EXCL, 0, 0, 0)
        .attr(libc::IFLA_IFNAME, &name_bytes(a))
        .nest(libc::IFLA_LINKINFO, |info| {
            info.attr(libc::IFLA_INFO_KIND, b"veth").nest(libc::IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    peer.ifinfomsg(0, 0, 0);
                    peer.attr(libc::IFLA_IFNAME, &name_bytes(b));
                });
            });
        })
        .send()
        .unwrap_or_else(|error| panic!("veth {a} {b}: {error}"));
    set_up(a, true);
    set_up(b, true);
}

/// Makes an interface that needs no more than its kind ("bridge", "dummy", "ifb", …), down.
pub(crate) fn add(name: &str, kind: &str) -> io::Result<()> {
    Request::new(libc::RTM_NEWLINK, NLM_F_CREATE_EXCL, 0, 0, 0)
        .attr(libc::IFLA_IFNAME, &name_bytes(name))
        .nest(libc::IFLA_LINKINFO, |info| {
            info.attr(libc::IFLA_INFO_KIND, kind.as_bytes());
        })
        .send()
}

/// Makes an interface of `kind` ("macvlan") on top of `lower`, down.
pub(crate) fn add_on(name: &str, kind: &str, lower: &str) -> io::Result<()> {
    Request::new(libc::RTM_NEWLINK, NLM_F_CREATE_EXCL, 0, 0, 0)
        .attr(libc::IFLA_IFNAME, &name_bytes(name))
        .attr(libc::IFLA_LINK, &index(lower).to_ne_bytes())
        .nest(libc::IFLA_LINKINFO, |info| {
            info.attr(libc::IFLA_INFO_KIND, kind.as_bytes());
        })
        .send()
}

/// Deletes the interface `name`.
pub(crate) fn delete(name: &str) {
    Request::new(libc::RTM_DELLINK, 0, index(name), 0, 0)
        .send()
        .unwrap_or_else(|error| panic!("delete {name}: {error}"));
}

/// Sets `name` up or down.
pub(crate) fn set_up(name: &str, up: bool) {
    let flag = libc::IFF_UP.cast_unsigned();
    Request::new(libc::RTM_NEWLINK, 0, index(name), if up { flag } else { 0 }, flag)
        .send()
        .unwrap_or_else(|error| panic!("{name} up {up}: {error}"));
}

/// Makes `name` take frames for every station.
pub(crate) fn set_promiscuous(name: &str) {
    let flag = libc::IFF_PROMISC.cast_unsigned();
    Request::new(libc::RTM_NEWLINK, 0, index(name), flag, flag)
        .send()
        .unwrap_or_else(|error| panic!("{name} promisc: {error}"));
}

/// Sets the MTU of `name`, bytes.
pub(crate) fn set_mtu(name: &str, mtu: u32) {
    set(name, libc::IFLA_MTU, &mtu.to_ne_bytes());
}

/// Sets the address of `name`.
pub(crate) fn set_mac(name: &str, mac: [u8; 6]) {
    set(name, libc::IFLA_ADDRESS, &mac);
}

/// Renames `name`.
pub(crate) fn rename(name: &str, to: &str) {
    set(name, libc::IFLA_IFNAME, &name_bytes(to));
}

/// Makes `name` a port of `master`, or of none.
pub(crate) fn set_master(name: &str, master: Option<&str>) {
    set(name, libc::IFLA_MASTER, &master.map_or(0, index).to_ne_bytes());
}

/// Puts a token bucket filter in front of `name`: `rate` bytes a second, `burst` bytes at once, and a queue of `limit`
/// bytes for what has to wait.
pub(crate) fn throttle(name: &str, rate: u32, burst: u32, limit: u32) -> io::Result<()> {
    // struct tc_tbf_qopt: the rate, no peak rate, the queue's limit, and two fields that the burst below replaces.
    let mut parameters = vec![0, TC_LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
    parameters.extend(rate.to_ne_bytes());
    parameters.extend([0; 12]);
    parameters.extend(limit.to_ne_bytes());
    parameters.extend([0; 8]);
    Request::of_queue(libc::RTM_NEWQDISC, NLM_F_CREATE_EXCL, name, THROTTLE, TC_H_ROOT)
        .attr(libc::TCA_KIND, b"tbf\0")
        .nest(libc::TCA_OPTIONS, |options| {
            options.attr(TCA_TBF_PARMS, &parameters).attr(TCA_TBF_BURST, &burst.to_ne_bytes());
        })
        .send()
}

/// Makes what waits behind a [`throttle`] leave by its priority: three queues, the most urgent first.
pub(crate) fn throttle_by_priority(name: &str) -> io::Result<()> {
    Request::of_queue(libc::RTM_NEWQDISC, NLM_F_CREATE_EXCL, name, 0, THROTTLE | 1)
        .attr(libc::TCA_KIND, b"pfifo_fast\0")
        .send()
}

/// Puts a `netem` in front of `name` that holds each frame for `time`.
pub(crate) fn delay(name: &str, time: std::time::Duration) -> io::Result<()> {
    // struct tc_netem_qopt: a latency that the attribute behind it replaces, a limit of frames, and four that are off.
    let mut options = vec![0; 4];
    options.extend(10_000_u32.to_ne_bytes());
    options.extend([0; 16]);
    let ns = i64::try_from(time.as_nanos()).unwrap();
    Request::of_root_queue(libc::RTM_NEWQDISC, NLM_F_CREATE_EXCL, name)
        .attr(libc::TCA_KIND, b"netem\0")
        .nest(libc::TCA_OPTIONS, |nested| {
            nested.0.extend(&options);
            nested.attr(TCA_NETEM_LATENCY64, &ns.to_ne_bytes());
        })
        .send()
}

/// Takes either away, and with it what waits there.
pub(crate) fn unthrottle(name: &str) {
    Request::of_root_queue(libc::RTM_DELQDISC, 0, name)
        .send()
        .unwrap_or_else(|error| panic!("unthrottle {name}: {error}"));
}

fn set(name: &str, attribute: u16, value: &[u8]) {
    Request::new(libc::RTM_NEWLINK, 0, index(name), 0, 0)
        .attr(attribute, value)
        .send()
        .unwrap_or_else(|error| panic!("{name}: attribute {attribute}: {error}"));
}
