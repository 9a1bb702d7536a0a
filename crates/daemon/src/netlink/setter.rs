//! Changing network interfaces, as `ip link set` does.

use super::message::{Body, Request};
use super::socket::{Datagram, Socket};
use noctule_wire::Mac;
use std::io;

/// Why a link was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// No right to change interfaces in this network namespace.
    #[error("cannot {0}: not permitted, run as root or grant CAP_NET_ADMIN")]
    NotPermitted(&'static str),
    /// There is no such interface (any more).
    #[error("cannot {0}: the interface is gone")]
    Gone(&'static str),
    /// Anything else.
    #[error("cannot {what}: {source}")]
    Refused {
        /// What was to be done.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Changes network interfaces of the network namespace in which it was opened. Each change is complete when its call
/// returns.
#[derive(Debug)]
pub struct Setter {
    socket: Socket,
    number: u32,
}

impl Setter {
    /// Opens it for the network namespace of the calling thread.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn open() -> io::Result<Self> {
        Ok(Self { socket: Socket::route(0)?, number: 0 })
    }

    /// Sets the interface with index `index` up or down.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn set_up(&mut self, index: u32, up: bool) -> Result<(), SetError> {
        let flag = libc::IFF_UP.cast_unsigned();
        let what = if up { "set the interface up" } else { "set the interface down" };
        self.set(what, index, if up { flag } else { 0 }, flag, None)
    }

    /// Sets its MTU, bytes.
    ///
    /// # Errors
    /// [`SetError`]; the range depends on the driver.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<(), SetError> {
        let value = mtu.to_ne_bytes();
        self.set("set the MTU", index, 0, 0, Some((libc::IFLA_MTU, &value)))
    }

    /// Sets its address. Some drivers want the interface down for that.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn set_mac(&mut self, index: u32, mac: Mac) -> Result<(), SetError> {
        self.set("set the address", index, 0, 0, Some((libc::IFLA_ADDRESS, &mac.0)))
    }

    /// Makes it a port of the bridge (or bond, …) with index `master`, or of none.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn set_master(&mut self, index: u32, master: Option<u32>) -> Result<(), SetError> {
        let value = master.unwrap_or(0).to_ne_bytes();
        self.set("set the bridge", index, 0, 0, Some((libc::IFLA_MASTER, &value)))
    }

    /// Writes something on it that people and programs can read, up to 255 bytes.
    ///
    /// # Errors
    /// [`SetError`].
    pub fn set_alias(&mut self, index: u32, alias: &str) -> Result<(), SetError> {
        self.set("set the alias", index, 0, 0, Some((libc::IFLA_IFALIAS, alias.as_bytes())))
    }

    fn set(
        &mut self,
        what: &'static str,
        index: u32,
        flags: u32,
        change: u32,
        attribute: Option<(u16, &[u8])>,
    ) -> Result<(), SetError> {
        self.number = self.number.wrapping_add(1);
        let number = self.number;
        let kind = libc::RTM_SETLINK;
        let mut request = Request::link_flags(kind, libc::NLM_F_ACK, number, index, flags, change);
        if let Some((kind, value)) = attribute {
            request.attribute(kind, value);
        }
        self.carry_out(request, number).map_err(|source| match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => SetError::NotPermitted(what),
            Some(libc::ENODEV) => SetError::Gone(what),
            _ => SetError::Refused { what, source },
        })
    }

    fn carry_out(&mut self, request: Request, number: u32) -> io::Result<()> {
        self.socket.send(request)?;
        loop {
            if let Some(Datagram::Whole(messages)) = self.socket.receive(true)? {
                for message in messages.filter(|message| message.number == number) {
                    if let Body::Answer(answer) = message.body {
                        return answer;
                    }
                }
            }
        }
    }
}
