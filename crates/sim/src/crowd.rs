//! A large mesh as a node at its edge hears it: a few neighbours that repeat the OGMs of everybody and answer for their
//! tables. Made up, so that it costs next to nothing, and the node that listens can be measured.
//!
//! Every neighbour repeats every originator's OGM in every interval, in frames as full as the protocol lets them be
//! (512 bytes), spread evenly over the interval. One of them, the same each time, has the best way to it.

use core::ops::Range;
use core::time::Duration;
use noctule_wire::ethernet::{Frame, mesh_header};
use noctule_wire::ogm::OgmFlags;
use noctule_wire::tvlv::translation_table::{
    Change, ClientFlags, TranslationTable, TtFlags, TtKind, VlanBlock, client_crc,
};
use noctule_wire::tvlv::{self, Containers, Kind};
use noctule_wire::{
    Client, ETHERNET_HEADER_LEN, Instant, Mac, Ogm, Ogms, PacketType, SeqNo, TTL_FULL, Ttvn,
    UnicastTvlv, Vid, packet,
};

/// Largest frame with OGMs, without the Ethernet header (AGGR_BYTES).
const AGGREGATE_BYTES: usize = 512;
/// The tables never change.
const TTVN: Ttvn = Ttvn(1);
/// Clients of one originator at most: its table is to fit one frame.
const CLIENTS_MAX: usize = 100;

/// How large a [`Crowd`] is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CrowdSize {
    /// Originators, the neighbours among them.
    pub originators: usize,
    /// How many of them are the node's neighbours.
    pub neighbours: usize,
    /// Clients of all of them together.
    pub clients: usize,
}

/// One originator.
#[derive(Debug)]
struct Member {
    mac: Mac,
    clients: Range<usize>,
    vlan: VlanBlock,
    /// The TVLVs of its OGMs.
    tvlvs: Vec<u8>,
}

impl Member {
    fn new(mac: Mac, clients: Range<usize>) -> Self {
        let crc = |number| client_crc(client(number), ClientFlags::NONE);
        let crc = clients.clone().map(crc).fold(0, |sum, crc| sum ^ crc);
        let vlan = VlanBlock { crc, vid: Vid::UNTAGGED };
        let (mut value, mut tvlvs) = (Vec::new(), Vec::new());
        TranslationTable::emit(&mut value, TtFlags::OGM, TTVN, &[vlan], []);
        let kinds = [
            (Kind::DISTRIBUTED_ARP_TABLE, &[][..]),
            (Kind::TRANSLATION_TABLE, &value),
            (Kind::MULTICAST, &[0; 4]),
        ];
        for (kind, value) in kinds {
            tvlv::append(&mut tvlvs, kind, value).expect("they are short");
        }
        Self { mac, clients, vlan, tvlvs }
    }

    fn record_len(&self) -> usize {
        Ogm::HEADER_LEN + self.tvlvs.len()
    }
}

/// The mesh.
#[derive(Debug)]
pub struct Crowd {
    /// The neighbours come first.
    members: Vec<Member>,
    neighbours: usize,
    interval: Duration,
    /// Members whose OGMs share a frame.
    shares: Vec<Range<usize>>,
    begun: Instant,
    /// Frames with OGMs so far.
    sent: u64,
}

impl Crowd {
    /// A mesh whose first OGMs leave at `now`, in an interval of a second. `family` is part of its addresses: two crowds
    /// of one node need two.
    ///
    /// `None` for a size that cannot be: no neighbour, more than 65,535 originators, or more than a hundred clients for
    /// an originator.
    pub fn new(now: Instant, family: u8, size: CrowdSize) -> Option<Self> {
        let CrowdSize { originators, neighbours, clients } = size;
        let possible = (1..=originators).contains(&neighbours)
            && originators <= usize::from(u16::MAX)
            && clients.div_ceil(originators) <= CLIENTS_MAX;
        if !possible {
            return None;
        }
        let share = |number: usize| number * clients / originators;
        let mac = |number: usize| {
            let [.., high, low] = number.to_be_bytes();
            Mac([0x02, 0xcd, family, high, low, 1])
        };
        let members: Vec<_> = (0..originators)
            .map(|number| Member::new(mac(number), share(number)..share(number + 1)))
            .collect();
        let mut shares = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, member) in members.iter().enumerate() {
            if bytes + member.record_len() > AGGREGATE_BYTES {
                shares.push(start..index);
                (start, bytes) = (index, 0);
            }
            bytes += member.record_len();
        }
        shares.push(start..originators);
        let interval = Duration::from_secs(1);
        Some(Self { members, neighbours, interval, shares, begun: now, sent: 0 })
    }

    /// The address of a neighbour, from 0: it is its originator address, too.
    pub fn neighbour(&self, number: usize) -> Option<Mac> {
        self.members[..self.neighbours].get(number).map(|member| member.mac)
    }

    /// Version of everybody's table.
    pub const fn ttvn(&self) -> Ttvn {
        TTVN
    }

    /// When [`Self::frame`] has the next one.
    pub fn next_deadline(&self) -> Instant {
        let round = self.round_len();
        let place = self.interval.mul_f64((self.sent % round) as f64 / round as f64);
        let rounds = u32::try_from(self.sent / round).unwrap_or(u32::MAX);
        self.begun + self.interval * rounds + place
    }

    /// Frames of one interval.
    fn round_len(&self) -> u64 {
        (self.shares.len() * self.neighbours) as u64
    }

    /// The next frame with OGMs that is due.
    pub fn frame(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next_deadline() > now {
            return None;
        }
        let (round, place) = (self.sent / self.round_len(), self.sent % self.round_len());
        self.sent += 1;
        // Only its difference to others counts.
        let seqno = SeqNo((round as u32).wrapping_add(1_000_000));
        let (share, speaker) = (place as usize / self.neighbours, place as usize % self.neighbours);
        let mut frame = mesh_header(Mac::BROADCAST, self.members[speaker].mac).to_vec();
        for number in self.shares[share].clone() {
            append(&mut frame, &self.record(number, speaker, seqno));
        }
        Some(frame)
    }

    /// The OGM of a member as a neighbour says it.
    fn record(&self, number: usize, speaker: usize, seqno: SeqNo) -> Ogm<'_> {
        let member = &self.members[number];
        let own = number == speaker;
        let is_neighbour = number < self.neighbours;
        let leads = number % self.neighbours == speaker;
        // Whoever is not the best way has it from somebody that is nobody's next hop here.
        let others = self.members.len() - self.neighbours;
        let previous_sender = if own || leads || is_neighbour || others == 0 {
            member.mac
        } else {
            self.members[self.neighbours + (number + 1) % others].mac
        };
        Ogm {
            ttl: if own { TTL_FULL } else { TTL_FULL - 1 },
            flags: OgmFlags::default().with(OgmFlags::DIRECT_LINK, is_neighbour && !own),
            seqno,
            originator: member.mac,
            previous_sender,
            reserved: 0,
            tq: if own {
                u8::MAX
            } else if leads {
                220
            } else {
                180
            },
            tvlvs: &member.tvlvs,
        }
    }

    /// What the neighbours answer to a frame of the node: its own OGM is sent back by each (IV-79), and whoever is asked
    /// for a table sends it (TT-89).
    pub fn answers(&self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let Ok(frame) = Frame::parse(bytes) else { return Vec::new() };
        match packet::packet_type(frame.payload) {
            Ok(PacketType::Ogm) => self.echoes(frame.source, frame.payload),
            Ok(PacketType::UnicastTvlv) => self.table(&frame).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    fn echoes(&self, node: Mac, records: &[u8]) -> Vec<Vec<u8>> {
        let own = |ogm: &Ogm<'_>| ogm.originator == node && (ogm.ttl == TTL_FULL || ogm.ttl == 2);
        let Some(ogm) = Ogms::new(records).filter_map(Result::ok).find(own) else {
            return Vec::new();
        };
        let echo = |member: &Member| {
            let echo = Ogm { ttl: ogm.ttl - 1, flags: OgmFlags::DIRECT_LINK, ..ogm };
            let mut frame = mesh_header(Mac::BROADCAST, member.mac).to_vec();
            append(&mut frame, &echo);
            frame
        };
        self.members[..self.neighbours].iter().map(echo).collect()
    }

    fn table(&self, frame: &Frame<'_>) -> Option<Vec<u8>> {
        let speaker =
            self.members[..self.neighbours].iter().find(|m| m.mac == frame.destination)?;
        let request = UnicastTvlv::parse(frame.payload).ok()?;
        let container = Containers::new(request.tvlvs).next()?.ok()?;
        let value = (container.kind == Kind::TRANSLATION_TABLE).then_some(container.value)?;
        if TranslationTable::parse(value).ok()?.flags.kind() != TtKind::Request {
            return None;
        }
        let member = self.members.iter().find(|member| member.mac == request.destination)?;
        let rows = member
            .clients
            .clone()
            .map(|number| Change { flags: ClientFlags::NONE, client: client(number) });
        let (mut value, mut tvlvs) = (Vec::new(), Vec::new());
        TranslationTable::emit(&mut value, TtFlags::response(true), TTVN, &[member.vlan], rows);
        tvlv::append(&mut tvlvs, Kind::TRANSLATION_TABLE, &value).ok()?;
        let answer = UnicastTvlv::new(request.source, member.mac, &tvlvs);
        let mut bytes = mesh_header(frame.source, speaker.mac).to_vec();
        bytes.resize(ETHERNET_HEADER_LEN + answer.wire_len(), 0);
        answer.emit(&mut bytes[ETHERNET_HEADER_LEN..]);
        Some(bytes)
    }
}

fn append(frame: &mut Vec<u8>, ogm: &Ogm<'_>) {
    let start = frame.len();
    frame.resize(start + ogm.wire_len(), 0);
    ogm.emit(&mut frame[start..]);
}

fn client(number: usize) -> Client {
    let [.., a, b, c] = number.to_be_bytes();
    Client::untagged(Mac([0x02, 0xc1, 0, a, b, c]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mesh;
    use noctule_control::OriginatorRow;

    #[test]
    fn a_node_at_the_edge_of_a_crowd_learns_everybody() {
        let size = CrowdSize { originators: 40, neighbours: 3, clients: 100 };
        let mut mesh = Mesh::seeded(3);
        let node = mesh.node(1);
        mesh.connect_outside(node, 0);
        let mut crowd = Crowd::new(mesh.now(), 0, size).expect("a size that can be");
        for _ in 0..2000 {
            while let Some(frame) = crowd.frame(mesh.now()) {
                mesh.receive_outside(&frame);
            }
            mesh.run(Duration::from_millis(5));
            for frame in mesh.take_outside() {
                for answer in crowd.answers(&frame) {
                    mesh.receive_outside(&answer);
                }
            }
        }
        let rows = mesh.engine(node).originator_rows(mesh.now());
        let routes: Vec<_> = rows.iter().filter(|row| row.best).collect();
        assert_eq!(routes.len(), size.originators);
        let far = |row: &&OriginatorRow| {
            (0..3).all(|number| crowd.neighbour(number) != Some(row.originator))
        };
        assert_eq!(rows.iter().filter(far).count(), 37 * 3, "each neighbour leads to each of them");
        assert_eq!(mesh.engine(node).overview().global_clients, size.clients);
        assert!(mesh.faults().is_empty());
    }

    #[test]
    fn impossible_sizes() {
        let new = |originators, neighbours, clients| {
            Crowd::new(Instant::ZERO, 0, CrowdSize { originators, neighbours, clients })
        };
        assert!(new(2, 0, 0).is_none() && new(2, 3, 0).is_none());
        assert!(new(70_000, 1, 0).is_none() && new(2, 1, 201).is_none());
        assert!(new(2, 1, 200).is_some());
    }
}
