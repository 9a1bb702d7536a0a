//! What the pipeline is told at its start: its seed, and a bound for each table that strangers fill.

use noctule_fib::HashKey;

/// Settings of a [`Pipeline`](super::Pipeline).
#[derive(Clone, Copy, Debug)]
pub struct PipelineSettings {
    /// Secret of this run: nobody can aim at one bucket of a hash table.
    pub hash_key: HashKey,
    /// How many originators are remembered for duplicate suppression (FWD-96), and how many as senders of fragments
    /// (FWD-117). Not below the engine's own bound of originators, or the last ones are not heard.
    pub originators: usize,
    /// Broadcast copies waiting for their repetition, one place for each packet and interface (FWD-89).
    pub broadcast_queue: usize,
    /// Packets in reassembly at once, of all originators together; each takes up to 20160 bytes. Who holds most makes room.
    pub reassemblies: usize,
    /// Addresses in the cache of the distributed ARP table, about 80 bytes each (DAT-09).
    pub arp_entries: usize,
    /// Addresses in the cache of IPv6 neighbours, about 110 bytes each (ND-09).
    pub neighbour_entries: usize,
    /// Clients remembered while the engine digests a hint about them; the oldest are forgotten.
    pub recent_clients: usize,
}

impl PipelineSettings {
    /// Places in the broadcast queue of the reference (FWD-89).
    pub const BROADCAST_QUEUE: usize = 256;

    /// The usual bounds: as many originators as the engine knows, at most 5 MiB of fragments.
    pub const fn new(hash_key: HashKey) -> Self {
        Self {
            hash_key,
            originators: 4096,
            broadcast_queue: Self::BROADCAST_QUEUE,
            reassemblies: 256,
            arp_entries: 16_384,
            neighbour_entries: 16_384,
            recent_clients: 1024,
        }
    }
}
