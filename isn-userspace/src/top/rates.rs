//! Counters as rates, with the latest past.

use std::collections::VecDeque;

use isn_common::counter::Counter;

/// What became of SYNs, in the order in which it is shown.
pub const VERDICTS: [Counter; 10] = [
    Counter::SynSafe,
    Counter::SynRewritten,
    Counter::SynKeyed,
    Counter::SynWouldRewrite,
    Counter::SynRetransmit,
    Counter::SynOnLiveFlow,
    Counter::BypassTcpAuth,
    Counter::BypassOneWay,
    Counter::TableFull,
    Counter::DroppedTableFull,
];

/// Looks that are remembered: one for each column of a wide terminal.
const PAST: usize = 240;

/// The counters of the latest look and how fast they grow.
#[derive(Clone, Debug)]
pub struct Rates {
    now: [u64; Counter::COUNT],
    per_second: [f64; Counter::COUNT],
    /// Seconds between the last two looks; 0 after the first.
    pub seconds: f64,
    past: VecDeque<[u64; 3]>,
}

/// What has a past.
const SHOWN: [Counter; 3] = [
    Counter::PacketsTranslatedOut,
    Counter::PacketsTranslatedIn,
    Counter::SynSeen,
];

impl Rates {
    /// After the first look.
    #[must_use]
    pub fn new(counters: [u64; Counter::COUNT]) -> Self {
        Self {
            now: counters,
            per_second: [0.0; Counter::COUNT],
            seconds: 0.0,
            past: VecDeque::new(),
        }
    }

    /// After another look, `seconds` later. A counter that has gone back is of an instance that was attached anew.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates need no more than 52 bits"
    )]
    pub fn look(&mut self, counters: [u64; Counter::COUNT], seconds: f64) {
        for (nth, now) in counters.iter().enumerate() {
            let grown = now.checked_sub(self.now[nth]).unwrap_or(*now);
            self.per_second[nth] = grown as f64 / seconds.max(1e-3);
        }
        self.now = counters;
        self.seconds = seconds;
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        let rounded = SHOWN.map(|counter| self.per_second(counter).round() as u64);
        self.past.push_back(rounded);
    }

    /// A counter.
    #[must_use]
    pub const fn count(&self, counter: Counter) -> u64 {
        self.now[counter.index()]
    }

    /// How much a counter grows in a second.
    #[must_use]
    pub const fn per_second(&self, counter: Counter) -> f64 {
        self.per_second[counter.index()]
    }

    /// The latest rates of translated packets out (0) and in (1), and of SYNs (2): the last is the latest, at most so many.
    #[must_use]
    pub fn past(&self, which: usize, most: usize) -> Vec<u64> {
        let left_out = self.past.len().saturating_sub(most);
        self.past
            .iter()
            .skip(left_out)
            .map(|looks| looks[which])
            .collect()
    }
}

/// A rate in five characters at most: `0`, `12.5`, `950`, `12.3k`, `4.5M`.
#[must_use]
pub fn short(rate: f64) -> String {
    match rate {
        ..0.05 => "0".into(),
        ..99.95 => format!("{rate:.1}"),
        ..9_999.5 => format!("{rate:.0}"),
        ..999_950.0 => format!("{:.1}k", rate / 1e3),
        ..999.95e6 => format!("{:.1}M", rate / 1e6),
        _ => format!("{:.1}G", rate / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(out: u64) -> [u64; Counter::COUNT] {
        let mut counters = [0; Counter::COUNT];
        counters[Counter::PacketsTranslatedOut.index()] = out;
        counters
    }

    #[test]
    fn what_grows_has_a_rate_and_a_past() {
        let mut rates = Rates::new(counters(100));
        assert!(rates.past(0, 9).is_empty());
        rates.look(counters(300), 2.0);
        rates.look(counters(350), 1.0);
        assert!((rates.per_second(Counter::PacketsTranslatedOut) - 50.0).abs() < 1e-9);
        assert_eq!(rates.past(0, 9), [100, 50]);
        assert_eq!(rates.past(0, 1), [50]);
        // Attached anew.
        rates.look(counters(7), 1.0);
        assert_eq!(rates.past(0, 1), [7]);
        for _ in 0..1_000 {
            rates.look(counters(7), 1.0);
        }
        assert_eq!(rates.past(0, usize::MAX).len(), PAST);
    }

    #[test]
    fn rates_are_short() {
        let cases = [
            (0.0, "0"),
            (12.46, "12.5"),
            (950.2, "950"),
            (12_345.0, "12.3k"),
            (4_500_000.0, "4.5M"),
            (2e9, "2.0G"),
        ];
        for (rate, text) in cases {
            assert_eq!(short(rate), text);
        }
    }
}
