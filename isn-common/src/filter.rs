//! Whether an address may be that of a guarded host: one bit, so that the packets of all others cost no lookup.
//!
//! A set bit means "perhaps": hosts share bits. A cleared one means "no": nothing of that host is in any table. So bits are set before a
//! prefix is guarded and before a flow is restored, and never cleared while there may be flows.

/// Words of IPv4: a bit for each /24.
pub const WORDS_V4: u32 = 1 << (LENGTH_V4 as u32 - 6);
/// Words of IPv6: prefixes up to /32 share 65,536 bits by a hash.
pub const WORDS_V6: u32 = 1 << (BITS_V6 - 6);
/// Bits of an IPv4 address that choose its bit.
const LENGTH_V4: u8 = 24;
/// Bits of an IPv6 address that choose its bit: what registries give to providers.
const LENGTH_V6: u8 = 32;
const BITS_V6: u32 = 16;

/// A word of a filter and bits in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// Index of the word.
    pub word: u32,
    /// Bits.
    pub bits: u64,
}

/// The bit of an IPv4 address, network order.
#[must_use]
#[inline(always)]
pub const fn of_v4(address: [u8; 4]) -> Bits {
    bit(u32::from_be_bytes(address) >> (32 - LENGTH_V4))
}

/// The bit of an IPv6 address, network order.
#[must_use]
#[inline(always)]
pub const fn of_v6(address: [u8; 16]) -> Bits {
    let [a, b, c, d, ..] = address;
    // Multiplicative hashing (Knuth, volume 3, section 6.4).
    let mixed = u32::from_be_bytes([a, b, c, d]).wrapping_mul(0x9e37_79b1);
    bit(mixed >> (32 - BITS_V6))
}

#[inline(always)]
const fn bit(number: u32) -> Bits {
    Bits {
        word: number >> 6,
        bits: 1 << (number & 63),
    }
}

/// The bits of all addresses of an IPv4 prefix; `length` in bits.
pub fn of_prefix_v4(address: [u8; 4], length: u8) -> impl Iterator<Item = Bits> {
    let bits = 1u32 << LENGTH_V4.saturating_sub(length);
    let number = u32::from_be_bytes(address) >> (32 - LENGTH_V4);
    // The prefix begins at a multiple of its own size, whatever else the address says.
    let first = bit(number & !bits.wrapping_sub(1));
    let whole_words = bits >> 6;
    let bits_of_word = if whole_words == 0 {
        (1u64 << bits).wrapping_sub(1).wrapping_mul(first.bits)
    } else {
        u64::MAX
    };
    (0..whole_words.max(1)).map(move |nth| Bits {
        word: first.word.wrapping_add(nth),
        bits: bits_of_word,
    })
}

/// The bits of all addresses of an IPv6 prefix; `length` in bits. Of one that is shorter than /32 these are all bits there are.
pub fn of_prefix_v6(address: [u8; 16], length: u8) -> impl Iterator<Item = Bits> {
    let one = of_v6(address);
    let words = if length < LENGTH_V6 {
        0..WORDS_V6
    } else {
        one.word..one.word.wrapping_add(1)
    };
    words.map(move |word| Bits {
        word,
        bits: if length < LENGTH_V6 {
            u64::MAX
        } else {
            one.bits
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(mut bits: impl Iterator<Item = Bits>, of: Bits) -> bool {
        bits.any(|it| it.word == of.word && it.bits & of.bits == of.bits)
    }

    #[test]
    fn every_address_of_a_prefix_has_its_bit_set() {
        let inside = [
            ([10, 0, 0, 0], 8, [10, 255, 255, 255]),
            ([10, 1, 64, 0], 18, [10, 1, 127, 9]),
            ([10, 1, 64, 0], 19, [10, 1, 64, 1]),
            ([192, 0, 2, 0], 24, [192, 0, 2, 77]),
            ([192, 0, 2, 77], 32, [192, 0, 2, 77]),
            ([0, 0, 0, 0], 0, [255, 255, 255, 255]),
        ];
        for (prefix, length, address) in inside {
            assert!(
                covers(of_prefix_v4(prefix, length), of_v4(address)),
                "{prefix:?}/{length}"
            );
        }
    }

    #[test]
    fn addresses_of_other_prefixes_have_not() {
        for (prefix, length, address) in [
            ([10, 0, 0, 0], 8, [11, 0, 0, 0]),
            ([10, 1, 64, 0], 18, [10, 1, 128, 0]),
            ([10, 1, 64, 0], 18, [10, 1, 63, 255]),
            ([192, 0, 2, 0], 24, [192, 0, 3, 0]),
        ] {
            assert!(
                !covers(of_prefix_v4(prefix, length), of_v4(address)),
                "{prefix:?}/{length}"
            );
        }
        assert_eq!(of_prefix_v4([10, 0, 0, 0], 8).count(), 1024);
        assert_eq!(of_prefix_v4([0; 4], 0).count(), WORDS_V4 as usize);
    }

    #[test]
    fn ipv6_shares_bits_and_misses_none() {
        let address = |head: u32, tail: u128| (u128::from(head) << 96 | tail).to_be_bytes();
        let (here, there) = (0x2001_0db8, 0x2a00_1450);
        let inside = of_v6(address(here, 77));
        assert!(covers(of_prefix_v6(address(here, 0), 48), inside));
        assert!(!covers(
            of_prefix_v6(address(here, 0), 48),
            of_v6(address(there, 77))
        ));
        assert!(covers(of_prefix_v6(address(0x2000_0000, 0), 3), inside));
        assert_eq!(of_prefix_v6(address(0, 0), 0).count(), WORDS_V6 as usize);
    }
}
