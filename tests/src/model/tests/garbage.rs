//! Frames of chance: nothing makes the model stumble, and what it expects satisfies it.

use fastrand::Rng;

use super::bench::{Bench, THEIRS, direction};
use crate::{
    model::Judgement,
    packet_builder::{Carrier, Tcp, segment},
};

const SEED: u64 = 0x1505;

fn number(random: &mut Rng, near: u32) -> u32 {
    match random.u8(..4) {
        0 => random.u32(..),
        1 => 0,
        _ => near.wrapping_add(random.u32(..200)).wrapping_sub(100),
    }
}

fn any_segment(random: &mut Rng) -> Tcp {
    let way = *random
        .choice(&[
            isn_common::flow::Direction::Outbound,
            isn_common::flow::Direction::Inbound,
        ])
        .expect("two");
    let flags = if random.u8(..3) == 0 {
        random.u8(..)
    } else {
        0x10
    };
    let near = *random
        .choice(&[101, 5_100_001, THEIRS, 5_001_000])
        .expect("four");
    let mut tcp = segment(way, flags, number(random, near), number(random, near));
    if random.bool() {
        tcp = tcp.timestamps(random.u32(..), random.u32(..));
    }
    if random.bool() {
        tcp = tcp
            .nops(random.usize(..4))
            .sack(&[(random.u32(..), random.u32(..))]);
    }
    tcp.octets(random.usize(..30))
}

fn mutated(random: &mut Rng, frame: &mut Vec<u8>) {
    if random.u8(..3) == 0 {
        for _ in 0..random.u8(1..4) {
            let at = random.usize(..frame.len());
            frame[at] = random.u8(..);
        }
    }
    if random.u8(..20) == 0 {
        frame.truncate(random.usize(1..=frame.len()));
    }
}

/// Shows the model one packet that passed, and if that was wrong, once more what it says should have left.
fn show(bench: &mut Bench, tcp: &Tcp, frame: &[u8]) -> Option<Judgement> {
    let before = bench.model.clone();
    let disagreement = match bench.octets(direction(tcp), frame, Some(frame)) {
        Ok(judgement) => return Some(judgement),
        Err(disagreement) => disagreement,
    };
    bench.model = before;
    if !disagreement.remark.is_empty() {
        return None;
    }
    let left = disagreement.expected.as_deref();
    match bench.octets(direction(tcp), frame, left) {
        Ok(judgement) => Some(judgement),
        Err(second) => panic!("{disagreement}\n{second}"),
    }
}

#[test]
fn nothing_makes_it_stumble() {
    let mut random = Rng::with_seed(SEED);
    let mut outcomes = std::collections::BTreeMap::new();
    for round in 0..100 {
        let mut bench = Bench::over(if round % 2 == 0 {
            Carrier::v4()
        } else {
            Carrier::v6()
        });
        bench.incarnation(5_000_000, 998).reopened(100, 5_100_000);
        for _ in 0..200 {
            let tcp = any_segment(&mut random);
            let mut frame = bench.carrier.frame(&tcp);
            mutated(&mut random, &mut frame);
            if let Some(judgement) = show(&mut bench, &tcp, &frame) {
                *outcomes.entry(judgement.outcome.counter()).or_insert(0) += 1;
            }
        }
    }
    for outcome in [
        "packets_translated_out",
        "packets_translated_in",
        "pass_bad_header",
    ] {
        assert!(outcomes[outcome] > 100, "seed {SEED:#x}: {outcomes:?}");
    }
}
