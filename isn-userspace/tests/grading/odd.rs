//! What a gateway meets besides one well-behaved generator: too little, too much at once, and known weak ones in disguise.

use std::time::Duration;

use isn_generators::{Congruential, Generator, Kind, Tuple};
use isnguard::grading::{Advice, Class, ENOUGH, Grade, Sample, assess};

use crate::world::{Disturbance, probed, seen};

/// A generator that is given as a function of its number and the time.
struct By<F>(u32, F);

impl<F: FnMut(u32, Duration) -> u32 + Send> Generator for By<F> {
    fn next(&mut self, at: Duration, _: &Tuple) -> u32 {
        self.0 += 1;
        self.1(self.0, at)
    }
}

fn by(make: impl Fn(u32, Duration) -> u32 + Send + Copy + 'static, count: usize) -> Vec<Sample> {
    seen(|_| Box::new(By(0, make)), count, 5, Disturbance::default())
}

#[test]
fn too_few_samples_are_unknown_and_it_is_said_how_many_are_missing() {
    for kind in [Kind::Rule64K, Kind::Clock250K, Kind::PureRandom] {
        for size in 0..ENOUGH {
            let samples = seen(|seed| kind.make(seed), size, 1, Disturbance::default());
            let assessment = assess(&samples);
            assert_eq!(
                (assessment.class, assessment.grade),
                (Class::Unknown, Grade::Unknown)
            );
            let missing = format!("{} ", ENOUGH - size);
            assert!(
                assessment.detail.contains(&missing),
                "{}",
                assessment.detail
            );
            assert_eq!(assessment.sequence.is_some(), size >= 4);
        }
    }
}

#[test]
fn a_constant_shows_after_four() {
    let samples = seen(
        |seed| Kind::Constant.make(seed),
        5,
        1,
        Disturbance::default(),
    );
    assert_eq!(assess(&samples).class, Class::Constant);
}

#[test]
fn one_moment_does_not_tell_a_slow_clock_from_a_constant() {
    let mut samples = probed(&mut *Kind::Constant.make(1), 20);
    for sample in &mut samples {
        sample.at = Duration::from_secs(1);
    }
    assert_eq!(assess(&samples).class, Class::Unknown);
}

/// Within one 4-tuple a generator after RFC 6528 is a clock, which strangers do not see.
#[test]
fn one_4_tuple_alone_does_not_make_a_good_generator_a_clock() {
    for seed in 0..20 {
        let mut generator = Kind::Rfc6528.make(seed);
        let mut samples = probed(&mut *Kind::Constant.make(1), 40);
        for (place, sample) in samples.iter_mut().enumerate() {
            // Two 4-tuples by turns, and long stretches of one.
            let number = u32::from(place % 7 == 0 && seed % 2 == 0);
            let tuple = Tuple::numbered(number);
            (sample.peer, sample.peer_port) = (tuple.peer, tuple.peer_port);
            sample.isn = generator.next(sample.at, &tuple);
            sample.ahead = (place > 8).then_some(1000);
        }
        let assessment = assess(&samples);
        let class = assessment.class;
        assert!(
            matches!(class, Class::Unknown | Class::Strong),
            "{seed}: {assessment:?}"
        );
        assert_eq!(assessment.advice, Advice::Leave, "{seed}: {assessment:?}");
    }
}

#[test]
fn two_machines_behind_one_address_do_not_pass_for_strong() {
    let kinds = [
        Kind::Rule64K,
        Kind::Clock250K,
        Kind::RandomIncrement,
        Kind::I800,
    ];
    let mut strong = Vec::new();
    for one in kinds {
        for other in kinds.into_iter().chain([Kind::PureRandom, Kind::Rfc6528]) {
            for seed in 0..10 {
                let mut samples = seen(|seed| one.make(seed), 50, seed, Disturbance::default());
                let second = seen(
                    |seed| other.make(seed),
                    50,
                    seed + 99,
                    Disturbance::default(),
                );
                let shift = samples[0].at.as_secs_f64() - second[0].at.as_secs_f64();
                samples.extend(second.into_iter().map(|sample| Sample {
                    at: Duration::from_secs_f64(sample.at.as_secs_f64() + shift + 0.01),
                    peer_port: sample.peer_port ^ 0x1000,
                    ..sample
                }));
                let assessment = assess(&samples);
                if assessment.advice != Advice::Keyed {
                    strong.push(format!(
                        "{} and {} {seed}: {assessment:?}",
                        one.name(),
                        other.name()
                    ));
                }
            }
        }
    }
    println!("{strong:#?}");
    // Long gaps hide a counter among random numbers: 240 mixtures.
    assert!(strong.len() <= 12, "{} of 240", strong.len());
}

#[test]
fn a_number_that_comes_again_after_every_restart_is_constant() {
    let assessment = assess(&by(
        |number, _| [7, 0x8000_0000, 99][number as usize % 3],
        30,
    ));
    assert_eq!(assessment.class, Class::Constant, "{assessment:?}");
    // Counts up from the same number after each of the restarts: still a step.
    let assessment = assess(&by(|number, _| 1 + 64_000 * (number % 12), 60));
    assert_eq!(assessment.class, Class::FixedStep, "{assessment:?}");
    assert_eq!(assessment.sequence.unwrap().gcd, 64_000);
}

#[test]
fn a_step_of_one_is_a_step() {
    let assessment = assess(&by(|number, _| number.wrapping_sub(11), 20));
    assert_eq!(
        (assessment.class, assessment.grade),
        (Class::FixedStep, Grade::F),
        "{assessment:?}"
    );
}

#[test]
fn known_congruential_generators_are_found_in_their_disguises() {
    let minstd = |mut state: u64| {
        Box::new(By(0, move |_, _| {
            state = state * 48_271 % 0x7fff_ffff;
            u32::try_from(state).unwrap()
        })) as Box<dyn Generator>
    };
    let shifted = |seed: u64| {
        let mut state = Congruential::new(seed);
        Box::new(By(0, move |_, at| state.next(at, &Tuple::numbered(0)) << 1)) as Box<dyn Generator>
    };
    let upper = |mut state: u64| {
        Box::new(By(0, move |_, _| {
            state = state.wrapping_mul(0x5_deec_e66d).wrapping_add(11) % (1 << 48);
            u32::try_from(state >> 16).unwrap()
        })) as Box<dyn Generator>
    };
    // Those modulo a power of two whose output is doubled.
    let binary: Vec<u64> = (0..100).filter(|seed| is_binary(*seed)).take(5).collect();
    for (seed, doubled) in (1..).zip(binary) {
        let of = |make: &dyn Fn(u64) -> Box<dyn Generator>, seed| {
            let lost = Disturbance {
                unseen: 5,
                ..Disturbance::default()
            };
            assess(&seen(make, 30, seed, lost))
        };
        for assessment in [of(&minstd, seed), of(&upper, seed), of(&shifted, doubled)] {
            assert!(
                assessment.detail.starts_with("linear congruential"),
                "{assessment:?}"
            );
            assert_eq!(assessment.class, Class::Regressing);
            assert_eq!(
                (assessment.grade, assessment.advice),
                (Grade::F, Advice::Keyed)
            );
            assert_eq!(assessment.sequence.unwrap().difficulty, 0);
        }
    }
}

fn is_binary(seed: u64) -> bool {
    let samples = seen(
        |seed| Box::new(Congruential::new(seed)),
        20,
        seed,
        Disturbance::default(),
    );
    assess(&samples).detail.contains("modulo 2^3") && !assess(&samples).detail.contains("2^31 - 1")
}

/// The clock is refined from near samples, so that a pause of hours, many turns of the number space long, does not hide it.
#[test]
fn clocks_are_found_over_pauses_of_many_wraps() {
    for kind in [Kind::SlowClock, Kind::Clock250K, Kind::Clock64Ns] {
        for seed in 0..50 {
            let mut clock = kind.make(seed);
            let mut samples = probed(&mut *Kind::Constant.make(1), 30);
            for (place, sample) in samples.iter_mut().enumerate() {
                let session = place as u64 / 6;
                let within = [0, 31, 500, 7_003, 60_000, 300_007][place % 6];
                sample.at = Duration::from_millis(session * 5_000_000 + within + seed);
                sample.isn = clock.next(sample.at, &Tuple::numbered(0));
            }
            let assessment = assess(&samples);
            assert_eq!(
                assessment.class,
                Class::Clock,
                "{} {seed}: {assessment:?}",
                kind.name()
            );
        }
    }
}
