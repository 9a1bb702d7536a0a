//! Claim frames of bridge loop avoidance (WIRE-105 to WIRE-108): ARP replies on the LAN side that ordinary hosts ignore.
//!
//! ```text
//! | destination (6) | source (6) | 81 00 tci (4, if tagged) | 08 06 | 00 01 08 00 06 04 00 02 |
//! | sender (6) | 0.0.0.0 | ff 43 05 | type (1) | group (2) | 0.0.0.0 | 'Noc', gate (1) (if marked) |
//! ```

use crate::ethernet::{ETHERNET_HEADER_LEN, Frame, VLAN_ETHERTYPE};
use crate::{Mac, Vid};

const ARP_ETHERTYPE: u16 = 0x0806;
const ARP_LEN: usize = 28;
/// Ethernet hardware, IPv4, address lengths 6 and 4.
const ARP_ETHERNET_IPV4: [u8; 6] = [0x00, 0x01, 0x08, 0x00, 0x06, 0x04];
const ARP_REPLY: [u8; 2] = [0x00, 0x02];
const MAGIC: [u8; 3] = [0xff, 0x43, 0x05];
const ANNOUNCE_PREFIX: [u8; 4] = [0x43, 0x05, 0x43, 0x05];
/// Where others see padding.
const MARK: [u8; 3] = *b"Noc";
/// Behind it: whether the gateway lets broadcasts pass.
const MARK_LEN: usize = MARK.len() + 1;

/// What a claim frame says.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ClaimType {
    /// 0: "this client is behind me".
    Claim,
    /// 1: "this client is not behind me any more".
    Unclaim,
    /// 2: "I am a backbone gateway, and this is the CRC over my claims".
    Announce,
    /// 3: "tell me all your claims".
    Request,
    /// 4: "does this frame come back to me?" Goes on into the mesh as client traffic does (WIRE-108).
    LoopDetect,
    /// Any other number.
    Unknown(u8),
}

impl From<u8> for ClaimType {
    fn from(byte: u8) -> Self {
        match byte {
            0 => Self::Claim,
            1 => Self::Unclaim,
            2 => Self::Announce,
            3 => Self::Request,
            4 => Self::LoopDetect,
            _ => Self::Unknown(byte),
        }
    }
}

impl From<ClaimType> for u8 {
    fn from(claim_type: ClaimType) -> Self {
        match claim_type {
            ClaimType::Claim => 0,
            ClaimType::Unclaim => 1,
            ClaimType::Announce => 2,
            ClaimType::Request => 3,
            ClaimType::LoopDetect => 4,
            ClaimType::Unknown(byte) => byte,
        }
    }
}

/// What [`recognise`] made of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recognised {
    /// An ordinary frame.
    No,
    /// A claim frame behind more than one VLAN tag: discard it (WIRE-106).
    Nested,
    /// A claim frame.
    Claim(Claim),
}

/// A claim frame: addresses as they lie in the frame. Their meaning depends on the type: see the constructors.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Claim {
    /// Ethernet destination.
    pub destination: Mac,
    /// Ethernet source.
    pub source: Mac,
    /// VLAN of the backbone.
    pub vid: Vid,
    /// What it says.
    pub claim_type: ClaimType,
    /// ARP sender hardware address.
    pub sender: Mac,
    /// Names the LAN; compared as a number (WIRE-107).
    pub group: u16,
    /// The mark of gateways that leave a client to the first choice among them (BLA-N1): whether this one lets broadcasts
    /// pass. `None`: there is no mark.
    pub mark: Option<bool>,
}

impl Claim {
    /// Bytes with a VLAN tag.
    pub const LEN_MAX: usize = ETHERNET_HEADER_LEN + 4 + ARP_LEN + MARK_LEN;

    /// The originator `own` says that `client` is behind it.
    pub const fn claiming(own: Mac, client: Mac, vid: Vid, group: u16) -> Self {
        let destination = Mac::BROADCAST;
        Self {
            destination,
            source: client,
            vid,
            claim_type: ClaimType::Claim,
            sender: own,
            group,
            mark: None,
        }
    }

    /// The originator `own` says that `client` is not behind it any more.
    pub const fn unclaiming(own: Mac, client: Mac, vid: Vid, group: u16) -> Self {
        let destination = Mac::BROADCAST;
        Self {
            destination,
            source: own,
            vid,
            claim_type: ClaimType::Unclaim,
            sender: client,
            group,
            mark: None,
        }
    }

    /// The originator `own` is a backbone gateway whose claims have this CRC (WIRE-112).
    pub const fn announcing(own: Mac, crc: u16, vid: Vid, group: u16) -> Self {
        let [a, b, c, d] = ANNOUNCE_PREFIX;
        let [e, f] = crc.to_be_bytes();
        let (destination, sender) = (Mac::BROADCAST, Mac([a, b, c, d, e, f]));
        Self {
            destination,
            source: own,
            vid,
            claim_type: ClaimType::Announce,
            sender,
            group,
            mark: None,
        }
    }

    /// The originator `own` asks another backbone gateway for its claims.
    pub const fn requesting(own: Mac, asked: Mac, vid: Vid, group: u16) -> Self {
        let (destination, sender) = (asked, asked);
        Self {
            destination,
            source: own,
            vid,
            claim_type: ClaimType::Request,
            sender,
            group,
            mark: None,
        }
    }

    /// The originator `own` looks for a loop; `random` makes the source address `ba:be:…`.
    pub const fn loop_detecting(own: Mac, random: [u8; 4], vid: Vid, group: u16) -> Self {
        let [a, b, c, d] = random;
        let (destination, source) = (Mac::BROADCAST, Mac([0xba, 0xbe, a, b, c, d]));
        Self {
            destination,
            source,
            vid,
            claim_type: ClaimType::LoopDetect,
            sender: own,
            group,
            mark: None,
        }
    }

    /// The same with the mark.
    #[must_use]
    pub const fn marked(self, passes: bool) -> Self {
        Self { mark: Some(passes), ..self }
    }

    /// The gateway that sent this, as far as other gateways must take it: a loop detection frame goes on its way, and so
    /// does what nobody knows (BLA-22, BLA-23).
    pub const fn gateway(&self) -> Option<Mac> {
        match self.claim_type {
            ClaimType::Claim => Some(self.sender),
            ClaimType::Unclaim | ClaimType::Announce | ClaimType::Request => Some(self.source),
            ClaimType::LoopDetect | ClaimType::Unknown(_) => None,
        }
    }

    /// Whether gateway and client, where it names one, are stations (BLA-27).
    pub const fn is_plausible(&self) -> bool {
        match self.claim_type {
            ClaimType::Claim | ClaimType::Unclaim => {
                self.sender.is_station() && self.source.is_station()
            }
            _ => self.source.is_station(),
        }
    }

    /// The CRC over the sender's claims, if this is an announcement.
    pub fn announced_crc(&self) -> Option<u16> {
        let [prefix @ .., e, f] = self.sender.0;
        let announces = self.claim_type == ClaimType::Announce && prefix == ANNOUNCE_PREFIX;
        announces.then(|| u16::from_be_bytes([e, f]))
    }

    /// How many bytes [`Self::emit`] writes: 42, four more with a VLAN tag, and four more with the mark.
    pub const fn wire_len(&self) -> usize {
        let tag = if self.vid.id().is_some() { 4 } else { 0 };
        let mark = if self.mark.is_some() { MARK_LEN } else { 0 };
        ETHERNET_HEADER_LEN + tag + ARP_LEN + mark
    }

    /// Writes the frame over `out`.
    ///
    /// # Panics
    /// If `out` is not [`Self::wire_len`] long: a bug of the caller.
    pub fn emit(&self, out: &mut [u8]) {
        let (addresses, rest) = out.split_at_mut(12);
        addresses[..6].copy_from_slice(&self.destination.0);
        addresses[6..].copy_from_slice(&self.source.0);
        let rest = match self.vid.id() {
            Some(id) => {
                let (tag, rest) = rest.split_at_mut(4);
                tag[..2].copy_from_slice(&VLAN_ETHERTYPE.to_be_bytes());
                tag[2..].copy_from_slice(&id.to_be_bytes());
                rest
            }
            None => rest,
        };
        let mut arp = [0; 2 + ARP_LEN];
        arp[..2].copy_from_slice(&ARP_ETHERTYPE.to_be_bytes());
        arp[2..8].copy_from_slice(&ARP_ETHERNET_IPV4);
        arp[8..10].copy_from_slice(&ARP_REPLY);
        arp[10..16].copy_from_slice(&self.sender.0);
        arp[20..23].copy_from_slice(&MAGIC);
        arp[23] = self.claim_type.into();
        arp[24..26].copy_from_slice(&self.group.to_be_bytes());
        let (body, mark) = rest.split_at_mut(arp.len());
        body.copy_from_slice(&arp);
        if let Some(passes) = self.mark {
            mark[..MARK.len()].copy_from_slice(&MARK);
            mark[MARK.len()] = passes.into();
        }
    }
}

/// Whether a frame of the mesh interface is a claim frame (WIRE-105, WIRE-106). Opcode and IP addresses do not matter,
/// nor what follows the ARP packet.
pub fn recognise(frame: &[u8]) -> Recognised {
    let Ok(ethernet) = Frame::parse(frame) else { return Recognised::No };
    let (mut ethertype, mut rest, mut tags) = (ethernet.ethertype, ethernet.payload, 0u32);
    while let (VLAN_ETHERTYPE, Some((&[t0, t1, e0, e1], behind))) =
        (ethertype, rest.split_first_chunk())
    {
        // A tag that only has a priority is not looked through (BLA-20).
        if tags == 0 && u16::from_be_bytes([t0, t1]).trailing_zeros() >= 12 {
            return Recognised::No;
        }
        (ethertype, rest, tags) = (u16::from_be_bytes([e0, e1]), behind, tags.saturating_add(1));
    }
    let Some((arp, padding)) = rest.split_first_chunk::<ARP_LEN>() else {
        return Recognised::No;
    };
    if ethertype != ARP_ETHERTYPE || arp[..6] != ARP_ETHERNET_IPV4 || arp[18..21] != MAGIC {
        return Recognised::No;
    }
    if tags > 1 {
        return Recognised::Nested;
    }
    let [.., s0, s1, s2, s3, s4, s5, _, _, _, _, _, _, _, claim_type, g0, g1, _, _, _, _] = *arp;
    Recognised::Claim(Claim {
        destination: ethernet.destination,
        source: ethernet.source,
        vid: ethernet.vid(),
        claim_type: claim_type.into(),
        sender: Mac([s0, s1, s2, s3, s4, s5]),
        group: u16::from_be_bytes([g0, g1]),
        mark: padding
            .strip_prefix(&MARK)
            .and_then(|rest| rest.first())
            .map(|passes| passes & 1 != 0),
    })
}
