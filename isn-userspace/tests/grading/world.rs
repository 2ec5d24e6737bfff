//! A gateway's view of one host: connections at irregular times, to many peers, 4-tuples used again.

use std::{collections::HashMap, time::Duration};

use fastrand::Rng;
use isn_generators::{Generator, Tuple};
use isnguard::grading::Sample;

/// What disturbs the view.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disturbance {
    /// Of a hundred connections, so many take another way and are not seen.
    pub unseen: u8,
    /// Of a hundred SYNs, so many come more than a connection late.
    pub swapped: u8,
    /// A restart in the middle: the generator begins anew, and the time since the start with it.
    pub restart: bool,
}

/// A 4-tuple rests for this long at least before it is used again, seconds: TIME-WAIT would refuse it sooner.
const REST: f64 = 2.0;
/// And is not used again later than this: Linux's clock of 64 ns is half way round after 137 s.
const LATEST: f64 = 120.0;
/// A connection sends at most so much: a clock of 250,000 a second is ahead of it after the rest.
const SENT: u32 = 100_000;

struct Known {
    tuple: Tuple,
    used: f64,
    end: u32,
}

/// `count` samples. Every third connection uses a 4-tuple again, where one has rested.
pub fn seen(
    make: impl Fn(u64) -> Box<dyn Generator>,
    count: usize,
    seed: u64,
    disturbance: Disturbance,
) -> Vec<Sample> {
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let mut generator = make(seed);
    let (mut known, mut samples) = (Vec::<Known>::new(), Vec::new());
    // The host has been up for a while.
    let (mut now, mut started) = (rng.f64() * 1e6, 0.0);
    while samples.len() < count {
        now += interval(&mut rng);
        if disturbance.restart && samples.len() == count / 2 && started == 0.0 {
            generator = make(seed);
            started = now;
            // What it gave out before anybody looked.
            let tuple = Tuple::numbered(0);
            for _ in 0..1000 {
                generator.next(Duration::ZERO, &tuple);
            }
        }
        let number = u32::try_from(known.len()).unwrap();
        // Those used lately are at the end.
        let near = known.len().saturating_sub(200);
        let rested = known[near..]
            .iter()
            .position(|it| (REST..LATEST).contains(&(now - it.used)))
            .map(|place| place + near)
            .filter(|_| samples.len() % 3 == 2);
        let tuple = rested.map_or_else(|| Tuple::numbered(number), |place| known[place].tuple);
        let isn = generator.next(Duration::from_secs_f64(now - started), &tuple);
        if rng.u8(..100) < disturbance.unseen {
            continue;
        }
        let mut at = now + late(&mut rng);
        if rng.u8(..100) < disturbance.swapped {
            at += 0.02;
        }
        let before = rested.map(|place| known[place].end);
        let end = isn.wrapping_add(rng.u32(2..SENT));
        if let Some(place) = rested {
            known.remove(place);
        }
        known.push(Known {
            tuple,
            used: now,
            end,
        });
        samples.push(Sample {
            at: Duration::from_secs_f64(at),
            peer: tuple.peer,
            peer_port: tuple.peer_port,
            host_port: tuple.host_port,
            isn,
            ahead: before.map(|end| isn.wrapping_sub(end).cast_signed()),
        });
    }
    samples.sort_by_key(|sample| sample.at);
    samples
}

/// `count` connections 0.1 s apart, each on a 4-tuple of its own, as nmap probes.
pub fn probed(generator: &mut dyn Generator, count: u32) -> Vec<Sample> {
    (0..count)
        .map(|number| {
            let at = Duration::from_millis(1_000_000 + 100 * u64::from(number));
            let tuple = Tuple::numbered(number);
            Sample {
                at,
                peer: tuple.peer,
                peer_port: tuple.peer_port,
                host_port: tuple.host_port,
                isn: generator.next(at, &tuple),
                ahead: None,
            }
        })
        .collect()
}

/// From 5 ms to a minute, short ones as often as long ones.
fn interval(rng: &mut Rng) -> f64 {
    0.005 * (rng.f64() * 12_000_f64.ln()).exp()
}

/// By how much a SYN comes late: a fifth of a millisecond on average.
fn late(rng: &mut Rng) -> f64 {
    -(1.0 - rng.f64()).ln() * 2e-4
}

/// How many samples follow one of the same 4-tuple without `ahead` saying so; none, if the world is right.
pub fn unnoticed_reuse(samples: &[Sample]) -> usize {
    let mut times = HashMap::new();
    samples
        .iter()
        .filter(|it| {
            let seen = times
                .entry((it.peer, it.peer_port, it.host_port))
                .or_insert(0);
            *seen += 1;
            *seen > 1 && it.ahead.is_none()
        })
        .count()
}
