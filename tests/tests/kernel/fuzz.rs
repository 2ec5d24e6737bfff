//! Random sequences of packets, plausible and damaged, through memory, XDP, TC and the reference model: all must agree on every
//! octet, counter and record, and the oracle watches every packet (S1 to S17, S21, S25).
//!
//! `ISN_FUZZ_SEED` repeats a campaign, `ISN_FUZZ_PACKETS` says how long it goes on. What failed once is kept in `tests/corpus`;
//! `cargo xtask fuzz` looks for more without end.

use std::{
    env,
    time::{Duration, Instant},
};

use isn_common::counter::Counter;
use isn_tests::{
    expected_counters::spelled,
    fuzz::{
        arena::{Arena, Look},
        campaign::{Campaign, Find, Progress, episode_seed},
        corpus,
        generate::Generator,
    },
};

/// Packets of a campaign, each through all worlds.
const PACKETS: u64 = 10_000_000;
/// A campaign that is slower than this has hung.
const LONGEST: Duration = Duration::from_mins(15);
/// Between two lines of progress.
const PERIOD: Duration = Duration::from_secs(10);
/// Episodes in which everything is compared after every packet.
const CLOSE_LOOKS: u64 = 150;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

fn seed() -> u64 {
    let seed = number("ISN_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("ISN_FUZZ_SEED={seed}");
    seed
}

#[test]
fn kept_episodes_are_the_same_in_all_worlds() {
    let mut arena = Arena::load().expect("the kernel takes the programs");
    let kept = corpus::all().expect("the corpus can be read");
    assert!(!kept.is_empty(), "the corpus is empty");
    let mut failures = Vec::new();
    for (file, episode) in kept {
        let outcome = corpus::replay(&mut arena, &episode).expect("the kernel plays it");
        failures.extend(outcome.map(|failure| format!("{}: {failure}", file.display())));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn all_worlds_agree_after_every_packet() {
    let seed = seed();
    let mut arena = Arena::load().expect("the kernel takes the programs");
    let generator = Generator::new();
    for at in 0..CLOSE_LOOKS {
        let seed = episode_seed(seed, at);
        let episode = generator.episode(seed);
        let outcome = arena
            .play(&episode, Look::AfterEveryStep)
            .expect("the kernel plays it");
        if let Err(failure) = outcome {
            panic!("episode {seed}: {failure}\n{episode}");
        }
    }
}

#[test]
fn all_worlds_agree_on_millions_of_packets() {
    let campaign = Campaign {
        seed: seed(),
        packets: number("ISN_FUZZ_PACKETS").unwrap_or(PACKETS),
        time: LONGEST,
        threads: 2,
    };
    let mut next = Instant::now() + PERIOD;
    let outcome = campaign.run(|progress| {
        if Instant::now() >= next {
            println!("{progress}");
            next += PERIOD;
        }
        true
    });
    let (progress, find) = outcome.expect("the kernel plays them");
    println!("{progress}\n{}", spelled(&progress.counted));
    if let Some(find) = find {
        panic!("{}", report(&find));
    }
    assert!(
        progress.packets >= campaign.packets,
        "{progress}: this machine is too slow for {} packets",
        campaign.packets
    );
    if campaign.packets >= PACKETS {
        assert_eq!(unreached(&progress), [""; 0], "no episode reaches these");
    }
}

fn report(find: &Find) -> String {
    let (episode, failure) = match &find.shrunk {
        Some((episode, failure)) => (episode, failure),
        None => (&find.episode, &find.failure),
    };
    format!(
        "the episode of seed {} fails: {}\nwhat it comes down to: {failure}\nkeep it in {}:\n{}",
        find.seed,
        find.failure,
        corpus::directory().display(),
        episode.annotated(&failure.verdicts)
    )
}

/// What no episode can reach: it needs two CPUs on one flow, or a host with more flows than an episode has. Samples are
/// `kernel/samples`' matter, and what is forwarded in XDP, by programs of its own, `kernel/forwarding`'s.
const OUT_OF_REACH: [Counter; 6] = [
    Counter::SamplesTaken,
    Counter::SamplesLimited,
    Counter::SamplesLost,
    Counter::DroppedContended,
    Counter::ShareExceeded,
    Counter::MemoryShareExceeded,
];

/// The counters that no packet has moved.
fn unreached(progress: &Progress) -> Vec<&'static str> {
    let is_of_forwarding = |name: &str| name.starts_with("forwarded_") || name.starts_with("left_");
    Counter::ALL
        .iter()
        .filter(|it| progress.counted[it.index()] == 0 && !OUT_OF_REACH.contains(it))
        .map(|it| it.name())
        .filter(|name| !is_of_forwarding(name))
        .collect()
}
