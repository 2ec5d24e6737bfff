//! Lines that repeat: some are written, the others counted, and the next one that is written says how many there were.

use std::{
    cell::Cell,
    collections::{HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

use super::line::Said;

/// The same line is written so often in a [`PERIOD`]; once it was more, once in each.
const OFTEN: u32 = 5;
const PERIOD: Duration = Duration::from_mins(1);
/// Lines that are told apart. More at a time do not repeat.
const LINES: usize = 256;

thread_local! {
    /// Of the line that is about to be written on this thread.
    static LEFT_OUT: Cell<u64> = const { Cell::new(0) };
}

/// How often the line that is about to be written was left out before; told once.
pub fn left_out() -> u64 {
    LEFT_OUT.take()
}

/// What was written lately.
#[derive(Debug, Default)]
pub struct Damper(Mutex<HashMap<u64, Lately>>);

#[derive(Debug)]
struct Lately {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Damper {
    /// Whether a line is to be written now, and how often it was not before.
    fn admit(&self, line: u64, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lately) = lines.get_mut(&line) {
            return lately.admit(now);
        }
        if lines.len() >= LINES {
            lines.retain(|_, lately| now.saturating_duration_since(lately.since) < PERIOD);
        }
        if lines.len() < LINES {
            let first = Lately {
                since: now,
                written: 1,
                left_out: 0,
            };
            lines.insert(line, first);
        }
        Some(0)
    }
}

impl Lately {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.saturating_duration_since(self.since) >= PERIOD {
            // One that was left out goes on being rare until it has been quiet for a period.
            self.written = if self.left_out > 0 { OFTEN } else { 1 };
            self.since = now;
            return Some(std::mem::take(&mut self.left_out));
        }
        if self.written < OFTEN {
            self.written += 1;
            return Some(0);
        }
        self.left_out += 1;
        None
    }
}

impl<S: Subscriber> Filter<S> for Damper {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        let Said { message, fields } = Said::by(event);
        let mut hasher = DefaultHasher::new();
        (event.metadata().level().as_str(), message).hash(&mut hasher);
        for (name, value) in &fields {
            (name, value.to_string()).hash(&mut hasher);
        }
        let admitted = self.admit(hasher.finish(), Instant::now());
        LEFT_OUT.set(admitted.unwrap_or(0));
        admitted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_minute_then_one_with_how_many_there_were() {
        let damper = Damper::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let admitted: Vec<_> = (0..8).map(|nth| damper.admit(1, at(nth))).collect();
        let five = [Some(0); 5];
        assert_eq!(admitted[..5], five);
        assert_eq!(admitted[5..], [None; 3]);
        assert_eq!(damper.admit(2, at(8)), Some(0), "another line");
        assert_eq!(damper.admit(1, at(61)), Some(3));
        assert_eq!(damper.admit(1, at(62)), None, "it goes on repeating");
        assert_eq!(damper.admit(1, at(200)), Some(1));
        assert_eq!(damper.admit(1, at(300)), Some(0), "it was quiet meanwhile");
        assert_eq!(damper.admit(1, at(301)), Some(0));
    }

    #[test]
    fn many_lines_are_bounded_and_none_is_lost() {
        let damper = Damper::default();
        let now = Instant::now();
        for line in 0..10 * LINES as u64 {
            assert_eq!(damper.admit(line, now), Some(0));
        }
        assert_eq!(damper.0.lock().unwrap().len(), LINES);
        let later = now + PERIOD;
        assert_eq!(damper.admit(u64::MAX, later), Some(0));
        assert_eq!(damper.0.lock().unwrap().len(), 1);
    }
}
