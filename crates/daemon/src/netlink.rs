//! The network interfaces of this machine: which there are, what changes about them, which of them can carry a mesh, and
//! the few things that are changed from here (rtnetlink; nl80211 for one question).
//!
//! [`list`] gives all [`Links`] of the network namespace of the calling thread, a [`Monitor`] tells what changes,
//! [`check_hard_interface`] says whether one can be a hard interface (FWD-01, MGMT-09), and [`Setter`] sets what
//! `ip link set` would.
//!
//! The messages are read and built here, over `nix` sockets. `neli` was to do that; what speaks against it: its sockets
//! can be polled only by way of raw descriptors, which needs `unsafe`; it hides who sent a message, and whether it was
//! cut; and its parsers subtract lengths unchecked, so that an attribute or an answer that is shorter than expected ends
//! the process. What a mesh node needs of rtnetlink is a page of code.

mod bridge;
mod bridge_ports;
mod check;
mod holder;
mod link;
mod message;
mod monitor;
mod multicast;
mod neighbour;
mod setter;
mod socket;
mod speedometer;
mod wireless;

pub use bridge::port_vlans;
pub use bridge_ports::{BridgePorts, PortKind};
pub use check::{BadInterface, MTU_MIN, check_hard_interface};
pub(crate) use holder::{Turn, is_held_by_another, other_meshes};
pub use link::{Link, Links, MESH_ALIAS};
pub use monitor::{LinkEvent, Monitor};
pub use multicast::MulticastMonitor;
pub use neighbour::neighbour;
pub use setter::{SetError, Setter};
pub use speedometer::Speedometer;

use message::{Body, Request};
use socket::{Datagram, Socket};
use std::io;

/// Attribute of a request for links: what to add to the usual answer, or to leave out.
const IFLA_EXT_MASK: u16 = 29;
/// Leave out the counters, which make half of an answer.
const RTEXT_FILTER_SKIP_STATS: u32 = 1 << 3;
/// How often a list is asked for again because something changed while it was put together.
const LIST_TRIES: u32 = 8;

/// All network interfaces of the network namespace of the calling thread.
///
/// # Errors
/// What the kernel said.
pub fn list() -> io::Result<Links> {
    let mut socket = Socket::route(0)?;
    let mut tries = 0;
    loop {
        tries += 1;
        match list_once(&mut socket, tries) {
            // So much changes that no answer is consistent; the last one has to do, and the monitor tells the rest.
            Ok(Listed { links, interrupted }) if !interrupted || tries == LIST_TRIES => {
                return Ok(links);
            }
            Ok(_) => {}
            // The answer did not fit the socket's memory; the rest of it may still come, under an old number.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && tries < LIST_TRIES => {}
            Err(error) => return Err(error),
        }
    }
}

/// One answer to the request for all links.
struct Listed {
    links: Links,
    /// Whether something changed while the kernel put the answer together.
    interrupted: bool,
}

fn list_once(socket: &mut Socket, number: u32) -> io::Result<Listed> {
    let mut request = Request::link(libc::RTM_GETLINK, libc::NLM_F_DUMP, number, 0);
    request.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    socket.send(request)?;
    let mut listed = Listed { links: Links::default(), interrupted: false };
    loop {
        let messages = match socket.receive(true)? {
            Some(Datagram::Whole(messages)) => messages,
            Some(Datagram::Cut) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
            None => continue,
        };
        for message in messages.filter(|message| message.number == number) {
            listed.interrupted |= message.interrupted;
            match message.body {
                Body::Content { kind: libc::RTM_NEWLINK, bytes } => {
                    if let Some(link) = Link::parse(bytes) {
                        listed.links.insert(link);
                    }
                }
                Body::Done => return Ok(listed),
                Body::Answer(Ok(())) => {}
                Body::Answer(Err(error)) => return Err(error),
                Body::Content { .. } => {}
            }
        }
    }
}
