//! What keyed and monotonic mode make of every generator.

use std::{net::IpAddr, time::Duration};

use isn_common::siphash::Key;
use isn_generators::{Kind, Tuple};
use isnguard::grading::{
    Advice, Class, Sample, assess,
    rewriting::{keyed, monotonic},
};

use crate::world::{Disturbance, probed, seen};

const SECRET: Key = Key([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);

fn host() -> IpAddr {
    Tuple::numbered(0).host
}

fn secret(seed: u64) -> Key {
    Key([SECRET.0[0] ^ seed, SECRET.0[1]])
}

/// nmap's index of 50 probes, 0.1 s apart; of 6 as nmap sends them, its deviation varies more.
#[test]
fn s3_keyed_mode_makes_every_generator_hard_to_guess() {
    println!(
        "difficulty before and after, 50 probes: lowest of 100 hosts; of 6 probes: below 250 after, of 100"
    );
    for kind in Kind::ALL {
        let (mut before, mut after, mut few) = (u32::MAX, u32::MAX, 0);
        for seed in 0..100 {
            let samples = probed(&mut *kind.make(seed), 50);
            let rewritten = keyed(&samples, host(), secret(seed));
            let difficulty = |samples: &[Sample]| assess(samples).sequence.unwrap().difficulty;
            before = before.min(difficulty(&samples));
            after = after.min(difficulty(&rewritten));
            few += u32::from(difficulty(&rewritten[..6]) < 250);
            let assessment = assess(&rewritten);
            assert_eq!(
                assessment.class,
                Class::Strong,
                "{} {seed}: {assessment:?}",
                kind.name()
            );
        }
        println!("{:<18}{before:>5}{after:>5}{few:>5}", kind.name());
        assert!(after >= 250, "{}: {after}", kind.name());
    }
}

/// What a constant host shows behind keyed mode where 4-tuples come again after all memory: on each, its own number.
#[test]
fn s3_a_number_that_comes_again_on_its_own_4_tuple_tells_strangers_nothing() {
    let once = keyed(&probed(&mut *Kind::Constant.make(1), 40), host(), SECRET);
    let pause = Duration::from_mins(5);
    let thrice: Vec<Sample> = (0..3)
        .flat_map(|round| {
            once.iter().map(move |sample| Sample {
                at: sample.at + pause * round,
                ..*sample
            })
        })
        .collect();
    let assessment = assess(&thrice);
    assert_eq!(assessment.class, Class::Strong, "{assessment:?}");
    assert!(
        assessment.sequence.unwrap().difficulty >= 250,
        "{assessment:?}"
    );
}

#[test]
fn s2_no_mode_leaves_a_regression_on_a_4_tuple() {
    let mut repaired = 0;
    for kind in Kind::ALL {
        for seed in 0..50 {
            let samples = seen(|seed| kind.make(seed), 200, seed, Disturbance::default());
            repaired += assess(&samples).regressions;
            let by_key = keyed(&samples, host(), secret(seed));
            for rewritten in [&by_key, &monotonic(&samples, host(), secret(seed))] {
                let assessment = assess(rewritten);
                assert_eq!(assessment.regressions, 0, "{} {seed}", kind.name());
                assert_eq!(
                    assessment.same_tuple_samples,
                    assess(&samples).same_tuple_samples
                );
            }
            let assessment = assess(&by_key);
            assert_eq!(
                assessment.advice,
                Advice::Leave,
                "{} {seed}: {assessment:?}",
                kind.name()
            );
        }
    }
    assert!(repaired > 1000, "{repaired}");
}

#[test]
fn s2_monotonic_mode_touches_only_what_regresses() {
    for kind in [Kind::PureRandom, Kind::Regressing, Kind::Rfc6528] {
        let samples = seen(|seed| kind.make(seed), 200, 1, Disturbance::default());
        let after = monotonic(&samples, host(), SECRET);
        let mut moved = std::collections::HashSet::new();
        for (before, after) in samples.iter().zip(&after) {
            let tuple = (before.peer, before.peer_port, before.host_port);
            if before.ahead.is_some_and(|ahead| ahead <= 0) {
                moved.insert(tuple);
            }
            assert!(
                before.isn == after.isn || moved.contains(&tuple),
                "{}",
                kind.name()
            );
        }
        if kind == Kind::Rfc6528 {
            assert_eq!(samples, after);
        }
    }
}

/// RFC 6528 section 3: a clock plus F. On one 4-tuple the clock still shows, between them nothing does.
#[test]
fn s3_a_clock_behind_keyed_mode_is_rfc_6528() {
    let samples = seen(
        |seed| Kind::Clock250K.make(seed),
        200,
        9,
        Disturbance::default(),
    );
    let after = keyed(&samples, host(), SECRET);
    for (earlier, later) in pairs_of_one_tuple(&samples) {
        let growth = samples[later].isn.wrapping_sub(samples[earlier].isn);
        assert_eq!(after[later].isn.wrapping_sub(after[earlier].isn), growth);
    }
    assert_eq!(assess(&after).class, Class::Strong);
}

fn pairs_of_one_tuple(samples: &[Sample]) -> Vec<(usize, usize)> {
    let tuple = |it: &Sample| (it.peer, it.peer_port, it.host_port);
    let before = |place: usize| {
        samples[..place]
            .iter()
            .rposition(|it| tuple(it) == tuple(&samples[place]))
    };
    let pairs: Vec<_> = (0..samples.len())
        .filter_map(|it| Some((before(it)?, it)))
        .collect();
    assert!(pairs.len() > 20, "{}", pairs.len());
    pairs
}
