//! Whatever is seen, grading says something sound about it.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use fastrand::Rng;
use isn_common::siphash::Key;
use isn_generators::Kind;
use isnguard::grading::{
    Advice, Grade, Sample, assess,
    rewriting::{keyed, monotonic},
};
use proptest::prelude::*;

use crate::world::{Disturbance, seen};

/// Anything, with a liking for what is close together.
fn any_sample() -> impl Strategy<Value = Sample> {
    let at = prop_oneof![
        (0..100_u64).prop_map(Duration::from_nanos),
        (0..100_000_u64).prop_map(Duration::from_millis),
        any::<u64>().prop_map(Duration::from_secs),
    ];
    let isn = prop_oneof![
        any::<u32>(),
        0..4_u32,
        Just(u32::MAX),
        (0..100_u32).prop_map(|steps| steps * 64_000),
    ];
    let peer = prop_oneof![
        (0..3_u8).prop_map(|low| IpAddr::from(Ipv4Addr::new(192, 0, 2, low))),
        (0..3_u16).prop_map(|low| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, low))),
    ];
    let ahead = prop_oneof![
        Just(None),
        any::<i32>().prop_map(Some),
        Just(Some(i32::MIN))
    ];
    (at, peer, 0..3_u16, isn, ahead).prop_map(|(at, peer, peer_port, isn, ahead)| Sample {
        at,
        peer,
        peer_port,
        host_port: 80,
        isn,
        ahead,
    })
}

proptest! {
    #[test]
    fn nothing_makes_it_panic_or_contradict_itself(samples in prop::collection::vec(any_sample(), 0..60)) {
        let assessment = assess(&samples);
        prop_assert_eq!(assessment.samples, samples.len());
        prop_assert!(assessment.regressions <= assessment.same_tuple_samples);
        prop_assert!(assessment.same_tuple_samples <= samples.len());
        prop_assert_eq!(assessment.sequence.is_some(), samples.len() >= 4);
        prop_assert!(!assessment.detail.is_empty());
        prop_assert!(assessment.reason.ends_with('.'));
        if assessment.regressions > 0 {
            prop_assert_ne!(assessment.advice, Advice::Leave);
        }
        if assessment.grade <= Grade::B {
            prop_assert_eq!(assessment.advice, Advice::Leave);
        }
        let host = IpAddr::from(Ipv4Addr::LOCALHOST);
        for after in [keyed(&samples, host, Key([1, 2])), monotonic(&samples, host, Key([1, 2]))] {
            prop_assert_eq!(assess(&after).regressions, 0);
        }
    }

    /// The samples carry their times, so their order says nothing.
    #[test]
    fn order_is_irrelevant(kind in 0..12_usize, seed in any::<u64>()) {
        let samples = seen(|seed| Kind::ALL[kind].make(seed), 40, seed, Disturbance::default());
        let mut shuffled = samples.clone();
        Rng::with_seed(seed).shuffle(&mut shuffled);
        prop_assert_eq!(assess(&samples), assess(&shuffled));
    }

    /// When the capture began says nothing either, down to what a nanosecond's rounding changes.
    #[test]
    fn the_epoch_is_irrelevant(kind in 0..12_usize, seed in any::<u64>()) {
        let samples = seen(|seed| Kind::ALL[kind].make(seed), 40, seed, Disturbance::default());
        let later: Vec<Sample> = samples
            .iter()
            .map(|sample| Sample { at: sample.at + Duration::from_secs(1_790_000_000), ..*sample })
            .collect();
        prop_assert_eq!(assess(&samples), assess(&later));
    }
}
