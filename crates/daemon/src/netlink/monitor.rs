//! What changes about the network interfaces, while it changes.

use super::link::{Link, Links};
use super::message::{Body, LinkHeader};
use super::socket::{Datagram, Socket};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Datagrams that one [`Monitor::events`] takes off the socket at most: a storm of changes must not keep the caller.
const DATAGRAMS_MAX: usize = 1024;

/// What happened to a network interface.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkEvent {
    /// It is new, or something about it is different; this is how it looks.
    Changed(Link),
    /// Its bridge treats it in another way than before, perhaps.
    PortChanged {
        /// Its index.
        index: u32,
    },
    /// It exists no more, or has left the network namespace.
    Gone {
        /// Its index.
        index: u32,
        /// The name it had last.
        name: String,
    },
}

/// Knows all network interfaces of a network namespace, and tells what changes about them.
///
/// Wait with poll(2) for `POLLIN` on [`AsFd::as_fd`], then call [`Self::events`]. When the kernel had to drop messages
/// (`ENOBUFS`), the list is read again and compared: no change stays unknown, though what was undone meanwhile is not told.
#[derive(Debug)]
pub struct Monitor {
    socket: Socket,
    links: Links,
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Monitor {
    /// Begins to watch the network namespace of the calling thread. Call [`Self::events`] on a thread in the same one.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> io::Result<Self> {
        // In this order: what happens in between is told, at worst a second time.
        let socket = Socket::route(libc::RTMGRP_LINK.cast_unsigned())?;
        Ok(Self { socket, links: super::list()? })
    }

    /// All network interfaces, as of the last [`Self::events`] or [`Self::open`].
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// What has changed since the last call, oldest first. Does not wait.
    ///
    /// # Errors
    /// What the kernel said. Nothing is lost: a later call tells it.
    pub fn events(&mut self) -> io::Result<Vec<LinkEvent>> {
        let mut events = Vec::new();
        let mut lost = false;
        for _ in 0..DATAGRAMS_MAX {
            match self.socket.receive(false) {
                Ok(None) => break,
                // What is still in the socket is older than the list that will be read.
                Ok(Some(_)) if lost => {}
                Ok(Some(Datagram::Cut)) => lost = true,
                Ok(Some(Datagram::Whole(messages))) => {
                    for message in messages {
                        events.extend(apply(&mut self.links, message.body));
                    }
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => lost = true,
                Err(error) => return Err(error),
            }
        }
        if lost {
            let now = super::list()?;
            events.extend(difference(&self.links, &now));
            self.links = now;
        }
        Ok(events)
    }
}

/// Takes in one message; the event, if it changes anything.
fn apply(links: &mut Links, body: Body<'_>) -> Option<LinkEvent> {
    match body {
        Body::Content { kind: libc::RTM_NEWLINK, bytes } => {
            let (header, _) = LinkHeader::parse(bytes)?;
            if !header.is_about_device {
                return Some(LinkEvent::PortChanged { index: header.index });
            }
            let link = Link::parse(bytes)?;
            links.insert(link.clone()).then_some(LinkEvent::Changed(link))
        }
        Body::Content { kind: libc::RTM_DELLINK, bytes } => {
            let (header, _) = LinkHeader::parse(bytes)?;
            // "The port is gone" about a bridge's port, which lives on.
            let device_is_gone = header.is_about_device;
            let link = device_is_gone.then(|| links.remove(header.index)).flatten()?;
            Some(LinkEvent::Gone { index: link.index, name: link.name })
        }
        Body::Done | Body::Answer(_) | Body::Content { .. } => None,
    }
}

/// The events that lead from `before` to `now`: first what has gone, since its name may be another's by now.
fn difference(before: &Links, now: &Links) -> Vec<LinkEvent> {
    let gone = before
        .iter()
        .filter(|link| now.get(link.index).is_none())
        .map(|link| LinkEvent::Gone { index: link.index, name: link.name.clone() });
    let changed = now
        .iter()
        .filter(|link| before.get(link.index) != Some(link))
        .map(|link| LinkEvent::Changed(link.clone()));
    gone.chain(changed).collect()
}
