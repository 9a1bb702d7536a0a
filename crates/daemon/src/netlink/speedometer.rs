//! How fast links are, as the kernel knows (03-batman-v.md section 17): nl80211 for stations of radios, ethtool for cables.
//!
//! Each question is one round trip to the kernel, which has answered when the request was sent: nobody is waited for.

use super::message::{Attributes, Request, value_16, value_32};
use super::socket::Socket;
use super::wireless::{GENERIC_HEADER_LEN, NL80211_IFINDEX, answer, family, generic};
use noctule_control::Measured;
use noctule_wire::Mac;
use std::io;

const NL80211_GET_STATION: u8 = 17;
const NL80211_MAC: u16 = 6;
const NL80211_STA_INFO: u16 = 21;
const STA_INFO_TX_BITRATE: u16 = 8;
const STA_INFO_EXPECTED_THROUGHPUT: u16 = 27;
const RATE_INFO_BITRATE: u16 = 1;
const RATE_INFO_BITRATE32: u16 = 5;

const ETHTOOL_LINKMODES_GET: u8 = 4;
const ETHTOOL_HEADER: u16 = 1;
const ETHTOOL_HEADER_INDEX: u16 = 1;
const ETHTOOL_SPEED: u16 = 5;
const ETHTOOL_DUPLEX: u16 = 6;
const DUPLEX_FULL: u8 = 1;
/// `NLA_F_NESTED`: the value consists of attributes. ethtool insists on it.
const NESTED: u16 = 0x8000;

/// Asks how fast links are.
#[derive(Debug, Default)]
pub struct Speedometer {
    socket: Option<Socket>,
    ethtool: Option<u16>,
    nl80211: Option<u16>,
}

impl Speedometer {
    /// Speed and duplex of a wired link (V-22).
    pub fn wired(&mut self, ifindex: u32) -> Measured {
        measured(self.ask_ethtool(ifindex))
    }

    /// What the radio `ifindex` gets through to a station (V-21); `None`: there is none that could be asked.
    pub fn station(&mut self, ifindex: Option<u32>, station: Mac) -> Measured {
        match ifindex {
            Some(ifindex) => measured(self.ask_nl80211(ifindex, station)),
            None => Measured::Unknown,
        }
    }

    fn ask_ethtool(&mut self, ifindex: u32) -> io::Result<Option<Measured>> {
        let socket = open(&mut self.socket)?;
        let family = number(&mut self.ethtool, socket, b"ethtool\0")?;
        let mut request = generic(family, ETHTOOL_LINKMODES_GET, 1);
        let mut header = 8_u16.to_ne_bytes().to_vec();
        header.extend(ETHTOOL_HEADER_INDEX.to_ne_bytes());
        header.extend(ifindex.to_ne_bytes());
        request.attribute(ETHTOOL_HEADER | NESTED, &header);
        self.exchange(request, read_link_modes)
    }

    fn ask_nl80211(&mut self, ifindex: u32, station: Mac) -> io::Result<Option<Measured>> {
        let socket = open(&mut self.socket)?;
        let family = number(&mut self.nl80211, socket, b"nl80211\0")?;
        let mut request = generic(family, NL80211_GET_STATION, 0);
        request.attribute(NL80211_IFINDEX, &ifindex.to_ne_bytes());
        request.attribute(NL80211_MAC, &station.0);
        match self.exchange(request, read_station) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                Ok(Some(Measured::NoStation))
            }
            other => other,
        }
    }

    fn exchange(
        &mut self,
        request: Request,
        read: impl Fn(&[u8]) -> Option<Measured>,
    ) -> io::Result<Option<Measured>> {
        let socket = open(&mut self.socket)?;
        socket.send(request)?;
        let outcome = answer(socket, read);
        // The acknowledgement, or a second half that nobody asked for, must not be taken for the next answer.
        while let Ok(Some(_)) = socket.receive(false) {}
        outcome
    }
}

fn open(socket: &mut Option<Socket>) -> io::Result<&mut Socket> {
    match socket {
        Some(socket) => Ok(socket),
        None => Ok(socket.insert(Socket::generic()?)),
    }
}

/// The number of a family, which is the same until the system restarts.
fn number(known: &mut Option<u16>, socket: &mut Socket, name: &[u8]) -> io::Result<u16> {
    if let Some(known) = known {
        return Ok(*known);
    }
    let found = family(socket, name)?.ok_or(io::ErrorKind::Unsupported)?;
    Ok(*known.insert(found))
}

/// What an answer, or none, means (V-24, V-96).
fn measured(outcome: io::Result<Option<Measured>>) -> Measured {
    match outcome {
        Ok(measured) => measured.unwrap_or(Measured::Unknown),
        Err(error) => match error.raw_os_error() {
            Some(libc::EBUSY | libc::EINTR | libc::ENOBUFS | libc::EAGAIN) => Measured::Busy,
            _ => Measured::Unknown,
        },
    }
}

fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    Attributes(bytes).find(|(found, _)| *found == kind).map(|(_, value)| value)
}

fn read_link_modes(body: &[u8]) -> Option<Measured> {
    let attributes = body.get(GENERIC_HEADER_LEN..)?;
    let speed = attribute(attributes, ETHTOOL_SPEED).and_then(value_32);
    let duplex = attribute(attributes, ETHTOOL_DUPLEX).and_then(<[u8]>::first);
    Some(Measured::Wired { speed, full_duplex: duplex == Some(&DUPLEX_FULL) })
}

fn read_station(body: &[u8]) -> Option<Measured> {
    let info = attribute(body.get(GENERIC_HEADER_LEN..)?, NL80211_STA_INFO)?;
    if let Some(expected) = attribute(info, STA_INFO_EXPECTED_THROUGHPUT).and_then(value_32) {
        return Some(Measured::Expected(expected));
    }
    let rate = attribute(info, STA_INFO_TX_BITRATE)?;
    let wide = attribute(rate, RATE_INFO_BITRATE32).and_then(value_32);
    let narrow = attribute(rate, RATE_INFO_BITRATE).and_then(value_16).map(u32::from);
    Some(Measured::Bitrate(wide.or(narrow).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of an answer with these attributes.
    fn body(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0; GENERIC_HEADER_LEN];
        bytes.extend(nest(attributes));
        bytes
    }

    fn nest(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in attributes {
            bytes.extend((4 + value.len() as u16).to_ne_bytes());
            bytes.extend(kind.to_ne_bytes());
            bytes.extend(*value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn v_22_v_25_speed_and_duplex() {
        let read = |speed: u32, duplex| {
            read_link_modes(&body(&[(5, &speed.to_ne_bytes()), (6, &[duplex])]))
        };
        let wired = |speed, full_duplex| Some(Measured::Wired { speed: Some(speed), full_duplex });
        assert_eq!(read(10_000, 1), wired(10_000, true));
        assert_eq!(read(100, 0), wired(100, false));
        assert_eq!(read(u32::MAX, 255), wired(u32::MAX, false), "unknown counts as half");
        let neither = Measured::Wired { speed: None, full_duplex: false };
        assert_eq!(read_link_modes(&body(&[])), Some(neither));
        assert_eq!(read_link_modes(&[]), None, "cut short");
    }

    #[test]
    fn v_21_a_station_by_expected_throughput_or_by_bitrate() {
        let station = |info: &[(u16, &[u8])]| read_station(&body(&[(21, &nest(info))]));
        let rate = nest(&[(1, &540_u16.to_ne_bytes()), (5, &70_000_u32.to_ne_bytes())]);
        let expected = 12_345_u32.to_ne_bytes();
        assert_eq!(station(&[(8, &rate), (27, &expected)]), Some(Measured::Expected(12_345)));
        assert_eq!(station(&[(8, &rate)]), Some(Measured::Bitrate(70_000)), "the wide number");
        let narrow = nest(&[(1, &540_u16.to_ne_bytes())]);
        assert_eq!(station(&[(8, &narrow)]), Some(Measured::Bitrate(540)));
        assert_eq!(station(&[(8, &[])]), Some(Measured::Bitrate(0)), "a nest without either");
        assert_eq!(station(&[]), None, "the driver says nothing");
        assert_eq!(read_station(&body(&[])), None);
    }

    #[test]
    fn v_21_absurd_answers_count_as_none() {
        let station = |info: &[u8]| read_station(&body(&[(21, info)]));
        let whole = nest(&[(27, &12_345_u32.to_ne_bytes())]);
        for end in 0..whole.len() {
            assert_eq!(station(&whole[..end]), None, "cut short at {end}");
        }
        for length in [0_u16, 1, 3, 9, u16::MAX] {
            let mut odd = whole.clone();
            odd[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(station(&odd), None, "an attribute that claims {length} bytes");
        }
        assert_eq!(station(&nest(&[(27, &[1, 2])])), None, "half a number");
        assert_eq!(station(&nest(&[(8, &[0xff; 3])])), Some(Measured::Bitrate(0)), "no nest");
        assert_eq!(read_station(&[0; 3]), None, "less than a header");
        // A number that cannot be is one; who averages has a bound for it (V-H6).
        let huge = u32::MAX.to_ne_bytes();
        assert_eq!(station(&nest(&[(27, &huge)])), Some(Measured::Expected(u32::MAX)));
    }

    #[test]
    fn v_24_v_96_errors() {
        let of = |errno| measured(Err(io::Error::from_raw_os_error(errno)));
        for busy in [libc::EBUSY, libc::EINTR, libc::ENOBUFS] {
            assert_eq!(of(busy), Measured::Busy);
        }
        assert_eq!(of(libc::EOPNOTSUPP), Measured::Unknown);
        assert_eq!(of(libc::ENODEV), Measured::Unknown);
        assert_eq!(measured(Ok(None)), Measured::Unknown);
    }
}
