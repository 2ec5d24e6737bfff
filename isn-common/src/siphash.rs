//! SipHash-2-4 (Aumasson and Bernstein, 2012) over whole 64-bit words: a keyed function that cannot
//! be predicted without the key, cheap enough for every SYN.

/// A 128-bit key, as two little-endian words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Key(pub [u64; 2]);

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

const fn absorb(mut v: [u64; 4], word: u64) -> [u64; 4] {
    v[3] ^= word;
    v = round(round(v));
    v[0] ^= word;
    v
}

/// SipHash-2-4 of `N` words of eight octets each, little-endian: the same number that the reference
/// gives for the `8 * N` octets.
#[must_use]
#[inline(always)]
pub fn siphash24<const N: usize>(key: Key, words: [u64; N]) -> u64 {
    let mut v = [
        key.0[0] ^ 0x736f_6d65_7073_6575,
        key.0[1] ^ 0x646f_7261_6e64_6f6d,
        key.0[0] ^ 0x6c79_6765_6e65_7261,
        key.0[1] ^ 0x7465_6462_7974_6573,
    ];
    for word in words {
        v = absorb(v, word);
    }
    let length = (N as u64).wrapping_mul(8) << 56;
    v = absorb(v, length);
    v[2] ^= 0xff;
    v = round(round(round(round(v))));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key 00 01 .. 0f and message 00 01 02 ..: the reference's test vectors for whole words.
    #[test]
    fn reference_vectors() {
        let key = Key([0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908]);
        let word = |i: u64| 0x0706_0504_0302_0100 + i * 0x0808_0808_0808_0808;
        assert_eq!(siphash24(key, []), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash24(key, [word(0)]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash24(key, [word(0), word(1)]), 0x3f2a_cc7f_57c2_9bdb);
    }
}
