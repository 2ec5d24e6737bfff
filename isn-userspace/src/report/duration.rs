//! Spans of time for people: two units at most.

/// Writes seconds like `4s`, `3m05s`, `2h10m`, `5d03h`.
#[must_use]
pub fn short(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole seconds"
    )]
    let whole = seconds.max(0.0) as u64;
    match whole {
        0..60 => format!("{whole}s"),
        60..3_600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h{:02}m", whole / 3_600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// Seconds with three digits behind the point, as JSON shows them: a tick is 134 ms.
#[must_use]
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_units_at_most() {
        let cases = [
            (-1.0, "0s"),
            (0.9, "0s"),
            (59.9, "59s"),
            (60.0, "1m00s"),
            (185.0, "3m05s"),
            (7_800.0, "2h10m"),
            (86_400.0 * 5.0 + 3.0 * 3_600.0, "5d03h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(short(seconds), expected);
        }
    }

    #[test]
    fn rounding_keeps_milliseconds() {
        assert!((rounded(1.234_567) - 1.235).abs() < 1e-9);
    }
}
