//! Samples of initial sequence numbers: one for each SYN that opens something, the same from memory, XDP and TC; what one host
//! may give, and what finds no room (for `isnguard hosts`).

use isn_common::{
    abi::{
        flow::Reason,
        maps::SAMPLES_SIZE,
        sample::{Flags, Sample},
    },
    flow::Address as _,
};
use isn_tests::{
    packet_builder::carrier::Network,
    test_run::{Hook, Kernel},
    two_worlds::prelude::*,
};

/// The samples that all worlds told since the last look.
fn told(flow: &mut Flow<'_>) -> Vec<Sample> {
    flow.worlds
        .samples()
        .unwrap_or_else(|error| flow.fail(format!("{error:#}")))
}

fn tells_nothing(flow: &mut Flow<'_>, why: &str) {
    let samples = told(flow);
    flow.require(samples.is_empty(), why);
}

fn sampling(flow: &mut Flow<'_>, share: u32) {
    flow.settings(|settings| settings.limits.sample_share = share);
}

/// What a sample of the carrier's flow says besides its numbers.
fn is_of_carrier(flow: &Flow<'_>, sample: &Sample) -> bool {
    let (host, peer) = match &flow.carrier.network {
        Network::V4 { host, peer, .. } => (host.mapped(), peer.mapped()),
        Network::V6 { host, peer, .. } => (*host, *peer),
    };
    let vlan = flow
        .carrier
        .key4()
        .map(|key| key.vlan)
        .or_else(|| flow.carrier.key6().map(|key| key.vlan));
    (sample.host, sample.peer) == (host, peer)
        && sample.host_port == flow.carrier.host_port.to_be_bytes()
        && sample.peer_port == flow.carrier.peer_port.to_be_bytes()
        && Some(sample.vlan) == vlan
}

#[test]
fn a_syn_becomes_one_sample() {
    play(
        &all_carriers(),
        &[
            case("S5: a first SYN is told, its repetition not", |flow| {
                sampling(flow, 100);
                flow.offer(&host_syn(1000));
                let [sample] = told(flow)[..] else {
                    flow.fail("not one sample");
                };
                flow.require(is_of_carrier(flow, &sample), format!("{sample:?}"));
                flow.require(
                    (sample.host_isn, sample.wire_isn) == (1000, 1000),
                    format!("{sample:?}"),
                );
                let flags = Flags::of_mode(Some(Mode::Monotonic))
                    .with(Flags::WANTED | Flags::KEPT)
                    .with_reason(Reason::New as u32);
                flow.require(sample.flags == flags, format!("{sample:?}"));
                flow.offer(&host_syn(1000));
                tells_nothing(flow, "a repeated SYN was told");
            }),
            case("S2: a SYN that is moved ahead", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                sampling(flow, 100);
                let frame = flow.frame(&host_syn(1000));
                let stepped = flow.offer_frame(Outbound, &frame);
                let wire = flow.sequence_in(&stepped.frame);
                let [sample] = told(flow)[..] else {
                    flow.fail("not one sample");
                };
                flow.require(
                    (sample.host_isn, sample.wire_isn) == (1000, wire),
                    format!("{sample:?}"),
                );
                flow.require(
                    sample.flags.has(Flags::MARKED | Flags::REMEMBERED)
                        && (sample.host_mark, sample.wire_mark) == (5_000_000, 5_000_000),
                    format!("{sample:?}"),
                );
            }),
            case(
                "S2: the second SYN that is moved ahead on one flow",
                |flow| {
                    let wire = flow.translated(1000);
                    flow.offer(&host_fin(1001, PEER_ISN + 1));
                    flow.offer(&peer_fin(PEER_ISN + 1, wire.wrapping_add(2)));
                    sampling(flow, 100);
                    flow.offer(&host_syn(900));
                    let [sample] = told(flow)[..] else {
                        flow.fail("not one sample");
                    };
                    let ends = (1002, wire.wrapping_add(2));
                    flow.require(
                        (sample.host_mark, sample.wire_mark) == ends,
                        format!("{sample:?}, not {ends:?}"),
                    );
                },
            ),
            case("S1: nobody takes samples", |flow| {
                sampling(flow, 0);
                flow.offer(&host_syn(1000));
                tells_nothing(flow, "a sample was told");
            }),
        ],
    );
}

#[test]
fn hosts_that_are_not_guarded_and_syn_acks() {
    play(
        &both_families(),
        &[
            case("S1: a host that is not guarded", |flow| {
                sampling(flow, 100);
                flow.policy(&policy(&[]));
                for isn in [7, 7, 8] {
                    flow.offer(&host_syn(isn));
                    let samples = told(flow);
                    let plain = |sample: &Sample| {
                        sample.flags == Flags(Flags::WANTED).with_reason(Reason::NotGuarded as u32)
                            && (sample.host_isn, sample.wire_isn) == (isn, isn)
                    };
                    flow.require(
                        samples.len() == 1 && samples.iter().all(plain),
                        format!("{samples:?}"),
                    );
                }
            }),
            case("S4: a host that is observed", |flow| {
                flow.policy(&everywhere(Mode::Observe));
                flow.closed_connection(5_000_000, 5_065_535);
                sampling(flow, 100);
                flow.offer(&host_syn(1000));
                let samples = told(flow);
                let sample = samples[0];
                flow.require(
                    sample.flags.mode() == Some(Mode::Observe) && sample.wire_isn == 1000,
                    format!("{sample:?}"),
                );
                flow.require(sample.flags.has(Flags::MARKED), format!("{sample:?}"));
            }),
            case("S1: a host that is opened to", |flow| {
                sampling(flow, 100);
                flow.offer(&peer_syn(PEER_ISN));
                tells_nothing(flow, "a peer's SYN was told");
                flow.offer(&host_syn_ack(1000, PEER_ISN + 1));
                let samples = told(flow);
                let passive = |sample: &Sample| sample.flags.has(Flags::PASSIVE);
                flow.require(
                    samples.len() == 1 && samples.iter().all(passive),
                    format!("{samples:?}"),
                );
            }),
        ],
    );
}

/// The one decision that was told since the last look.
fn decision(flow: &mut Flow<'_>) -> Sample {
    let [told] = told(flow)[..] else {
        flow.fail("not one decision");
    };
    told
}

#[test]
fn decisions_that_are_no_samples() {
    play(
        &both_families(),
        &[
            case("S18: a SYN that is dropped for want of room", |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                flow.settings(|settings| {
                    settings.on_full = 1;
                    settings.limits.max_flows = 0;
                });
                sampling(flow, 100);
                flow.offer(&host_syn(1000));
                let refused = decision(flow);
                let flags = Flags::of_mode(Some(Mode::Monotonic))
                    .with(Flags::WANTED | Flags::REMEMBERED | Flags::MARKED | Flags::REFUSED)
                    .with_reason(Reason::TableFull as u32);
                flow.require(
                    refused.flags == flags && (refused.host_isn, refused.wire_isn) == (1000, 1000),
                    format!("{refused:?}"),
                );
            }),
            case("S15: a flow that is adopted, told once", |flow| {
                let _ = flow.keyed();
                flow.adopt(600, false);
                sampling(flow, 100);
                let data = host_data(1001, PEER_ISN + 1, b"x");
                flow.offer(&data);
                let learnt = decision(flow);
                let flags = Flags::of_mode(Some(Mode::Keyed))
                    .with(Flags::WANTED | Flags::LEARNT | Flags::KEPT)
                    .with_reason(Reason::Adopted as u32);
                flow.require(
                    learnt.flags == flags && (learnt.host_isn, learnt.wire_isn) == (1001, 1001),
                    format!("{learnt:?}"),
                );
                flow.offer(&data);
                tells_nothing(flow, "it was told again");
            }),
            case("S3: a keyed flow whose entry was lost", |flow| {
                let f = flow.keyed();
                sampling(flow, 100);
                flow.offer(&host_data(1001, PEER_ISN + 1, b"x"));
                let learnt = decision(flow);
                flow.require(
                    learnt.flags.reason() == Some(Reason::Recomputed)
                        && learnt.wire_isn == 1001_u32.wrapping_add(f),
                    format!("{learnt:?}"),
                );
            }),
        ],
    );
}

#[test]
fn a_host_gives_its_share_and_no_more() {
    play(
        &both_families(),
        &[case("S17: four SYNs, a share of one", |flow| {
            sampling(flow, 1);
            let (mut told, mut limited) = (0, 0);
            for port in 1..=4 {
                flow.carrier = flow.carrier.clone().from_port(port);
                let stepped = flow.offer(&host_syn(1000));
                limited += stepped.counted[Counter::SamplesLimited.index()];
                told += self::told(flow).len() as u64;
            }
            // A step waits for a fresh tick, so the four need not lie within one second.
            flow.require(
                told + limited == 4 && limited > 0,
                format!("{told} told, {limited} limited"),
            );
        })],
    );
}

/// Room in the ring: each sample has a header of 8 octets.
const IN_RING: usize = SAMPLES_SIZE as usize / (Sample::SIZE + 8);

#[test]
fn a_full_ring_loses_the_latest_and_counts_them() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let mut kernel = Kernel::new(hook, Room::AMPLE).expect("the kernel takes the programs");
        let mut settings = default_settings();
        settings.limits.sample_share = u32::MAX;
        kernel.set(&settings).expect("settings");
        let carrier = Carrier::v4();
        let beyond = 100;
        for isn in 0..IN_RING + beyond {
            let isn = u32::try_from(isn).expect("few");
            let frame = carrier.frame(&host_syn(isn));
            assert!(kernel.run(Outbound, &frame).expect("a run").passes);
        }
        let counters = kernel.counters().expect("counters");
        let count = |counter: Counter| counters[counter.index()];
        let taken = count(Counter::SamplesTaken);
        let samples = kernel.samples().expect("a ring");
        assert_eq!(samples.len() as u64, taken, "{hook:?}");
        assert_eq!(
            taken + count(Counter::SamplesLost),
            (IN_RING + beyond) as u64,
            "{hook:?}"
        );
        // The kernel keeps a header's room free.
        assert!(samples.len() >= IN_RING - 1, "{hook:?}: {}", samples.len());
        let in_order = samples.iter().zip(0..).all(|(it, isn)| it.host_isn == isn);
        let later = samples.is_sorted_by_key(|sample| sample.at);
        assert!(in_order && later, "{hook:?}: the first ones, in order");
        let frame = carrier.frame(&host_syn(7));
        kernel.run(Outbound, &frame).expect("a run");
        assert_eq!(kernel.samples().expect("a ring").len(), 1, "room again");
    }
}
