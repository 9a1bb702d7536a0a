//! Buffers that are used again and again, so that in the long run no frame costs an allocation.

/// A new buffer has at least this many bytes: the frames of a usual link all fit, and the number kept has a bound.
const SIZE_MIN: usize = 2048;

/// Buffers that wait for their next use. They keep the size that they have grown to, as whoever sends large frames sends
/// more of them; what would go beyond the limit of bytes is given back to the allocator.
#[derive(Debug)]
pub(crate) struct Buffers {
    spare: Vec<Vec<u8>>,
    /// Sum of their capacities.
    bytes: usize,
    limit: usize,
}

impl Buffers {
    /// Keeps at most `limit` bytes.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { spare: Vec::new(), bytes: 0, limit }
    }

    /// An empty buffer with room for `len` bytes. Allocates only if none that is kept is large enough.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let fitting = self.spare.iter().rposition(|buffer| buffer.capacity() >= len);
        let last = self.spare.len().checked_sub(1);
        let mut buffer = match fitting.or(last) {
            Some(place) => self.spare.swap_remove(place),
            None => Vec::new(),
        };
        self.bytes -= buffer.capacity();
        buffer.reserve_exact(len.max(SIZE_MIN));
        buffer
    }

    /// Takes a buffer back.
    pub(crate) fn put(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity >= SIZE_MIN && self.bytes + capacity <= self.limit {
            buffer.clear();
            self.bytes += capacity;
            self.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_has_grown_comes_back() {
        let mut buffers = Buffers::new(20_000);
        let (small, large) = (buffers.take(100), buffers.take(9000));
        let place = large.as_ptr();
        buffers.put(large);
        buffers.put(small);
        let again = buffers.take(8000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let mut buffers = Buffers::new(20_000);
        let taken: Vec<_> = (0..20).map(|_| buffers.take(9000)).collect();
        for buffer in taken {
            buffers.put(buffer);
        }
        assert_eq!((buffers.spare.len(), buffers.bytes), (2, 18_000));
        drop(buffers.take(1));
        assert_eq!((buffers.spare.len(), buffers.bytes), (1, 9000));
    }
}
