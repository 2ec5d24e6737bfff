//! SYNs on a flow whose incarnation ended (S2, S4, S7, S8, S18).

use super::bench::{Bench, PEER_ISN};
use crate::{
    model::{Direction, Mode, Phase},
    packet_builder::{
        Carrier, host_ack, host_fin, host_rst_ack, host_syn, host_syn_ack, peer_syn, peer_syn_ack,
    },
};

/// High-water mark and right edge after an incarnation from 5,000,000 with 998 octets.
const HIGH: u32 = 5_001_000;
const EDGE: u32 = HIGH + 65_535;

fn ended() -> Bench {
    let mut bench = Bench::new();
    bench.incarnation(5_000_000, 998);
    assert_eq!((bench.flow().high, bench.flow().edge), (HIGH, EDGE));
    bench
}

#[test]
fn an_unsafe_isn_is_moved_beyond_the_edge_1_3() {
    for isn in [
        1_000,
        0,
        HIGH,
        HIGH - 1,
        HIGH + 1,
        EDGE,
        HIGH.wrapping_add(1 << 31),
    ] {
        let mut bench = ended();
        for wrong in [isn, EDGE, HIGH, EDGE + (1 << 30) + 1, 0, HIGH + (1 << 31)] {
            bench.never(&host_syn(isn), &host_syn(wrong));
        }
        let judged = bench.becomes(&host_syn(isn), &host_syn(EDGE + 1));
        assert_eq!(judged.outcome.counter(), "packets_translated_out");
        assert_eq!(judged.expects("syn_rewritten"), Some(1));
        // The retransmission (4), with other options (5).
        bench.wait(60);
        bench.never(&host_syn(isn), &host_syn(EDGE + 2));
        let judged = bench.becomes(
            &host_syn(isn).window_scale(3),
            &host_syn(EDGE + 1).window_scale(3),
        );
        assert_eq!(judged.expects("syn_retransmit"), Some(1));
        ended().becomes(&host_syn(isn), &host_syn(EDGE + (1 << 30)));
    }
}

#[test]
fn a_safe_isn_stays_2() {
    for isn in [EDGE + 1, HIGH + (1 << 31) - 1] {
        let mut bench = ended();
        bench.never(&host_syn(isn), &host_syn(isn + 1));
        let judged = bench.passes(&host_syn(isn), "pass_offset_zero");
        assert_eq!(judged.expects("syn_safe"), Some(1));
        assert_eq!(bench.flow().previous, None);
    }
}

#[test]
fn a_constant_isn_9() {
    for isn in [0, u32::MAX, 5] {
        let mut bench = Bench::new();
        bench.incarnation(isn, 10);
        let high = isn.wrapping_add(12);
        bench.reopened(isn, high.wrapping_add(100_000));
        assert_eq!(bench.flow().translation.sequence, 100_012);
    }
}

#[test]
fn the_memory_ends_at_the_horizon_43() {
    let mut bench = ended();
    bench.wait(239);
    bench.never(&host_syn(1), &host_syn(1));
    let mut bench = ended();
    bench.wait(241);
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("syn_safe"), Some(1));
}

#[test]
fn an_idle_translated_flow_is_never_forgotten_44() {
    let mut bench = ended();
    bench.reopened(100, 5_100_000).wait(90_000);
    bench.becomes(&host_syn(7), &host_syn(5_099_907));
    bench.becomes(&host_ack(101, 3), &host_ack(5_100_001, 3));
}

#[test]
fn observed_or_draining_nothing_changes() {
    let mut bench = ended();
    bench.model.given().draining = true;
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("syn_would_rewrite"), Some(1));
    let mut bench = ended();
    bench.model.given().guards[0].rules[0].mode = Some(Mode::Observe);
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("syn_would_rewrite"), Some(1));
}

#[test]
fn without_room_it_passes_or_is_refused_46() {
    let mut bench = ended();
    bench.model.given().room = 0;
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("table_full"), Some(1));
    assert_eq!(bench.flow().host_isn, 1);
    let mut bench = ended();
    (bench.model.given().room, bench.model.given().drop_when_full) = (0, true);
    let before = bench.flow();
    let frame = bench.carrier.frame(&host_syn(1));
    let judged = bench
        .octets(Direction::Outbound, &frame, None)
        .expect("dropped");
    assert!(judged.permits("dropped_table_full"));
    assert_eq!(bench.flow(), before);
    // The other family has room of its own, and what has a place keeps it.
    bench.model.given().room = 1;
    bench.reopened(1, 5_100_000);
    let other = Bench::over(Carrier::v6()).carrier;
    bench.carrier = other;
    bench.passes(&host_syn(9), "pass_offset_zero");
    bench.becomes(&host_syn(8), &host_syn(9));
}

#[test]
fn after_one_direction_only_nothing_is_made_18() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(5_000_000), "pass_offset_zero");
    bench.passes(&host_ack(5_000_001, 3), "pass_offset_zero");
    bench.assert_phase(Phase::Established);
    bench.passes(&host_fin(5_000_001, 3), "pass_offset_zero");
    bench.assert_phase(Phase::Closed);
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("bypass_one_way"), Some(1));
}

#[test]
fn the_peer_opens_again() {
    let mut bench = ended();
    bench.passes(&peer_syn(PEER_ISN + 50_000), "pass_offset_zero");
    bench.assert_phase(Phase::Closed);
    let judged = bench.becomes(
        &host_syn_ack(77, PEER_ISN + 50_001),
        &host_syn_ack(EDGE + 9, PEER_ISN + 50_001),
    );
    assert_eq!(judged.expects("syn_rewritten"), Some(1));
    assert!(bench.flow().marks.passive && bench.flow().marks.peer_seen);
    bench.assert_phase(Phase::HalfOpen);
}

#[test]
fn a_closed_port_answers_with_number_0_20() {
    let mut bench = ended();
    bench.reopened(100, 5_100_000);
    let (int, ext) = (101, 5_100_001);
    bench.becomes(&host_fin(int, 3), &host_fin(ext, 3));
    bench.becomes(
        &crate::packet_builder::peer_fin(super::bench::THEIRS, ext + 1),
        &crate::packet_builder::peer_fin(super::bench::THEIRS, int + 1),
    );
    bench.assert_phase(Phase::Closed);
    let before = bench.flow();
    bench.passes(&host_rst_ack(0, 5), "pass_closed_port");
    assert_eq!(bench.flow(), before);
    // A live flow whose high-water mark is number 0 really has that number.
    let mut bench = ended();
    bench.reopened(u32::MAX, 5_100_000);
    bench.becomes(&host_rst_ack(0, 5), &host_rst_ack(5_100_001, 5));
    bench.assert_phase(Phase::Closed);
}

#[test]
fn an_exempt_host_keeps_what_is_open_84() {
    let mut bench = ended();
    bench.reopened(100, 5_100_000);
    bench.model.given().guards.clear();
    bench.becomes(&host_ack(101, 3), &host_ack(5_100_001, 3));
    bench.becomes(&host_syn(100), &host_syn(5_100_000));
    let mut bench = ended();
    bench.model.given().guards.clear();
    bench.passes(&host_syn(1), "pass_not_guarded");
    bench.passes(&peer_syn_ack(3, 2), "pass_offset_zero");
}
