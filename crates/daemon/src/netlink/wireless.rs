//! Whether a device is a radio (FWD-11). sysfs knows, but shows the devices of the namespace in which it was mounted; so
//! nl80211 is asked too, which is right in every network namespace.

use super::link::Link;
use super::message::{Attributes, Body, Request, value_16};
use super::socket::{Datagram, Socket};
use std::io;
use std::path::Path;

/// `struct genlmsghdr`: command, version, two bytes reserved.
pub(super) const GENERIC_HEADER_LEN: usize = 4;
/// `GENL_ID_CTRL`: the family that knows the numbers of the others.
const CONTROL_FAMILY: u16 = 16;
const CONTROL_GET_FAMILY: u8 = 3;
const CONTROL_FAMILY_ID: u16 = 1;
const CONTROL_FAMILY_NAME: u16 = 2;
/// `NL80211_CMD_GET_INTERFACE`: answered for radios only.
const NL80211_GET_INTERFACE: u8 = 5;
pub(super) const NL80211_IFINDEX: u16 = 3;

/// Whether the device itself is a radio.
pub(super) fn is_wireless(link: &Link) -> bool {
    sysfs_says_so(link) || (may_have_radios() && nl80211_says_so(link).unwrap_or(false))
}

/// By the entries that cfg80211, and drivers older than it, make.
fn sysfs_says_so(link: &Link) -> bool {
    let directory = Path::new("/sys/class/net").join(&link.name);
    let index = std::fs::read_to_string(directory.join("ifindex"));
    let is_the_same = index.is_ok_and(|index| index.trim().parse() == Ok(link.index));
    is_the_same && ["phy80211", "wireless"].iter().any(|entry| directory.join(entry).exists())
}

/// Whether cfg80211 is there. Asking for nl80211 where it is not would make the kernel load it.
fn may_have_radios() -> bool {
    Path::new("/sys/class/ieee80211").exists() || !Path::new("/sys/class").exists()
}

/// An error also where there is no cfg80211.
fn nl80211_says_so(link: &Link) -> io::Result<bool> {
    let mut socket = Socket::generic()?;
    let Some(family) = family(&mut socket, b"nl80211\0")? else { return Ok(false) };
    let mut request = generic(family, NL80211_GET_INTERFACE, 0);
    request.attribute(NL80211_IFINDEX, &link.index.to_ne_bytes());
    socket.send(request)?;
    // ENODEV: no radio.
    Ok(answer(&mut socket, |_| Some(()))?.is_some())
}

/// The number of a family of generic netlink; its name ends with a zero.
pub(super) fn family(socket: &mut Socket, name: &[u8]) -> io::Result<Option<u16>> {
    let mut request = generic(CONTROL_FAMILY, CONTROL_GET_FAMILY, 1);
    request.attribute(CONTROL_FAMILY_NAME, name);
    socket.send(request)?;
    answer(socket, |body| {
        let mut attributes = Attributes(body.get(GENERIC_HEADER_LEN..)?);
        value_16(attributes.find(|(kind, _)| *kind == CONTROL_FAMILY_ID)?.1)
    })
}

/// A request to a family of generic netlink.
pub(super) fn generic(family: u16, command: u8, version: u8) -> Request {
    let mut request = Request::new(family, 0, 1);
    request.raw(&[command, version, 0, 0]);
    request
}

/// The one message that answers a request.
pub(super) fn answer<T>(
    socket: &mut Socket,
    read: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<Option<T>> {
    loop {
        let mut messages = match socket.receive(true)? {
            Some(Datagram::Whole(messages)) => messages,
            Some(Datagram::Cut) => return Err(io::ErrorKind::InvalidData.into()),
            None => continue,
        };
        return match messages.next().map(|message| message.body) {
            Some(Body::Content { bytes, .. }) => Ok(read(bytes)),
            Some(Body::Answer(answer)) => answer.map(|()| None),
            Some(Body::Done) | None => Ok(None),
        };
    }
}
