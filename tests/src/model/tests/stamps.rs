//! Timestamps that would run backwards (RFC 7323 section 5).

use super::bench::{Bench, PEER_ISN};
use crate::{
    model::{Mode, Phase},
    packet_builder::{
        Tcp, host_ack, host_fin, host_rst, host_syn, peer_ack, peer_fin, peer_rst_ack, peer_syn_ack,
    },
};

const ISN: u32 = 5_000_000;
const LATEST: u32 = 900_000;

/// An incarnation with timestamps that ended with FINs; its last `TSval` is [`LATEST`].
fn ended() -> Bench {
    let mut bench = Bench::new();
    let zero = "pass_offset_zero";
    bench.passes(&host_syn(ISN).timestamps(LATEST - 9, 0), zero);
    bench.passes(
        &peer_syn_ack(PEER_ISN, ISN + 1).timestamps(3, LATEST - 9),
        zero,
    );
    bench.passes(
        &host_ack(ISN + 1, PEER_ISN + 1).timestamps(LATEST - 5, 3),
        zero,
    );
    assert_eq!(bench.flow().latest_stamp, Some(LATEST - 9));
    bench.passes(
        &host_fin(ISN + 1, PEER_ISN + 1).timestamps(LATEST - 1, 3),
        zero,
    );
    bench.passes(
        &peer_fin(PEER_ISN + 1, ISN + 2).timestamps(4, LATEST - 1),
        zero,
    );
    bench.passes(&host_ack(ISN + 2, PEER_ISN + 2).timestamps(LATEST, 4), zero);
    assert_eq!(bench.flow().latest_stamp, Some(LATEST));
    bench
}

fn syn(isn: u32, stamp: u32) -> Tcp {
    host_syn(isn).timestamps(stamp, 0)
}

#[test]
fn a_regressed_timestamp_is_repaired_by_itself() {
    let safe = ISN + 100_000;
    for wrong in [10, LATEST, LATEST + 65_537] {
        ended().never(&syn(safe, 10), &syn(safe, wrong));
    }
    for jump in [1, 65_536] {
        let mut bench = ended();
        bench.becomes(&syn(safe, 10), &syn(safe, LATEST + jump));
        let offset = LATEST + jump - 10;
        assert_eq!(bench.flow().translation.stamp, offset);
        assert_eq!(bench.flow().translation.sequence, 0);
        let echo = |value| peer_syn_ack(1, safe + 1).timestamps(8, value);
        let judged = bench.becomes(&echo(offset + 10), &echo(10));
        assert_eq!(judged.outcome.counter(), "packets_translated_in");
        bench.passes(&echo(0), "pass_nothing_to_translate");
        bench.passes(&host_ack(safe + 1, 2), "pass_nothing_to_translate");
        let own = |value| host_ack(safe + 1, 2).nops(1).timestamps(value, 8);
        bench.becomes(&own(0), &own(offset));
        // In every option, at any place.
        let two = |one, other| {
            host_ack(safe + 1, 2)
                .timestamps(one, 1)
                .nops(1)
                .timestamps(other, 1)
        };
        bench.becomes(&two(1, 2), &two(1 + offset, 2 + offset));
    }
}

#[test]
fn both_may_be_moved() {
    let mut bench = ended();
    bench.becomes(&syn(1, 10), &syn(ISN + 100_000, LATEST + 7));
    assert_eq!(bench.flow().translation.stamp, LATEST - 3);
    bench.assert_phase(Phase::HalfOpen);
    // Another ISN and a newer TSval: the offset of the timestamps stays.
    bench.becomes(&syn(2, 12), &syn(ISN + 100_000, LATEST + 9));
    // An older one becomes the latest.
    bench.becomes(&syn(3, 1), &syn(ISN + 100_000, LATEST + 9));
}

#[test]
fn what_has_not_regressed_or_may_not_be_changed_stays() {
    let safe = ISN + 100_000;
    for stamp in [LATEST, LATEST + 1] {
        ended().passes(&syn(safe, stamp), "pass_offset_zero");
    }
    let mut bench = ended();
    bench.model.given().draining = true;
    bench.passes(&syn(safe, 10), "pass_offset_zero");
    let mut bench = ended();
    bench.model.given().guards[0].rules[0].mode = Some(Mode::Observe);
    bench.passes(&syn(safe, 10), "pass_offset_zero");
    let mut bench = ended();
    bench.model.given().room = 0;
    let judged = bench.passes(&syn(1, 10), "pass_offset_zero");
    assert_eq!(judged.expects("table_full"), Some(1));
}

#[test]
fn after_a_reset_no_peer_waits() {
    let mut bench = Bench::new();
    let zero = "pass_offset_zero";
    bench.passes(&syn(ISN, LATEST), zero);
    bench.passes(&peer_syn_ack(PEER_ISN, ISN + 1).timestamps(3, LATEST), zero);
    bench.passes(&host_rst(ISN + 1), zero);
    bench.assert_phase(Phase::Closed);
    bench.passes(&syn(ISN + 100_000, 10), zero);
    let mut bench = Bench::new();
    bench.passes(&syn(ISN, LATEST), zero);
    bench.passes(&peer_rst_ack(0, ISN + 1), zero);
    bench.passes(&syn(ISN + 10, 10), zero);
    bench.passes(&peer_ack(1, 2), zero);
}
