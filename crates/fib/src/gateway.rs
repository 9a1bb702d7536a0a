//! What becomes of DHCP frames of the host (GW-61 to GW-65): one word, so a reader never finds half of it.

use noctule_wire::Mac;

/// The part of this node in gateway choice, as far as frames are concerned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Gateway {
    /// DHCP is like anything else.
    #[default]
    Off,
    /// Requests go to this originator; `None`: none is chosen.
    Client(Option<Mac>),
    /// Requests are answered here.
    Server,
}

const SERVER: u64 = 1 << 62;
const CLIENT: u64 = 1 << 61;
const CHOSEN: u64 = 1 << 60;

impl Gateway {
    pub(crate) fn to_bits(self) -> u64 {
        match self {
            Self::Off => 0,
            Self::Server => SERVER,
            Self::Client(None) => CLIENT,
            Self::Client(Some(Mac([a, b, c, d, e, f]))) => {
                CLIENT | CHOSEN | u64::from_be_bytes([0, 0, a, b, c, d, e, f])
            }
        }
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
        if bits & SERVER != 0 {
            Self::Server
        } else if bits & CLIENT == 0 {
            Self::Off
        } else {
            Self::Client((bits & CHOSEN != 0).then_some(Mac([a, b, c, d, e, f])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_its_word() {
        let chosen = [Mac::ZERO, Mac::BROADCAST, Mac([2, 0xba, 0, 0, 1, 1])];
        let clients = chosen.map(|mac| Gateway::Client(Some(mac)));
        for value in
            clients.into_iter().chain([Gateway::Off, Gateway::Server, Gateway::Client(None)])
        {
            assert_eq!(Gateway::from_bits(value.to_bits()), value);
        }
    }
}
