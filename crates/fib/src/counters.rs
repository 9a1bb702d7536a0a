//! Counters, with the names and in the order of `batctl statistics` (FWD-140, MGMT-36), and one for each reason to
//! discard.
//!
//! Each thread owns one [`Counters`] and adds to it; whoever reads sums over the threads.

use core::sync::atomic::Ordering;
use noctule_wire::Discard;
use portable_atomic::AtomicU64;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What is counted, in the order in which it is shown.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        pub enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name that `batctl statistics` prints.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

counters! {
    /// Host frames accepted for sending (FWD-40).
    Tx = "tx",
    /// Their bytes.
    TxBytes = "tx_bytes",
    /// Host frames dropped on the way into the mesh.
    TxDropped = "tx_dropped",
    /// Frames delivered to the host (FWD-121).
    Rx = "rx",
    /// Their bytes.
    RxBytes = "rx_bytes",
    /// Unicast style packets forwarded (FWD-72).
    Forward = "forward",
    /// Their bytes, outer Ethernet header included.
    ForwardBytes = "forward_bytes",
    /// OGM frames sent.
    MgmtTx = "mgmt_tx",
    /// Their bytes, outer Ethernet header included.
    MgmtTxBytes = "mgmt_tx_bytes",
    /// OGM frames received.
    MgmtRx = "mgmt_rx",
    /// Their bytes, outer Ethernet header included.
    MgmtRxBytes = "mgmt_rx_bytes",
    /// Fragments sent.
    FragTx = "frag_tx",
    /// Their bytes, outer Ethernet header included.
    FragTxBytes = "frag_tx_bytes",
    /// Fragments handed to reassembly.
    FragRx = "frag_rx",
    /// Their bytes, without the outer Ethernet header.
    FragRxBytes = "frag_rx_bytes",
    /// Fragments forwarded as they are.
    FragFwd = "frag_fwd",
    /// Their bytes, outer Ethernet header included.
    FragFwdBytes = "frag_fwd_bytes",
    /// Table requests sent.
    TtRequestTx = "tt_request_tx",
    /// Well-formed table requests seen, also in transit.
    TtRequestRx = "tt_request_rx",
    /// Table responses sent, also on behalf of others.
    TtResponseTx = "tt_response_tx",
    /// Well-formed table responses seen, also in transit.
    TtResponseRx = "tt_response_rx",
    /// Roaming advertisements sent.
    TtRoamAdvTx = "tt_roam_adv_tx",
    /// Roaming advertisements received for us.
    TtRoamAdvRx = "tt_roam_adv_rx",
    /// Copies of multicast packets sent, our own and those of others (MCAST section 9).
    McastTx = "mcast_tx",
    /// Their bytes, outer Ethernet header included.
    McastTxBytes = "mcast_tx_bytes",
    /// Host frames sent as multicast packet.
    McastTxLocal = "mcast_tx_local",
    /// Their bytes.
    McastTxLocalBytes = "mcast_tx_local_bytes",
    /// Multicast packets received.
    McastRx = "mcast_rx",
    /// Their bytes, outer Ethernet header included.
    McastRxBytes = "mcast_rx_bytes",
    /// Multicast packets received that were for this node, too.
    McastRxLocal = "mcast_rx_local",
    /// Bytes of the frames inside.
    McastRxLocalBytes = "mcast_rx_local_bytes",
    /// Multicast packets received that were passed on.
    McastFwd = "mcast_fwd",
    /// Their bytes as received, outer Ethernet header included.
    McastFwdBytes = "mcast_fwd_bytes",
    /// Questions to the distributed ARP table sent (DAT-80).
    DatGetTx = "dat_get_tx",
    /// Questions received.
    DatGetRx = "dat_get_rx",
    /// Entries for the distributed ARP table sent.
    DatPutTx = "dat_put_tx",
    /// Entries received.
    DatPutRx = "dat_put_rx",
    /// Requests that were answered from the cache on behalf of somebody elsewhere.
    DatCachedReplyTx = "dat_cached_reply_tx",
    /// Originators and possible next hops forgotten because a table was full (IV-H2, IV-H3).
    TableEvicted = "table_evicted",
    /// Addresses that the full cache of the distributed ARP table forgot (DAT-09).
    DatEvicted = "dat_evicted",
    /// UNCLAIM frames from the LAN that did not come from the gateway that had claimed (BLA-31).
    BlaStrangeUnclaim = "bla_strange_unclaim",
    /// Times that broadcasts were let pass on a VLAN although another gateway had not told its claims (BLA-42).
    BlaGateForced = "bla_gate_forced",
    /// Times that somebody here had joined too many groups to announce them one by one (MCAST-17).
    McastGroupsFull = "mcast_groups_full",
    /// Solicitations of hosts here that were answered on behalf of somebody elsewhere (ND-11).
    NdAnswered = "nd_answered",
    /// Addresses that two stations claim at once (ND-08).
    NdDisputed = "nd_disputed",
    /// Neighbours that the full cache forgot (ND-09).
    NdEvicted = "nd_evicted",
}

/// One thread's counters. Adding is for that thread alone; reading is for everybody.
#[derive(Debug)]
pub struct Counters {
    counts: [AtomicU64; Counter::COUNT],
    discards: [AtomicU64; Discard::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; Counter::COUNT],
            discards: [const { AtomicU64::new(0) }; Discard::COUNT],
        }
    }
}

impl Counters {
    /// Adds `amount`.
    pub fn add(&self, counter: Counter, amount: u64) {
        increase(&self.counts[counter as usize], amount);
    }

    /// Adds one packet of `len` bytes to a counter and to the byte counter that belongs to it.
    pub fn add_packet(&self, packets: Counter, bytes: Counter, len: usize) {
        self.add(packets, 1);
        self.add(bytes, len as u64);
    }

    /// Counts one discarded frame or packet.
    pub fn discard(&self, reason: Discard) {
        increase(&self.discards[reason as usize], 1);
    }

    /// Reads one counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counts[counter as usize].load(Ordering::Relaxed)
    }

    /// Reads how often this reason was the reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discards[reason as usize].load(Ordering::Relaxed)
    }
}

/// One writer per cell: a load and a store, without the price of a locked instruction.
fn increase(cell: &AtomicU64, amount: u64) {
    cell.store(cell.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}
