//! How often ended flows are looked for.

use std::time::Duration;

use isn_common::tick::Tick;

/// An eighth of the history, so that entries go soon after their time, but at least a second, since
/// a sweep reads whole tables, and at most half a minute.
#[must_use]
pub fn between_sweeps(history: u32) -> Duration {
    Duration::from_secs_f64((Tick::to_seconds(history) / 8.0).clamp(1.0, 30.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_the_history_within_bounds() {
        let seconds = |history| between_sweeps(Tick::in_seconds(history)).as_secs_f64();
        assert!((seconds(1) - 1.0).abs() < 1e-9);
        assert!((seconds(80) - 10.0).abs() < 0.1);
        assert!((seconds(240) - 30.0).abs() < 0.1);
        assert!((seconds(86_400) - 30.0).abs() < 1e-9);
    }
}
