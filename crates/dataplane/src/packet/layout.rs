//! How the memory of a ring is cut into blocks and slots: what `PACKET_RX_RING` and `PACKET_TX_RING` accept, with little
//! waste.

/// Slots start at multiples of this (`TPACKET_ALIGNMENT`).
const SLOT_ALIGN: usize = libc::TPACKET_ALIGNMENT;
/// A block is one allocation of the kernel in whole pages; beyond this size such an allocation often fails on a machine
/// whose memory is fragmented. Only a slot that does not fit takes more.
const BLOCK_LEN_PREFERRED_MAX: usize = 64 * 1024;
/// The most memory one ring takes. With the largest frames of 64 KiB this still is 250 slots.
const RING_LEN_MAX: usize = 32 * 1024 * 1024;

/// A ring: `blocks` blocks of `block_len` bytes, each cut into `slots_per_block` slots of `slot_len` bytes and a rest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RingLayout {
    pub(super) slot_len: usize,
    pub(super) slots_per_block: u32,
    pub(super) block_len: usize,
    pub(super) blocks: u32,
}

impl RingLayout {
    /// A ring of at least `slots` slots that hold `slot_len` bytes each, for pages of `page_len` bytes. It gets fewer
    /// slots if it would exceed the memory limit.
    pub(super) fn plan(slot_len: usize, slots: u32, page_len: usize) -> Self {
        let slot_len = slot_len.next_multiple_of(SLOT_ALIGN);
        // Of the powers of two (what the kernel allocates in any case) the one that wastes least; the smallest of those.
        let smallest = slot_len.max(page_len).next_power_of_two();
        let block_len = std::iter::successors(Some(smallest), |len| Some(len * 2))
            .take_while(|len| *len == smallest || *len <= BLOCK_LEN_PREFERRED_MAX)
            .min_by_key(|len| (len % slot_len) * (BLOCK_LEN_PREFERRED_MAX.max(smallest) / len))
            .unwrap_or(smallest);
        let slots_per_block = u32::try_from(block_len / slot_len).expect("a block is small");
        let blocks_max = u32::try_from(RING_LEN_MAX / block_len).expect("a ring is small").max(1);
        let blocks = slots.div_ceil(slots_per_block).clamp(1, blocks_max);
        Self { slot_len, slots_per_block, block_len, blocks }
    }

    /// How many slots there are.
    pub(super) fn slots(&self) -> u32 {
        self.slots_per_block * self.blocks
    }

    /// How much memory the ring takes, bytes.
    pub(super) fn byte_len(&self) -> usize {
        self.block_len * self.blocks as usize
    }
}

/// A place in a ring: one slot. It walks round, block by block.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Cursor {
    block: u32,
    slot: u32,
}

impl Cursor {
    /// Where the slot starts, bytes from the start of the ring.
    pub(super) fn offset(self, layout: &RingLayout) -> usize {
        self.block as usize * layout.block_len + self.slot as usize * layout.slot_len
    }

    /// The slot behind this one.
    #[must_use]
    pub(super) fn next(self, layout: &RingLayout) -> Self {
        if self.slot + 1 < layout.slots_per_block {
            Self { slot: self.slot + 1, ..self }
        } else if self.block + 1 < layout.blocks {
            Self { block: self.block + 1, slot: 0 }
        } else {
            Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel demands of a ring (packet_mmap.rst), for every MTU and page size.
    #[test]
    fn every_plan_is_one_the_kernel_accepts() {
        for page_len in [4096, 16_384, 65_536] {
            for mtu in (68..=65_535).step_by(17).chain([1500, 9000, 65_535]) {
                for slots in [1, 16, 512, 16_384] {
                    let layout = RingLayout::plan(66 + 18 + mtu, slots, page_len);
                    assert!(layout.slot_len >= 66 + 18 + mtu);
                    assert_eq!(layout.slot_len % SLOT_ALIGN, 0);
                    assert_eq!(layout.block_len % page_len, 0);
                    assert!(layout.block_len.is_power_of_two());
                    assert_eq!(layout.slots_per_block as usize, layout.block_len / layout.slot_len);
                    assert!(layout.byte_len() <= RING_LEN_MAX);
                    assert!(layout.slots() >= slots.min(200), "{layout:?}");
                }
            }
        }
    }

    #[test]
    fn little_is_wasted_at_the_usual_mtu() {
        let layout = RingLayout::plan(66 + 18 + 1500, 512, 4096);
        assert_eq!((layout.slot_len, layout.block_len, layout.slots_per_block), (1584, 65_536, 41));
        let used = layout.slots_per_block as usize * layout.slot_len;
        assert!(used * 100 / layout.block_len >= 99);
        // What `open` asks for at an MTU up to that of Wi-Fi.
        let layout = RingLayout::plan(66 + 18 + 2304, 512, 4096);
        assert_eq!((layout.slot_len, layout.slots_per_block), (2400, 27));
        assert_eq!(layout.byte_len(), 19 * 65_536);
    }

    #[test]
    fn a_cursor_visits_every_slot_once_and_comes_round() {
        let layout = RingLayout { slot_len: 1024, slots_per_block: 3, block_len: 4096, blocks: 2 };
        let mut cursor = Cursor::default();
        let mut offsets = Vec::new();
        for _ in 0..layout.slots() {
            offsets.push(cursor.offset(&layout));
            cursor = cursor.next(&layout);
        }
        assert_eq!(offsets, [0, 1024, 2048, 4096, 5120, 6144]);
        assert_eq!(cursor, Cursor::default());
    }
}
