//! Netlink messages as bytes: taken apart without trusting a length, and built.

use std::io;

const NLMSG_ERROR: u16 = libc::NLMSG_ERROR as u16;
const NLMSG_DONE: u16 = libc::NLMSG_DONE as u16;
/// `struct nlmsghdr`.
const HEADER_LEN: usize = 16;
/// `struct ifinfomsg`.
const LINK_HEADER_LEN: usize = 16;
/// Messages and attributes start at multiples of this.
const ALIGN: usize = 4;
/// The upper two bits of an attribute's type are flags (nested, byte order).
const ATTRIBUTE_TYPE_MASK: u16 = 0x3fff;

fn number_16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn number_32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// What a message says.
#[derive(Debug)]
pub(super) enum Body<'a> {
    /// The end of an answer in several messages.
    Done,
    /// Whether a request was carried out.
    Answer(io::Result<()>),
    /// Anything else: what it means depends on the kind of socket.
    Content {
        /// Type of the message (`RTM_NEWLINK`, …).
        kind: u16,
        /// What follows its header.
        bytes: &'a [u8],
    },
}

/// One message of a datagram.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// The number of the request that it answers.
    pub(super) number: u32,
    /// Whether the answer may not fit together, because something changed meanwhile.
    pub(super) interrupted: bool,
    /// What it says.
    pub(super) body: Body<'a>,
}

/// The messages of one datagram. Ends at the first whose length makes no sense.
#[derive(Debug)]
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let len = number_32(self.0, 0)? as usize;
        let kind = number_16(self.0, 4)?;
        let flags = libc::c_int::from(number_16(self.0, 6)?);
        let number = number_32(self.0, 8)?;
        let body = self.0.get(HEADER_LEN..len)?;
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        let body = match kind {
            NLMSG_DONE => Body::Done,
            NLMSG_ERROR => Body::Answer(match number_32(body, 0).map(u32::cast_signed) {
                Some(0) => Ok(()),
                Some(errno) => Err(io::Error::from_raw_os_error(errno.wrapping_neg())),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            }),
            _ => Body::Content { kind, bytes: body },
        };
        Some(Message { number, interrupted: flags & libc::NLM_F_DUMP_INTR != 0, body })
    }
}

/// The fixed part of a message about a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct LinkHeader {
    /// Whether the message is about the device itself. Others are about its part in a bridge, for instance.
    pub(super) is_about_device: bool,
    /// `ARPHRD_*`.
    pub(super) hardware_type: u16,
    pub(super) index: u32,
    /// `IFF_*`.
    pub(super) flags: u32,
}

impl LinkHeader {
    /// The fixed part and the attributes behind it.
    pub(super) fn parse(body: &[u8]) -> Option<(Self, Attributes<'_>)> {
        let (fixed, rest) = body.split_at_checked(LINK_HEADER_LEN)?;
        let header = Self {
            is_about_device: libc::c_int::from(fixed[0]) == libc::AF_UNSPEC,
            hardware_type: number_16(fixed, 2)?,
            index: number_32(fixed, 4)?,
            flags: number_32(fixed, 8)?,
        };
        Some((header, Attributes(rest)))
    }
}

/// Attributes, each with its type and its value. Ends at the first whose length makes no sense.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let len = usize::from(number_16(self.0, 0)?);
        let kind = number_16(self.0, 2)? & ATTRIBUTE_TYPE_MASK;
        let value = self.0.get(ALIGN..len)?;
        self.0 = self.0.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// A number that is an attribute's value.
pub(super) fn value_32(value: &[u8]) -> Option<u32> {
    number_32(value, 0)
}

/// A 16-bit number that is an attribute's value.
pub(super) fn value_16(value: &[u8]) -> Option<u16> {
    number_16(value, 0)
}

/// A text that is an attribute's value; it may end with a zero.
pub(super) fn value_text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

/// A request, to which attributes are added.
#[derive(Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    /// A message of type `kind`; `flags` are added to `NLM_F_REQUEST`, and the answers bear `number`.
    pub(super) fn new(kind: u16, flags: libc::c_int, number: u32) -> Self {
        let flags = u16::try_from(libc::NLM_F_REQUEST | flags).expect("flags have 16 bits");
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend([0; 4]);
        Self(bytes)
    }

    /// One about the link `index`, or about none.
    pub(super) fn link(kind: u16, flags: libc::c_int, number: u32, index: u32) -> Self {
        Self::link_flags(kind, flags, number, index, 0, 0)
    }

    /// One that also sets the link's flags `value`, as far as they are in `change`.
    pub(super) fn link_flags(
        kind: u16,
        flags: libc::c_int,
        number: u32,
        index: u32,
        value: u32,
        change: u32,
    ) -> Self {
        let mut request = Self::new(kind, flags, number);
        for field in [0, index, value, change] {
            request.0.extend(field.to_ne_bytes());
        }
        request
    }

    /// Adds bytes as they are.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// Adds an attribute.
    ///
    /// # Panics
    /// If the value is longer than 65,531 bytes: a bug of the caller.
    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        let len = u16::try_from(ALIGN + value.len()).expect("values are short");
        self.0.extend(len.to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(ALIGN), 0);
    }

    /// The bytes to send.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.0.len()).expect("requests are short");
        self.0[..4].copy_from_slice(&len.to_ne_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_can_be_taken_apart() {
        let mut request = Request::link_flags(libc::RTM_NEWLINK, libc::NLM_F_ACK, 7, 3, 1, 1);
        request.attribute(libc::IFLA_IFNAME, b"wlan0\0");
        request.attribute(libc::IFLA_MTU | 0x8000, &1500_u32.to_ne_bytes());
        let mut bytes = request.finish();
        bytes.extend(Request::new(77, 0, 8).finish());
        let mut messages = Messages(&bytes);
        let message = messages.next().unwrap();
        assert_eq!((message.number, message.interrupted), (7, false));
        let Body::Content { kind: libc::RTM_NEWLINK, bytes: body } = message.body else {
            panic!("{message:?}")
        };
        let (header, mut attributes) = LinkHeader::parse(body).unwrap();
        let expected = LinkHeader { is_about_device: true, hardware_type: 0, index: 3, flags: 1 };
        assert_eq!(header, expected);
        let (kind, value) = attributes.next().unwrap();
        assert_eq!((kind, value_text(value).as_str()), (libc::IFLA_IFNAME, "wlan0"));
        let (kind, value) = attributes.next().unwrap();
        assert_eq!((kind, value_32(value)), (libc::IFLA_MTU, Some(1500)));
        assert!(attributes.next().is_none());
        let message = messages.next().unwrap();
        assert!(matches!(message.body, Body::Content { kind: 77, bytes: [] }), "{message:?}");
        assert!(messages.next().is_none());
    }

    #[test]
    fn answers_carry_the_kernels_error() {
        let answer = |errno: i32| {
            let mut request = Request::new(NLMSG_ERROR, 0, 1);
            request.raw(&errno.wrapping_neg().to_ne_bytes());
            let bytes = request.finish();
            match Messages(&bytes).next().unwrap().body {
                Body::Answer(answer) => answer.map_err(|error| error.raw_os_error()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(answer(0), Ok(()));
        assert_eq!(answer(libc::ENODEV), Err(Some(libc::ENODEV)));
        assert_eq!(answer(i32::MIN), Err(Some(i32::MIN)));
    }

    /// Whatever the lengths say: every prefix, and every byte changed, is taken apart without a panic and without end.
    #[test]
    fn no_length_is_trusted() {
        let mut request = Request::link(libc::RTM_NEWLINK, 0, 1, 3);
        for kind in 0..8 {
            request.attribute(kind, &vec![0xff; usize::from(kind)]);
        }
        let whole = request.finish();
        let read = |bytes: &[u8]| {
            for message in Messages(bytes) {
                if let Body::Content { bytes, .. } = message.body {
                    let attributes = LinkHeader::parse(bytes).map(|(_, attributes)| attributes);
                    assert!(attributes.into_iter().flatten().count() <= bytes.len() / ALIGN);
                }
            }
        };
        for end in 0..whole.len() {
            read(&whole[..end]);
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 4, 5, 15, 16, 17, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                read(&bytes);
            }
        }
    }
}
