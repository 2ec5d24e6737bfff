//! SipHash-2-4 (Aumasson and Bernstein, 2012) over whole 64-bit words: a keyed function that cannot
//! be predicted without the key, cheap enough for every SYN.

/// A 128-bit key, as two little-endian words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Key(pub [u64; 2]);

#[inline(always)]
const fn round(mut v: [u64; 4]) -> [u64; 4] {
    v[0] = v[0].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].wrapping_add(v[3]);
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].wrapping_add(v[1]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[2] = v[2].rotate_left(32);
    v
}

/// A hash that takes its message word by word: no array of it lies on the BPF program's short stack.
#[derive(Clone, Copy)]
pub struct SipHash {
    v: [u64; 4],
    words: u64,
}

impl SipHash {
    /// Of the empty message.
    #[must_use]
    #[inline(always)]
    pub const fn new(key: Key) -> Self {
        Self {
            v: [
                key.0[0] ^ 0x736f_6d65_7073_6575,
                key.0[1] ^ 0x646f_7261_6e64_6f6d,
                key.0[0] ^ 0x6c79_6765_6e65_7261,
                key.0[1] ^ 0x7465_6462_7974_6573,
            ],
            words: 0,
        }
    }

    /// Of the message with eight octets more, little-endian.
    #[must_use]
    #[inline(always)]
    pub const fn word(mut self, word: u64) -> Self {
        self.v[3] ^= word;
        self.v = round(round(self.v));
        self.v[0] ^= word;
        self.words = self.words.wrapping_add(1);
        self
    }

    /// The number that the reference gives for the octets of all words.
    #[must_use]
    #[inline(always)]
    pub const fn finish(self) -> u64 {
        let length = self.words.wrapping_mul(8) << 56;
        let mut v = self.word(length).v;
        v[2] ^= 0xff;
        v = round(round(round(round(v))));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key 00 01 .. 0f and message 00 01 02 ..: the reference's test vectors for whole words.
    #[test]
    fn reference_vectors() {
        let key = Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let word = |i: u64| 0x0706_0504_0302_0100 + i * 0x0808_0808_0808_0808;
        let empty = SipHash::new(key);
        assert_eq!(empty.finish(), 0x726f_db47_dd0e_0e31);
        assert_eq!(empty.word(word(0)).finish(), 0x93f5_f579_9a93_2462);
        assert_eq!(
            empty.word(word(0)).word(word(1)).finish(),
            0x3f2a_cc7f_57c2_9bdb
        );
    }
}
