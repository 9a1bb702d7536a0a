//! Who wants which multicast frames besides the groups that they announce as clients (MCAST-30, MCAST-36).

use noctule_wire::Mac;

/// What the transmit decision needs, replaced as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Multicast {
    /// Flood everything: the operator's wish, or nothing is known yet.
    pub flood: bool,
    /// How many unicast copies are better than flooding.
    pub fanout: u32,
    /// Every known originator and this node understand multicast packets.
    pub packets: bool,
    /// How many originators want all unsnoopable groups.
    pub want_unsnoopable: usize,
    /// Who wants all IPv4 multicast.
    pub want_ipv4: Box<[Mac]>,
    /// Who wants all IPv6 multicast.
    pub want_ipv6: Box<[Mac]>,
    /// Who has an IPv4 multicast router.
    pub routers_ipv4: Box<[Mac]>,
    /// Who has an IPv6 multicast router.
    pub routers_ipv6: Box<[Mac]>,
}

impl Default for Multicast {
    /// Nothing is known: flooding reaches everybody.
    fn default() -> Self {
        Self {
            flood: true,
            fanout: 0,
            packets: false,
            want_unsnoopable: 0,
            want_ipv4: Box::default(),
            want_ipv6: Box::default(),
            routers_ipv4: Box::default(),
            routers_ipv6: Box::default(),
        }
    }
}
