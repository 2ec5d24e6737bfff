//! Round numbers for axes, and how numbers are written in a picture.

/// The whole space of sequence numbers, 2³².
pub const SPACE: f64 = 4_294_967_296.0;
/// The farthest that one number can lie from another, 2³¹.
pub const HALF: f64 = 2_147_483_648.0;

/// A count as a coordinate; exact below 2⁵³.
#[expect(
    clippy::cast_precision_loss,
    reason = "a picture has no place for the difference"
)]
pub const fn real(count: usize) -> f64 {
    count as f64
}

/// The least of 1, 2 and 5 times a power of ten that is not less than `least`; 1 at the least.
pub fn round_up(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= least)
        .unwrap_or(10.0 * power)
}

/// A step of 1, 2 or 5 times a power of ten that makes at most `most` steps of `span`.
pub fn step(span: f64, most: f64) -> f64 {
    let least = span / most;
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|round| *round >= least * 0.999_999)
        .unwrap_or(10.0 * power)
}

/// The multiples of `step` from `low` to `high`.
pub fn multiples(step: f64, low: f64, high: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-6).ceil();
    let last = (high / step + 1e-6).floor();
    std::iter::successors(Some(first), |index| Some(index + 1.0))
        .take_while(move |index| *index <= last)
        // No −0.
        .map(move |index| index * step + 0.0)
}

/// A whole number with a comma between thousands.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number <= -0.5 {
        format!("−{text}")
    } else {
        text
    }
}

/// A whole number with its sign, which for 2³¹ is written as the power it is.
pub fn signed(number: f64) -> String {
    let size = if number.abs() >= HALF {
        "2³¹".to_owned()
    } else {
        grouped(number.abs())
    };
    match number {
        n if n <= -0.5 => format!("−{size}"),
        n if n >= 0.5 => format!("+{size}"),
        _ => size,
    }
}

/// A number of a time axis with the digits that a distance of `step` needs.
pub fn decimal(number: f64, step: f64) -> String {
    let digits = if step >= 1.0 {
        0.0
    } else {
        -step.log10().floor()
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 17"
    )]
    let digits = digits.clamp(0.0, 17.0) as usize;
    if digits == 0 {
        grouped(number)
    } else {
        format!("{number:.digits$}")
    }
}

/// A unit of time axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// In the plural.
    pub name: &'static str,
    /// Its length.
    pub seconds: f64,
}

impl Unit {
    /// The largest unit of which at least two fit into so many seconds.
    pub fn of(seconds: f64) -> Self {
        [
            ("days", 86_400.0),
            ("hours", 3_600.0),
            ("minutes", 60.0),
            ("seconds", 1.0),
        ]
        .into_iter()
        .find(|(_, length)| seconds >= 2.0 * length)
        .map_or(
            Self {
                name: "milliseconds",
                seconds: 0.001,
            },
            |(name, seconds)| Self { name, seconds },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_up_to_those_that_people_count_by() {
        for (least, round) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (3.0, 5.0),
            (64_000.0, 100_000.0),
            (200_000.0, 200_000.0),
        ] {
            assert!(
                (round_up(least) - round).abs() < 1e-6,
                "{least}: {}",
                round_up(least)
            );
        }
        for (span, round) in [(10.0, 2.0), (1.0, 0.2), (0.3, 0.05), (7.0, 2.0)] {
            assert!(
                (step(span, 6.0) - round).abs() < 1e-9,
                "{span}: {}",
                step(span, 6.0)
            );
        }
    }

    #[test]
    fn steps_lie_within_their_ends_and_reach_them() {
        let at: Vec<_> = multiples(0.1, 0.0, 0.3).map(|x| decimal(x, 0.1)).collect();
        assert_eq!(at, ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(multiples(5.0, 1.0, 4.0).count(), 0);
    }

    #[test]
    fn thousands_are_grouped_and_signs_are_said() {
        assert_eq!(grouped(0.0), "0");
        assert_eq!(grouped(999.0), "999");
        assert_eq!(grouped(-1_000.0), "−1,000");
        assert_eq!(grouped(4_294_967_295.0), "4,294,967,295");
        assert_eq!(signed(64_000.0), "+64,000");
        assert_eq!(signed(-HALF), "−2³¹");
        assert_eq!(signed(0.0), "0");
    }

    #[test]
    fn a_span_of_time_is_told_in_the_largest_unit_that_fits_twice() {
        for (seconds, name) in [
            (0.5, "milliseconds"),
            (2.0, "seconds"),
            (119.0, "seconds"),
            (600.0, "minutes"),
            (1e6, "days"),
        ] {
            assert_eq!(Unit::of(seconds).name, name, "{seconds}");
        }
    }
}
