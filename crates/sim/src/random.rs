//! A small seeded generator: the same seed, the same run, on every machine.
//!
//! SplitMix64: 64 bits of state, every state once. Not here: anything secret.

/// A stream of numbers that a seed decides.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        // Neighbouring seeds would begin with neighbouring states.
        Random { state: mix(seed ^ 0x9e37_79b9_7f4a_7c15) }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 to `n - 1`; zero when `n` is zero.
    pub fn below(&mut self, n: u64) -> u64 {
        // The upper half of a product: close enough to even for small `n`.
        let product = u128::from(self.bits()) * u128::from(n);
        u64::try_from(product >> 64).expect("the upper 64 of 128 bits")
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A place in something `len` long; zero when it is empty.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("below a usize")
    }

    /// True once in `n` times; never when `n` is zero.
    pub fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// True `n` times in a hundred.
    pub fn percent(&mut self, n: u64) -> bool {
        self.below(100) < n
    }

    /// One of them; there must be one.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    /// So many bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.bits().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// A stream of its own: what it is used for does not move this one.
    #[must_use]
    pub fn fork(&mut self) -> Random {
        Random { state: self.bits() }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_stream() {
        let stream = |seed| -> Vec<u64> {
            let mut random = Random::new(seed);
            (0..8).map(|_| random.below(1_000)).collect()
        };
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }

    #[test]
    fn bytes_are_as_many_as_asked_for() {
        let bytes = |count| Random::new(3).bytes(count);
        assert_eq!([0, 1, 8, 13].map(|count| bytes(count).len()), [0, 1, 8, 13]);
        assert_eq!(bytes(13)[..8], bytes(8));
        assert_ne!(bytes(13)[..5], bytes(13)[8..]);
    }

    #[test]
    fn every_number_below_the_bound_comes() {
        let mut random = Random::new(1);
        let mut times = [0_u32; 10];
        for _ in 0..10_000 {
            times[random.index(10)] += 1;
        }
        assert!(times.iter().all(|n| (800..1_200).contains(n)), "{times:?}");
    }
}
