//! Sequence numbers and offsets between two numberings of one stream (RFC 9293 section 3.4).
//!
//! There is deliberately no `+`, no `-` and no `Ord`: everything is modulo 2^32, and every value,
//! 0 included, is an ordinary one.

/// A TCP sequence or acknowledgment number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Seq(pub u32);

/// Wire number minus host number of the same octet, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Offset(pub u32);

impl Offset {
    /// The offset that undoes this one.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self(self.0.wrapping_neg())
    }
}

impl Seq {
    /// The number `octets` further on.
    #[must_use]
    pub const fn advanced(self, octets: u32) -> Self {
        Self(self.0.wrapping_add(octets))
    }

    /// Octets from `earlier` up to here, modulo 2^32.
    #[must_use]
    pub const fn beyond(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Signed distance from `other`: positive if this number lies ahead of it.
    #[must_use]
    #[allow(
        clippy::cast_possible_wrap,
        reason = "RFC 9293 comparisons are signed differences"
    )]
    pub const fn distance_from(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// Whether `other` lies ahead of this number by less than 2^31.
    #[must_use]
    pub const fn precedes(self, other: Self) -> bool {
        other.distance_from(self) > 0
    }

    /// Whichever of the two lies ahead.
    #[must_use]
    pub const fn or_later(self, other: Self) -> Self {
        if self.precedes(other) { other } else { self }
    }

    /// A host number as the wire carries it.
    #[must_use]
    pub const fn to_wire(self, offset: Offset) -> Self {
        Self(self.0.wrapping_add(offset.0))
    }

    /// A wire number as the host knows it.
    #[must_use]
    pub const fn to_host(self, offset: Offset) -> Self {
        Self(self.0.wrapping_sub(offset.0))
    }

    /// The offset that makes `host` appear as this number on the wire.
    #[must_use]
    pub const fn offset_from(self, host: Self) -> Offset {
        Offset(self.0.wrapping_sub(host.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers around which comparisons go wrong.
    const EDGES: [u32; 8] = [
        0,
        1,
        0x7fff_fffe,
        0x7fff_ffff,
        0x8000_0000,
        0x8000_0001,
        0xffff_fffe,
        0xffff_ffff,
    ];

    #[test]
    fn a_number_precedes_all_that_follow_by_less_than_half_the_space() {
        for base in EDGES.map(Seq) {
            for ahead in [1, 2, 0x7fff_fffe, 0x7fff_ffff] {
                assert!(base.precedes(base.advanced(ahead)), "{base:?} + {ahead:#x}");
                assert!(
                    !base.advanced(ahead).precedes(base),
                    "{base:?} + {ahead:#x}"
                );
            }
            assert!(!base.precedes(base));
        }
    }

    #[test]
    fn half_the_space_apart_neither_precedes() {
        for base in EDGES.map(Seq) {
            let opposite = base.advanced(0x8000_0000);
            assert!(!base.precedes(opposite) && !opposite.precedes(base));
            assert_eq!(base.or_later(opposite), base);
        }
    }

    #[test]
    fn beyond_half_the_space_the_order_turns() {
        for base in EDGES.map(Seq) {
            assert!(base.advanced(0x8000_0001).precedes(base));
            assert_eq!(base.advanced(0x8000_0001).or_later(base), base);
        }
    }

    #[test]
    fn beyond_counts_across_the_wrap() {
        assert_eq!(Seq(5).beyond(Seq(u32::MAX)), 6);
        assert_eq!(Seq(u32::MAX).distance_from(Seq(5)), -6);
    }

    proptest! {
        #[test]
        fn to_wire_and_back_is_the_identity(number: u32, offset: u32) {
            let (number, offset) = (Seq(number), Offset(offset));
            prop_assert_eq!(number.to_wire(offset).to_host(offset), number);
        }

        #[test]
        fn an_offset_leads_from_host_to_wire(host: u32, wire: u32) {
            prop_assert_eq!(Seq(host).to_wire(Seq(wire).offset_from(Seq(host))), Seq(wire));
        }

        #[test]
        fn translation_keeps_distances(a: u32, b: u32, offset: u32) {
            let offset = Offset(offset);
            prop_assert_eq!(
                Seq(a).to_wire(offset).distance_from(Seq(b).to_wire(offset)),
                Seq(a).distance_from(Seq(b))
            );
        }
    }
}
