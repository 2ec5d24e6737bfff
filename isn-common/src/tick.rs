//! Time as the data plane keeps it: coarse, monotonic, 32 bits.

/// A point in monotonic time, in units of 2^27 ns (about 134 ms); wraps after 18 years.
///
/// A power of two, so that the kernel makes it from nanoseconds with a shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Tick(pub u32);

impl Tick {
    /// Binary logarithm of the nanoseconds in one tick.
    pub const SHIFT: u32 = 27;

    /// The tick that a monotonic clock reading falls into.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "wraps by design")]
    pub const fn from_nanoseconds(nanoseconds: u64) -> Self {
        Self((nanoseconds >> Self::SHIFT) as u32)
    }

    /// Ticks since `earlier`; 0 if `earlier` lies ahead, as another CPU's reading may by a little.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        let elapsed = self.0.wrapping_sub(earlier.0);
        if elapsed > u32::MAX / 2 { 0 } else { elapsed }
    }

    /// The whole ticks in a number of seconds, rounded to the nearest.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        reason = "2^32 seconds are 2^35 ticks: saturated before the cast"
    )]
    pub const fn in_seconds(seconds: u32) -> u32 {
        let half = 1u64 << (Self::SHIFT - 1);
        let ticks = (seconds as u64)
            .saturating_mul(1_000_000_000)
            .saturating_add(half)
            >> Self::SHIFT;
        if ticks > (u32::MAX / 2) as u64 {
            u32::MAX / 2
        } else {
            ticks as u32
        }
    }

    /// Seconds in a number of ticks.
    #[must_use]
    pub fn to_seconds(ticks: u32) -> f64 {
        f64::from(ticks) * f64::from(1u32 << Self::SHIFT) / 1e9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_survives_the_wrap_of_32_bits() {
        assert_eq!(Tick(3).since(Tick(u32::MAX - 1)), 5);
    }

    #[test]
    fn a_reading_from_the_future_counts_as_now() {
        assert_eq!(Tick(10).since(Tick(11)), 0);
    }

    #[test]
    fn seconds_and_ticks_agree_within_one_tick() {
        for seconds in [0, 1, 240, 86_400, 100_000_000] {
            let back = Tick::to_seconds(Tick::in_seconds(seconds));
            assert!(
                (back - f64::from(seconds)).abs() < 0.14,
                "{seconds} became {back}"
            );
        }
    }

    #[test]
    fn too_many_seconds_saturate_below_the_wrap() {
        assert_eq!(Tick::in_seconds(u32::MAX), u32::MAX / 2);
    }
}
