//! A small rtnetlink client: links, addresses, routes and queueing disciplines of one namespace.
//!
//! The laboratory must work on machines without `ip` and `tc`, and a message costs a hundredth of
//! what starting a program costs. A socket belongs for life to the namespace in which it was opened.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::link::Link;

/// How long the kernel may take for one answer. Its answers are immediate; this ends a defect.
const ANSWER_LIMIT: TimeVal = TimeVal::new(10, 0);
/// A datagram of a link dump holds several links of up to two kilobytes.
const ANSWER_SIZE: usize = 64 * 1024;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;
/// Length of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;
/// An attribute that holds others.
const NESTED: u16 = 0x8000;
/// `IFLA_INFO_SLAVE_KIND`, `IFLA_INFO_SLAVE_DATA`, and in there `IFLA_BRPORT_ISOLATED`.
pub(super) const INFO_SLAVE_KIND: u16 = 4;
pub(super) const INFO_SLAVE_DATA: u16 = 5;
pub(super) const BRIDGE_PORT_ISOLATED: u16 = 33;
/// `VETH_INFO_PEER`.
const VETH_PEER: u16 = 1;
/// `IFLA_VLAN_ID`.
const VLAN_ID: u16 = 1;

/// A request under construction, in the byte order of this machine as netlink has it.
pub(super) struct Message(Vec<u8>);

impl Message {
    /// A request of `kind` (`RTM_*`) that wants an acknowledgement.
    pub(super) fn new(kind: u16, flags: i32) -> Self {
        let flags = flags | libc::NLM_F_REQUEST | libc::NLM_F_ACK;
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags as u16).to_ne_bytes());
        Self(bytes)
    }

    /// Attributes alone, as the value of another.
    pub(super) fn parts(fill: impl FnOnce(Self) -> Self) -> Vec<u8> {
        fill(Self(Vec::new())).0
    }

    /// Adds raw bytes, padded to four.
    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a `struct ifinfomsg`: `flags` are set or cleared as far as `change` has their bits.
    pub(super) fn link_header(self, index: u32, flags: i32, change: i32) -> Self {
        let mut header = [0; LINK_HEADER];
        header[4..8].copy_from_slice(&index.to_ne_bytes());
        header[8..12].copy_from_slice(&flags.to_ne_bytes());
        header[12..16].copy_from_slice(&change.to_ne_bytes());
        self.bytes(&header)
    }

    /// Adds an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(value.len() + 4).expect("attributes here are short");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.bytes(value)
    }

    /// Adds an attribute with a number.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute with a zero-terminated name.
    pub(super) fn name(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds an attribute that holds what `fill` adds.
    pub(super) fn nest(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.0.len();
        self = fill(self.attribute(kind | NESTED, &[]));
        let length = u16::try_from(self.0.len() - start).expect("attributes here are short");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Adds `IFLA_LINKINFO` with the kind of link and its own data.
    fn link_info(self, kind: &str, data: impl FnOnce(Self) -> Self) -> Self {
        self.nest(libc::IFLA_LINKINFO, |info| {
            info.attribute(libc::IFLA_INFO_KIND, kind.as_bytes()).nest(libc::IFLA_INFO_DATA, data)
        })
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("requests here are short");
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// One end of a veth pair.
pub(crate) struct End<'a> {
    /// Name of the interface, at most 15 bytes.
    pub(crate) name: &'a str,
    /// Its hardware address.
    pub(crate) mac: [u8; 6],
}

impl End<'_> {
    fn put(&self, message: Message, mtu: u32) -> Message {
        message
            .name(libc::IFLA_IFNAME, self.name)
            .attribute(libc::IFLA_ADDRESS, &self.mac)
            .number(libc::IFLA_MTU, mtu)
    }
}

/// A netlink socket in one namespace.
pub(super) struct Route {
    socket: OwnedFd,
    sequence: u32,
}

impl Route {
    /// Opens a socket in the calling thread's namespace.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &ANSWER_LIMIT)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Sends a request and takes the answer: the messages before the acknowledgement or the end.
    pub(super) fn ask(&mut self, message: Message) -> io::Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        let kernel = NetlinkAddr::new(0, 0);
        let request = message.finish(self.sequence);
        sendto(self.socket.as_raw_fd(), &request, &kernel, MsgFlags::empty())?;
        let mut answers = Vec::new();
        let mut buffer = vec![0; ANSWER_SIZE];
        loop {
            let length = match recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            for (kind, sequence, body) in messages(&buffer[..length]) {
                if sequence != self.sequence {
                    continue;
                }
                match i32::from(kind) {
                    libc::NLMSG_ERROR => {
                        let code = field(body, 0).map_or(-libc::EPROTO, i32::from_ne_bytes);
                        return match code {
                            0 => Ok(answers),
                            code => Err(io::Error::from_raw_os_error(-code)),
                        };
                    }
                    libc::NLMSG_DONE => return Ok(answers),
                    _ => answers.push(body.to_vec()),
                }
            }
        }
    }

    fn tell(&mut self, message: Message) -> io::Result<()> {
        self.ask(message).map(|_| ())
    }

    /// Makes a veth pair: `here` in this namespace, `there` in the one behind `namespace`. Both down.
    pub(super) fn add_veth(
        &mut self,
        here: &End<'_>,
        there: &End<'_>,
        namespace: &OwnedFd,
        mtu: u32,
    ) -> io::Result<()> {
        let namespace = namespace.as_raw_fd().cast_unsigned();
        let message = here.put(create().link_header(0, 0, 0), mtu).link_info("veth", |data| {
            data.nest(VETH_PEER, |peer| {
                there.put(peer.link_header(0, 0, 0), mtu).number(libc::IFLA_NET_NS_FD, namespace)
            })
        });
        self.tell(message)
    }

    /// Makes a link without settings of its own: a `bridge`.
    pub(super) fn add_link(&mut self, kind: &str, name: &str) -> io::Result<()> {
        let message = create().link_header(0, 0, 0).name(libc::IFLA_IFNAME, name);
        self.tell(message.link_info(kind, |data| data))
    }

    /// Makes the interface of VLAN `id` (1 to 4094) on top of the link `parent`.
    pub(super) fn add_vlan(&mut self, parent: u32, name: &str, id: u16) -> io::Result<()> {
        let message = create()
            .link_header(0, 0, 0)
            .name(libc::IFLA_IFNAME, name)
            .number(libc::IFLA_LINK, parent);
        self.tell(message.link_info("vlan", |data| data.attribute(VLAN_ID, &id.to_ne_bytes())))
    }

    /// Changes a link: flags as far as `change` has their bits, and the attributes `fill` adds.
    pub(super) fn change_link(
        &mut self,
        index: u32,
        flags: i32,
        change: i32,
        fill: impl FnOnce(Message) -> Message,
    ) -> io::Result<()> {
        self.tell(fill(Message::new(libc::RTM_NEWLINK, 0).link_header(index, flags, change)))
    }

    /// Removes a link (for a veth: both of its ends).
    pub(super) fn delete_link(&mut self, index: u32) -> io::Result<()> {
        self.tell(Message::new(libc::RTM_DELLINK, 0).link_header(index, 0, 0))
    }

    /// The links of the namespace, in the kernel's order.
    pub(super) fn links(&mut self) -> io::Result<Vec<Link>> {
        let message = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP).link_header(0, 0, 0);
        Ok(self.ask(message)?.iter().filter_map(|body| Link::parse(body)).collect())
    }

    /// Adds an address; an IPv6 address is usable at once (no duplicate address detection).
    pub(super) fn add_address(&mut self, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
        self.tell(address(create_with(libc::RTM_NEWADDR), index, ip, prefix))
    }

    /// Takes an address away.
    pub(super) fn delete_address(&mut self, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
        self.tell(address(Message::new(libc::RTM_DELADDR, 0), index, ip, prefix))
    }

    /// Adds a route to `ip/prefix` by way of `gateway`.
    pub(super) fn add_route(&mut self, ip: IpAddr, prefix: u8, gateway: IpAddr) -> io::Result<()> {
        let header = [
            family(ip),
            prefix,
            0,
            0,
            libc::RT_TABLE_MAIN,
            libc::RTPROT_STATIC,
            libc::RT_SCOPE_UNIVERSE,
            libc::RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let mut message = create_with(libc::RTM_NEWROUTE).bytes(&header);
        if prefix > 0 {
            message = message.attribute(libc::RTA_DST, &octets(ip));
        }
        self.tell(message.attribute(libc::RTA_GATEWAY, &octets(gateway)))
    }

    /// Puts a queueing discipline at the root of a link, in place of any other.
    pub(super) fn set_discipline(
        &mut self,
        index: u32,
        kind: &str,
        fill: impl FnOnce(Message) -> Message,
    ) -> io::Result<()> {
        let flags = libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
        let message = discipline(Message::new(libc::RTM_NEWQDISC, flags), index);
        self.tell(fill(message.name(libc::TCA_KIND, kind)))
    }

    /// Takes the queueing discipline away: the link gets the system's own one back.
    pub(super) fn clear_discipline(&mut self, index: u32) -> io::Result<()> {
        self.tell(discipline(Message::new(libc::RTM_DELQDISC, 0), index))
    }
}

fn create() -> Message {
    create_with(libc::RTM_NEWLINK)
}

fn create_with(kind: u16) -> Message {
    Message::new(kind, libc::NLM_F_CREATE | libc::NLM_F_EXCL)
}

/// Adds `struct tcmsg` for the root of a link.
fn discipline(message: Message, index: u32) -> Message {
    const TC_H_ROOT: u32 = u32::MAX;
    let words = [0, index, 0, TC_H_ROOT, 0].map(u32::to_ne_bytes);
    message.bytes(words.as_flattened())
}

/// Adds `struct ifaddrmsg` and the address.
fn address(message: Message, index: u32, ip: IpAddr, prefix: u8) -> Message {
    let flags = u8::try_from(libc::IFA_F_NODAD).expect("one of the first eight flags");
    let [a, b, c, d] = index.to_ne_bytes();
    message
        .bytes(&[family(ip), prefix, flags, libc::RT_SCOPE_UNIVERSE, a, b, c, d])
        .attribute(libc::IFA_LOCAL, &octets(ip))
        .attribute(libc::IFA_ADDRESS, &octets(ip))
}

fn family(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    u8::try_from(family).expect("2 or 10")
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Kind, sequence number and body of the messages in a datagram; stops at the first odd one.
fn messages(mut bytes: &[u8]) -> impl Iterator<Item = (u16, u32, &[u8])> {
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(field(bytes, 0)?) as usize;
        let kind = u16::from_ne_bytes(field(bytes, 4)?);
        let sequence = u32::from_ne_bytes(field(bytes, 8)?);
        let body = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, sequence, body))
    })
}

/// Kind and value of the attributes in a message behind its header of `skip` bytes.
pub(super) fn attributes(body: &[u8], skip: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = body.get(skip..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(field(bytes, 0)?));
        let kind = u16::from_ne_bytes(field(bytes, 2)?) & !NESTED;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The `N` bytes at `offset`, if they are there.
pub(super) fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_as_they_were_put() {
        let message = Message::new(libc::RTM_NEWLINK, 0)
            .link_header(7, libc::IFF_UP, libc::IFF_UP)
            .name(libc::IFLA_IFNAME, "n1e1")
            .nest(libc::IFLA_LINKINFO, |info| info.attribute(libc::IFLA_INFO_KIND, b"veth"))
            .number(libc::IFLA_MTU, 1500)
            .finish(3);
        let (kind, sequence, body) = messages(&message).next().unwrap();
        assert_eq!((kind, sequence), (libc::RTM_NEWLINK, 3));
        let found: Vec<_> = attributes(body, LINK_HEADER).collect();
        assert_eq!(found[0], (libc::IFLA_IFNAME, &b"n1e1\0"[..]));
        assert_eq!(found[1].0, libc::IFLA_LINKINFO);
        assert_eq!(attributes(found[1].1, 0).next(), Some((libc::IFLA_INFO_KIND, &b"veth"[..])));
        assert_eq!(found[2], (libc::IFLA_MTU, &1500_u32.to_ne_bytes()[..]));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_cut_datagram_yields_nothing_odd() {
        let message = Message::new(libc::RTM_GETLINK, 0).link_header(0, 0, 0).finish(1);
        for length in 0..message.len() {
            assert_eq!(messages(&message[..length]).count(), 0);
        }
    }
}
