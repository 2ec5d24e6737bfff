//! An attacker off the path, who opens connections of their own to learn how the host counts (RFC 6528 section 1).

/// A number and when it was given, in seconds.
pub type Seen = (f64, u32);

/// A way to guess the next number from the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Strategy {
    /// The number itself again, or one that was given for the next connection before: so much further on.
    Step(u32),
    /// A clock of so many a second, and so much further on.
    Clock(f64, u32),
    /// Linear congruential, modulo 2^32: times, plus.
    Congruential(u32, u32),
}

/// Half of a window of 64 KiB: a forged segment so near is taken.
const HALF_WINDOW: u32 = 32 << 10;

impl Strategy {
    /// The guess for a connection that begins `at`.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "modulo 2^32"
    )]
    pub fn guess(self, last: Seen, at: f64) -> u32 {
        match self {
            Self::Step(step) => last.1.wrapping_add(step),
            Self::Clock(rate, step) => {
                let moved = (rate * (at - last.0)) as i64 as u32;
                last.1.wrapping_add(moved).wrapping_add(step)
            }
            Self::Congruential(times, plus) => last.1.wrapping_mul(times).wrapping_add(plus),
        }
    }

    /// Whether the guess falls into a window of 64 KiB around `number`.
    pub fn hits(self, last: Seen, (at, number): Seen) -> bool {
        let guess = self.guess(last, at);
        guess.wrapping_sub(number).wrapping_add(HALF_WINDOW) < 2 * HALF_WINDOW
    }
}

/// The best of all strategies for numbers that were given in pairs: the attacker's connection, and one more soon after it.
pub fn trained(pairs: &[(Seen, Seen)]) -> Strategy {
    let mut candidates = vec![Strategy::Step(0), Strategy::Step(median_step(pairs))];
    for rate in rates(pairs) {
        let left = |(one, two): &(Seen, Seen)| {
            let expected = Strategy::Clock(rate, 0).guess(*one, two.0);
            two.1.wrapping_sub(expected)
        };
        let mut rests: Vec<u32> = pairs.iter().map(left).collect();
        rests.sort_unstable();
        candidates.push(Strategy::Clock(rate, 0));
        candidates.push(Strategy::Clock(rate, rests[rests.len() / 2]));
    }
    candidates.extend(congruential(pairs));
    let hits = |strategy: &Strategy| {
        pairs
            .iter()
            .filter(|pair| strategy.hits(pair.0, pair.1))
            .count()
    };
    candidates
        .into_iter()
        .max_by_key(hits)
        .expect("there are two at least")
}

fn median_step(pairs: &[(Seen, Seen)]) -> u32 {
    let mut steps: Vec<i32> = pairs
        .iter()
        .map(|(one, two)| two.1.wrapping_sub(one.1).cast_signed())
        .collect();
    steps.sort_unstable();
    steps[steps.len() / 2].cast_unsigned()
}

/// Rates that a clock could have: of one pair, half way through all, and of the public ones.
fn rates(pairs: &[(Seen, Seen)]) -> Vec<f64> {
    let rate = |one: &Seen, two: &Seen| {
        f64::from(two.1.wrapping_sub(one.1).cast_signed()) / (two.0 - one.0)
    };
    let mut of_pairs: Vec<f64> = pairs.iter().map(|(one, two)| rate(one, two)).collect();
    of_pairs.sort_by(f64::total_cmp);
    let known = [1_000.0, 250_000.0, 1_000_000.0, 15_625_000.0];
    known
        .into_iter()
        .chain([of_pairs[of_pairs.len() / 2]])
        .collect()
}

/// What three numbers in a row betray: `d' = a * d` for odd differences, solved for the multiplier.
fn congruential(pairs: &[(Seen, Seen)]) -> Vec<Strategy> {
    let numbers = pairs.iter().flat_map(|(one, two)| [one.1, two.1]);
    let numbers: Vec<u32> = numbers.take(64).collect();
    let strategies = numbers.windows(3).filter_map(|three| {
        let (one, two) = (
            three[1].wrapping_sub(three[0]),
            three[2].wrapping_sub(three[1]),
        );
        let times = two.wrapping_mul(inverse(one)?);
        Some(Strategy::Congruential(
            times,
            three[1].wrapping_sub(times.wrapping_mul(three[0])),
        ))
    });
    strategies.take(4).collect()
}

/// Modulo 2^32, of odd numbers, by Newton's iteration: each step doubles the bits that are right.
fn inverse(number: u32) -> Option<u32> {
    let better = |guess: u32, _| guess.wrapping_mul(2_u32.wrapping_sub(number.wrapping_mul(guess)));
    (number % 2 == 1).then(|| (0..5).fold(number, better))
}
