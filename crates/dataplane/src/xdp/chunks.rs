//! The memory that frames lie in ("UMEM"): chunks of one length, each of which belongs to this process or to the kernel.
#![expect(unsafe_code, reason = "chunks live in memory that is shared with the kernel")]

use super::memory::Mapping;
use nix::errno::Errno;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

/// Length of a chunk, bytes. The kernel takes 2048 to a page; a whole page is right at every MTU that XDP knows.
pub(super) const CHUNK_LEN: usize = 4096;
/// What the kernel keeps free in front of a received frame (`XDP_PACKET_HEADROOM`), bytes.
const HEADROOM: usize = 256;
/// The longest frame that fits a chunk on arrival, bytes. `bpf/redirect.bpf.c` lets longer ones go up.
pub(super) const FRAME_LEN_MAX: usize = CHUNK_LEN - HEADROOM;

/// All chunks of one socket.
#[derive(Debug)]
pub(super) struct Memory(Mapping);

impl Memory {
    pub(super) fn new(chunks: u32) -> Result<Arc<Self>, Errno> {
        let len = NonZeroUsize::new(chunks as usize * CHUNK_LEN).ok_or(Errno::EINVAL)?;
        Ok(Arc::new(Self(Mapping::anonymous(len)?)))
    }

    /// Where it starts, as a number for the kernel.
    pub(super) fn address(&self) -> u64 {
        self.0.base().as_ptr().addr() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A row of chunks that one half of a data path has to itself.
#[derive(Debug)]
pub(super) struct Chunks {
    memory: Arc<Memory>,
    range: Range<usize>,
}

impl Chunks {
    /// # Safety
    /// `range` (bytes, multiples of [`CHUNK_LEN`]) is inside the memory, and no other `Chunks` in the process has any of it.
    pub(super) unsafe fn new(memory: Arc<Memory>, range: Range<usize>) -> Self {
        debug_assert!(range.end <= memory.len());
        Self { memory, range }
    }

    /// Where each of the chunks begins, counted as the kernel counts.
    pub(super) fn starts(&self) -> impl Iterator<Item = u64> + use<> {
        self.range.clone().step_by(CHUNK_LEN).map(|start| start as u64)
    }

    /// `len` bytes from `start` on, as places in these chunks: `None` if they are not inside one of them.
    pub(super) fn place(&self, start: u64, len: u32) -> Option<Range<usize>> {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(len as usize)?;
        let chunk_end = (start / CHUNK_LEN + 1).checked_mul(CHUNK_LEN)?;
        (start >= self.range.start && end <= self.range.end && end <= chunk_end)
            .then_some(start..end)
    }

    /// The bytes at a place.
    ///
    /// # Safety
    /// `place` comes from [`Self::place`], and the kernel has given the chunk to this process and not got it back.
    pub(super) unsafe fn bytes(&self, place: Range<usize>) -> &[u8] {
        // SAFETY: inside the mapping, which `memory` keeps alive and which is initialised; nobody writes meanwhile: not the
        // kernel, by the caller's word, and nobody else here, because that takes `&mut self` of the only value that reaches
        // this chunk.
        unsafe {
            std::slice::from_raw_parts(self.memory.0.base().add(place.start).as_ptr(), place.len())
        }
    }

    /// The same, to be changed.
    ///
    /// # Safety
    /// As for [`Self::bytes`].
    pub(super) unsafe fn bytes_mut(&mut self, place: Range<usize>) -> &mut [u8] {
        // SAFETY: as above; the slice borrows the only value that reaches this chunk exclusively.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.memory.0.base().add(place.start).as_ptr(),
                place.len(),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_inside_one_chunk_of_the_row() {
        let memory = Memory::new(4).unwrap();
        // SAFETY: the only one.
        let chunks = unsafe { Chunks::new(memory, 4096..12_288) };
        assert_eq!(chunks.starts().collect::<Vec<_>>(), [4096, 8192]);
        #[rustfmt::skip]
        let rows = [
            (4096 + 256, 60, Some(4352..4412), "a frame"),
            (4096 + 256, 3840, Some(4352..8192), "to the last byte"),
            (4096 + 256, 3841, None, "one beyond"),
            (8192, 4096, Some(8192..12_288), "a whole chunk"),
            (0, 60, None, "in front of the row"),
            (12_288, 1, None, "behind it"),
            (u64::MAX, 1, None, "nowhere"),
            (4096, u32::MAX, None, "endless"),
        ];
        for (start, len, expected, because) in rows {
            assert_eq!(chunks.place(start, len), expected, "{because}");
        }
    }
}
