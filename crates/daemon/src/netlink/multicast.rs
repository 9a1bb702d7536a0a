//! Who listens to which group on this machine: its own memberships, and what the bridge above the mesh interface has
//! learned (MCAST section 4.1).

use super::Links;
use super::message::{Attributes, Body, Request, value_32};
use super::socket::{Datagram, Socket};
use noctule_control::{BridgeMulticast, HostMulticast, Querier};
use noctule_wire::Instant;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

const RTM_NEWMDB: u16 = 84;
const RTM_GETMDB: u16 = 86;
/// `struct br_port_msg`.
const PORT_HEADER_LEN: usize = 8;
/// `struct br_mdb_entry`.
const ENTRY_LEN: usize = 28;
const MDBA_MDB: u16 = 1;
const MDBA_ROUTER: u16 = 2;
/// Inside of [`MDBA_MDB`] the entries of one group, inside of those one entry each; inside of [`MDBA_ROUTER`] one port each.
const MDBA_INNER: u16 = 1;
const ROUTER_INET_TIMER: u16 = 3;
const ROUTER_INET6_TIMER: u16 = 4;

const IFLA_INFO_DATA: u16 = 2;
const IFLA_BR_MCAST_SNOOPING: u16 = 23;
const IFLA_BR_MCAST_QUERY_RESPONSE_INTVL: u16 = 34;
const IFLA_BR_MCAST_QUERIER_STATE: u16 = 47;
/// Attributes of the querier's state: address, port, and timer of another querier; first IPv4, then IPv6.
const QUERIER_ATTRIBUTES: [[u16; 3]; 2] = [[1, 2, 3], [5, 6, 7]];
/// The unit of the bridge's times, which are in hundredths of a second on every architecture that matters.
const CLOCK_TICK_MS: u64 = 10;
/// Query response interval where the bridge does not tell.
const QUERY_RESPONSE_DEFAULT: Duration = Duration::from_secs(10);
/// How many masters there can be above each other.
const MASTERS_MAX: usize = 8;
/// How often an answer is asked for again because something changed meanwhile.
const TRIES: usize = 3;

/// Looks at the host again and again.
#[derive(Debug)]
pub struct MulticastMonitor {
    socket: Socket,
    number: u32,
    /// The bridge that the next one belongs to.
    bridge: Option<u32>,
    /// Since when there has been a querier for IPv4 and IPv6.
    since: [Option<Instant>; 2],
}

/// What a bridge says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct BridgeState {
    snooping: bool,
    response: Duration,
    /// For IPv4 and IPv6: whether there is a querier, and whether it is shadowing.
    queriers: [Option<bool>; 2],
}

/// What a bridge has learned at its ports.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Learned {
    groups: BTreeSet<IpAddr>,
    router_ipv4: bool,
    router_ipv6: bool,
}

impl MulticastMonitor {
    /// For the network namespace of the calling thread.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::route(0)?, number: 0, bridge: None, since: [None; 2] })
    }

    /// What the mesh interface `mesh` wants now. Without an answer about the bridge, it has no querier (MCAST-25).
    ///
    /// # Errors
    /// The memberships cannot be read: what was known before still holds (MCAST-03).
    pub fn look(&mut self, now: Instant, links: &Links, mesh: u32) -> io::Result<HostMulticast> {
        let bridge = master_bridge(links, mesh);
        let device = links.get(bridge.unwrap_or(mesh)).ok_or(io::ErrorKind::NotFound)?;
        let (index, name) = (device.index, device.name.clone());
        let mut memberships = igmp(&fs::read_to_string("/proc/thread-self/net/igmp")?, index);
        // A kernel without IPv6 has no such file.
        match fs::read_to_string("/proc/thread-self/net/igmp6") {
            Ok(text) => memberships.extend(igmp6(&text, index)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let forwards = |path: String| {
            fs::read_to_string(format!("/proc/sys/net/{path}/mc_forwarding"))
                .is_ok_and(|text| !matches!(text.trim(), "" | "0"))
        };
        let mut host = HostMulticast {
            memberships,
            router_ipv4: forwards("ipv4/conf/all".into()) && forwards(format!("ipv4/conf/{name}")),
            router_ipv6: forwards(format!("ipv6/conf/{name}")),
            bridge: None,
        };
        if self.bridge != bridge {
            self.bridge = bridge;
            self.since = [None; 2];
        }
        if let Some(bridge) = bridge {
            host.bridge = Some(self.look_at_bridge(now, bridge, mesh, &mut host));
        }
        Ok(host)
    }

    fn look_at_bridge(
        &mut self,
        now: Instant,
        bridge: u32,
        mesh: u32,
        host: &mut HostMulticast,
    ) -> BridgeMulticast {
        let Ok(learned) = self.learned(bridge, mesh) else {
            self.since = [None; 2];
            return BridgeMulticast::default();
        };
        host.router_ipv4 |= learned.router_ipv4;
        host.router_ipv6 |= learned.router_ipv6;
        let state = self.state(bridge, mesh).ok().flatten();
        let queriers = queriers(now, state, &mut self.since);
        let [querier_ipv4, querier_ipv6] = queriers;
        let groups = learned.groups.into_iter().collect();
        BridgeMulticast { groups, querier_ipv4, querier_ipv6 }
    }

    fn learned(&mut self, bridge: u32, mesh: u32) -> io::Result<Learned> {
        for _ in 0..TRIES {
            let mut request = self.request(RTM_GETMDB, libc::NLM_F_DUMP);
            let mut header = [0; PORT_HEADER_LEN];
            header[0] = libc::AF_BRIDGE as u8;
            request.raw(&header);
            let mut learned = Learned::default();
            let whole = self.ask(request, |kind, bytes| {
                // The kernel names what it lists like the request, and only what it tells unasked the other way.
                if [RTM_GETMDB, RTM_NEWMDB].contains(&kind) {
                    learned.take(bytes, bridge, mesh);
                }
            })?;
            if whole {
                return Ok(learned);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    fn state(&mut self, bridge: u32, mesh: u32) -> io::Result<Option<BridgeState>> {
        self.number = self.number.wrapping_add(1);
        // Acknowledged, so that the end of the answer is known.
        let request = Request::link(libc::RTM_GETLINK, libc::NLM_F_ACK, self.number, bridge);
        let mut state = None;
        self.ask(request, |kind, bytes| {
            if kind == libc::RTM_NEWLINK
                && let Some((_, attributes)) = super::message::LinkHeader::parse(bytes)
            {
                state = BridgeState::parse(attributes, mesh);
            }
        })?;
        Ok(state)
    }

    fn request(&mut self, kind: u16, flags: libc::c_int) -> Request {
        self.number = self.number.wrapping_add(1);
        Request::new(kind, flags, self.number)
    }

    /// Sends a request and hands each message of the answer to `take`. Returns whether the answer fits together.
    fn ask(&mut self, request: Request, mut take: impl FnMut(u16, &[u8])) -> io::Result<bool> {
        let number = self.number;
        self.socket.send(request)?;
        let mut whole = true;
        loop {
            let messages = match self.socket.receive(true)? {
                Some(Datagram::Whole(messages)) => messages,
                Some(Datagram::Cut) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
                None => continue,
            };
            for message in messages.filter(|message| message.number == number) {
                whole &= !message.interrupted;
                match message.body {
                    Body::Content { kind, bytes } => take(kind, bytes),
                    Body::Done | Body::Answer(Ok(())) => return Ok(whole),
                    Body::Answer(Err(error)) => return Err(error),
                }
            }
        }
    }
}

/// The bridge that an interface is a port of, directly or by way of other masters.
fn master_bridge(links: &Links, index: u32) -> Option<u32> {
    let master = |index: &u32| links.get(*index)?.master;
    std::iter::successors(master(&index), master)
        .take(MASTERS_MAX)
        .find(|index| links.get(*index).is_some_and(|link| link.kind.as_deref() == Some("bridge")))
}

/// The groups of one interface in the text of `/proc/net/igmp`: numbers in the machine's own order of bytes.
fn igmp(text: &str, index: u32) -> Vec<IpAddr> {
    let mut groups = Vec::new();
    let mut ours = false;
    for line in text.lines().skip(1) {
        let first = line.split_whitespace().next().unwrap_or_default();
        if line.starts_with(char::is_whitespace) {
            let group = u32::from_str_radix(first, 16).ok().filter(|_| ours);
            groups.extend(group.map(|group| IpAddr::from(group.to_ne_bytes())));
        } else {
            ours = first.parse() == Ok(index);
        }
    }
    groups
}

/// The groups of one interface in the text of `/proc/net/igmp6`.
fn igmp6(text: &str, index: u32) -> Vec<IpAddr> {
    let group = |line: &str| {
        let mut words = line.split_whitespace();
        let ours = words.next()?.parse() == Ok(index);
        let group = words.nth(1).filter(|word| ours && word.len() == 32)?;
        Some(IpAddr::V6(Ipv6Addr::from(u128::from_str_radix(group, 16).ok()?)))
    };
    text.lines().filter_map(group).collect()
}

impl Learned {
    /// Takes in one message about a bridge; those about others are passed over.
    fn take(&mut self, bytes: &[u8], bridge: u32, mesh: u32) {
        let Some((header, rest)) = bytes.split_first_chunk::<PORT_HEADER_LEN>() else { return };
        if value_32(&header[4..]) != Some(bridge) {
            return;
        }
        for (kind, value) in Attributes(rest) {
            match kind {
                MDBA_MDB => {
                    for entry in
                        nested(value, MDBA_INNER).flat_map(|group| nested(group, MDBA_INNER))
                    {
                        self.groups.extend(listener(entry, bridge, mesh));
                    }
                }
                MDBA_ROUTER => {
                    nested(value, MDBA_INNER).for_each(|port| self.take_router(port, mesh));
                }
                _ => {}
            }
        }
    }

    fn take_router(&mut self, port: &[u8], mesh: u32) {
        if value_32(port).is_none_or(|index| index == mesh) {
            return;
        }
        let timers = Attributes(port.get(4..).unwrap_or_default());
        let has = |wanted: u16| timers.clone().any(|(kind, _)| kind == wanted);
        let (ipv4, ipv6) = (has(ROUTER_INET_TIMER), has(ROUTER_INET6_TIMER));
        // Kernels before 5.14 do not tell for which version.
        self.router_ipv4 |= ipv4 || !ipv6;
        self.router_ipv6 |= ipv6 || !ipv4;
    }
}

/// The group of an entry that a host behind another port than the mesh's has joined (MCAST-21, MCAST-22).
fn listener(entry: &[u8], bridge: u32, mesh: u32) -> Option<IpAddr> {
    let entry = entry.get(..ENTRY_LEN)?;
    let port = value_32(entry)?;
    if port == mesh || port == bridge {
        return None;
    }
    match [entry[24], entry[25]] {
        [0x08, 0x00] => {
            entry[8..].first_chunk::<4>().map(|group| IpAddr::V4(Ipv4Addr::from(*group)))
        }
        [0x86, 0xdd] => {
            entry[8..].first_chunk::<16>().map(|group| IpAddr::V6(Ipv6Addr::from(*group)))
        }
        _ => None,
    }
}

fn nested(value: &[u8], wanted: u16) -> impl Iterator<Item = &[u8]> {
    Attributes(value).filter(move |(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// The queriers for IPv4 and IPv6: none while the bridge does not snoop or says nothing (MCAST-25), nor before hosts had the
/// time to answer.
fn queriers(
    now: Instant,
    state: Option<BridgeState>,
    since: &mut [Option<Instant>; 2],
) -> [Querier; 2] {
    let state = state.filter(|state| state.snooping);
    let mut queriers = [Querier::default(); 2];
    for (version, querier) in queriers.iter_mut().enumerate() {
        let found = state.and_then(|state| state.queriers[version]);
        let (Some(shadowing), Some(state)) = (found, state) else {
            since[version] = None;
            continue;
        };
        let begun = *since[version].get_or_insert(now);
        *querier = Querier { exists: begun.timed_out(now, state.response), shadowing };
    }
    queriers
}

impl BridgeState {
    /// Reads the attributes of a bridge's link (MCAST-23).
    fn parse(attributes: Attributes<'_>, mesh: u32) -> Option<Self> {
        let (_, info) = attributes.clone().find(|(kind, _)| *kind == libc::IFLA_LINKINFO)?;
        let data = nested(info, IFLA_INFO_DATA).next()?;
        let find = |wanted: u16| nested(data, wanted).next();
        let response = find(IFLA_BR_MCAST_QUERY_RESPONSE_INTVL)
            .and_then(|value| value.first_chunk::<8>())
            .map(|value| u64::from_ne_bytes(*value).saturating_mul(CLOCK_TICK_MS));
        let querier = |[address, port, timer]: [u16; 3]| {
            let state = find(IFLA_BR_MCAST_QUERIER_STATE)?;
            let address = nested(state, address).next()?;
            // A bridge without an IPv6 address calls itself querier, but sends no MLD query.
            if address.len() == 16 && address.iter().all(|byte| *byte == 0) {
                return None;
            }
            let other = nested(state, timer).next().is_some();
            let behind_mesh = nested(state, port).next().and_then(value_32) == Some(mesh);
            Some(other && !behind_mesh)
        };
        Some(Self {
            snooping: find(IFLA_BR_MCAST_SNOOPING).is_some_and(|value| value.first() != Some(&0)),
            response: response.map_or(QUERY_RESPONSE_DEFAULT, Duration::from_millis),
            queriers: QUERIER_ATTRIBUTES.map(querier),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut request = Request::new(0, 0, 0);
        request.attribute(kind, value);
        request.finish()[16..].to_vec()
    }

    #[test]
    fn own_groups_are_those_of_one_interface() {
        let text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
            1\tlo        :     1      V3\n\
            \t\t\t\t010000E0     1 0:00000000\t\t0\n\
            7\tbat0      :     2      V3\n\
            \t\t\t\t030201EF     1 0:00000000\t\t0\n\
            \t\t\t\t010000E0     1 0:00000000\t\t0\n\
            8\tbr0       :     1      V3\n\
            \t\t\t\t090201EF     1 0:00000000\t\t0\n";
        let mut expected: Vec<IpAddr> =
            vec!["239.1.2.3".parse().unwrap(), "224.0.0.1".parse().unwrap()];
        if cfg!(target_endian = "big") {
            expected = expected.iter().map(|_| "0.0.0.0".parse().unwrap()).collect();
        }
        if cfg!(target_endian = "little") {
            assert_eq!(igmp(text, 7), expected);
        }
        assert!(igmp(text, 9).is_empty() && igmp("", 7).is_empty());
        let text = "1    lo              ff020000000000000000000000000001     1 0000000C 0\n\
            7    bat0            ff0200000000000000000001ff000001     1 00000004 0\n\
            7    bat0            rubbish     1 00000004 0\n7\n";
        let expected: IpAddr = "ff02::1:ff00:1".parse().unwrap();
        assert_eq!(igmp6(text, 7), [expected]);
    }

    fn entry(port: u32, proto: u16, group: &[u8]) -> Vec<u8> {
        let mut entry = vec![0; ENTRY_LEN];
        entry[..4].copy_from_slice(&port.to_ne_bytes());
        entry[8..8 + group.len()].copy_from_slice(group);
        entry[24..26].copy_from_slice(&proto.to_be_bytes());
        // What the kernel appends.
        entry.extend(attribute(1, &[0; 4]));
        attribute(MDBA_INNER, &entry)
    }

    fn database(bridge: u32, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![7, 0, 0, 0];
        bytes.extend(bridge.to_ne_bytes());
        bytes.extend(attributes.concat());
        bytes
    }

    /// The port of the mesh is 7, the bridge 9.
    #[test]
    fn mcast_21_mcast_22_listeners_are_behind_other_ports() {
        let entries = [
            entry(5, 0x0800, &[239, 1, 2, 3]),
            entry(7, 0x0800, &[239, 1, 2, 4]),
            entry(9, 0x0800, &[239, 1, 2, 5]),
            entry(5, 0, &[1, 0, 0x5e, 9, 9, 9]),
            entry(6, 0x86dd, &[0xff, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 3]),
        ];
        let groups = attribute(MDBA_INNER, &entries.concat());
        let router = |port: u32, timers: &[u16]| {
            let mut value = port.to_ne_bytes().to_vec();
            timers.iter().for_each(|kind| value.extend(attribute(*kind, &[1, 0, 0, 0])));
            attribute(MDBA_ROUTER, &attribute(MDBA_INNER, &value))
        };
        let mdb = attribute(MDBA_MDB, &groups);
        let mut learned = Learned::default();
        learned.take(&database(9, &[mdb.clone(), router(7, &[])]), 9, 7);
        let expected: [IpAddr; 2] = ["239.1.2.3".parse().unwrap(), "ff05::1:3".parse().unwrap()];
        assert_eq!(learned.groups.iter().copied().collect::<Vec<IpAddr>>(), expected);
        assert!(!learned.router_ipv4 && !learned.router_ipv6, "that is the mesh itself");
        #[rustfmt::skip]
        let rows = [
            (&[ROUTER_INET_TIMER][..], (true, false)),
            (&[1, 2, ROUTER_INET6_TIMER], (false, true)),
            (&[ROUTER_INET_TIMER, ROUTER_INET6_TIMER], (true, true)),
            (&[1, 2], (true, true)),
        ];
        for (timers, expected) in rows {
            let mut learned = Learned::default();
            learned.take(&database(9, &[router(5, timers)]), 9, 7);
            assert_eq!((learned.router_ipv4, learned.router_ipv6), expected, "{timers:?}");
        }
        let mut other = Learned::default();
        other.take(&database(8, &[mdb]), 9, 7);
        assert_eq!(other, Learned::default(), "another bridge");
    }

    #[test]
    fn mcast_23_queriers_and_where_they_are() {
        let port = |index: u32| index.to_ne_bytes().to_vec();
        let state = |attributes: &[Vec<u8>]| {
            let querier = attribute(IFLA_BR_MCAST_QUERIER_STATE, &attributes.concat());
            let data = [attribute(IFLA_BR_MCAST_SNOOPING, &[1]), querier].concat();
            let info = attribute(libc::IFLA_LINKINFO, &attribute(IFLA_INFO_DATA, &data));
            BridgeState::parse(Attributes(&info), 7).unwrap().queriers
        };
        let (address, timer) = (attribute(1, &[10, 0, 0, 1]), attribute(3, &[0; 8]));
        assert_eq!(state(&[]), [None, None]);
        assert_eq!(state(std::slice::from_ref(&address)), [Some(false), None], "the bridge itself");
        let mesh = [address.clone(), attribute(2, &port(7)), timer.clone()];
        assert_eq!(state(&mesh), [Some(false), None], "in the mesh");
        let elsewhere = [address.clone(), attribute(2, &port(5)), timer.clone()];
        assert_eq!(state(&elsewhere), [Some(true), None]);
        assert_eq!(state(&[address, timer]), [Some(true), None], "no port is told");
        let silent = [attribute(5, &[0; 16])];
        assert_eq!(state(&silent), [None, None], "no address, no queries");
        let ipv6 = [attribute(5, &[0xfe; 16]), attribute(6, &port(5)), attribute(7, &[0; 8])];
        assert_eq!(state(&ipv6), [None, Some(true)]);
    }

    #[test]
    fn mcast_25_without_an_answer_there_is_no_querier() {
        let response = Duration::from_secs(10);
        let good = BridgeState { snooping: true, response, queriers: [Some(false), Some(true)] };
        let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
        let mut since = [None; 2];
        let mut look = |seconds, state| {
            queriers(at(seconds), state, &mut since)
                .map(|querier| (querier.exists, querier.shadowing))
        };
        let none = [(false, false); 2];
        assert_eq!(
            look(1, Some(good)),
            [(false, false), (false, true)],
            "hosts are to answer first"
        );
        assert_eq!(look(12, Some(good)), [(true, false), (true, true)]);
        for (what, state) in [
            ("no answer", None),
            ("no snooping", Some(BridgeState { snooping: false, ..good })),
            ("no attributes", Some(BridgeState { queriers: [None; 2], ..good })),
        ] {
            assert_eq!(look(13, state), none, "{what}");
            assert!(!look(14, Some(good))[0].0, "{what}: and then the time begins anew");
        }
        let nothing = attribute(libc::IFLA_LINKINFO, &attribute(IFLA_INFO_DATA, &[]));
        let state = BridgeState::parse(Attributes(&nothing), 7);
        assert_eq!(queriers(at(99), state, &mut [Some(at(1)); 2]), [Querier::default(); 2]);
    }

    #[test]
    fn no_length_is_trusted() {
        let entries = entry(5, 0x86dd, &[0xff; 16]);
        let groups = attribute(MDBA_MDB, &attribute(MDBA_INNER, &entries));
        let whole = database(9, &[groups, attribute(MDBA_ROUTER, &attribute(MDBA_INNER, &[5; 9]))]);
        for end in 0..whole.len() {
            Learned::default().take(&whole[..end], 9, 7);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 4, 5, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                Learned::default().take(&bytes, 9, 7);
                let _ = BridgeState::parse(Attributes(&bytes), 7);
            }
        }
    }
}
