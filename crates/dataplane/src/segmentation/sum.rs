//! The Internet checksum (RFC 1071), on words as wide as the machine adds them.

/// A sum in one's complement over 16-bit words, which is not folded yet. The bytes' order does not matter until then, so
/// words are added as they lie in memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes that begin at an even place; an odd byte at the end counts as the upper half of a word. Up to 16 GiB in
    /// all cannot overflow.
    pub(super) fn add(self, bytes: &[u8]) -> Self {
        let words = bytes.chunks_exact(4);
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        let word = |bytes: [u8; 4]| u64::from(u32::from_ne_bytes(bytes));
        let sum: u64 = words.map(|each| each.try_into().map_or(0, word)).sum();
        Self(self.0 + sum + word(last))
    }

    /// Adds one number.
    pub(super) fn add_number(self, number: u16) -> Self {
        Self(self.0 + u64::from(number.to_be()))
    }

    /// The sum as one number.
    pub(super) fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        u16::from_be(sum as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::checksum::Sum16BitWords;

    proptest::proptest! {
        /// `etherparse` says the same.
        #[test]
        fn rfc_1071_another_implementation_gives_the_same(
            even in proptest::collection::vec((0_u8.., 0_u8..), 0..40),
            rest in proptest::collection::vec(0_u8.., 0..200),
            number: u16,
        ) {
            let even: Vec<u8> = even.into_iter().flat_map(|(one, two)| [one, two]).collect();
            let ours = Sum::default().add(&even).add(&rest).add_number(number).fold();
            let theirs = Sum16BitWords::new()
                .add_slice(&even)
                .add_slice(&rest)
                .add_2bytes(number.to_be_bytes())
                .ones_complement();
            proptest::prop_assert_eq!(!ours, u16::from_be(theirs));
        }
    }

    #[test]
    fn rfc_1071_the_longest_frame_of_ones_does_not_overflow() {
        assert_eq!(Sum::default().add(&[0xff; 70_000]).fold(), 0xffff);
        assert_eq!(Sum::default().fold(), 0);
    }
}
