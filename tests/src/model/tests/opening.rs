//! SYNs that open what was not open before (S1, S5 to S8).

use super::bench::{Bench, PEER_ISN};
use crate::{
    model::{Direction, Mode, Phase, Prefix},
    packet_builder::{
        ACK, Carrier, FIN, Network, RST, SYN, host_ack, host_syn, host_syn_ack, peer_ack, peer_syn,
        peer_syn_ack, segment,
    },
};

#[test]
fn the_first_syn_passes_and_is_remembered() {
    let mut bench = Bench::new();
    let judged = bench.passes(&host_syn(0), "pass_offset_zero");
    for event in ["syn_seen", "syn_safe", "half_open_inserted"] {
        assert_eq!(judged.expects(event), Some(1), "{event}");
    }
    assert_eq!(judged.expects("syn_rewritten"), Some(0));
    bench.assert_phase(Phase::HalfOpen);
    let again = bench.passes(&host_syn(0), "pass_offset_zero");
    assert_eq!(again.expects("syn_retransmit"), Some(1));
    assert_eq!(again.expects("half_open_inserted"), Some(0));
}

#[test]
fn nobody_else_is_remembered() {
    let mut bench = Bench::new();
    bench.passes(&host_ack(5, 6), "pass_no_flow");
    bench.passes(&peer_syn_ack(5, 6), "pass_no_flow");
    bench.passes(&segment(direction(), SYN | RST, 1, 0), "pass_no_flow");
    bench.model.given().guards[0].prefix = Prefix::V4([192, 0, 3, 0], 24);
    bench.passes(&host_syn(1), "pass_not_guarded");
    bench.passes(&peer_syn(1), "pass_no_flow");
    assert_eq!(bench.model.flows().count(), 0);
}

const fn direction() -> isn_common::flow::Direction {
    isn_common::flow::Direction::Outbound
}

#[test]
fn odd_addresses_are_ignored_68() {
    for peer in [
        [0, 1, 2, 3],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255; 4],
        crate::packet_builder::carrier::HOST4,
    ] {
        let mut carrier = Carrier::v4();
        let Network::V4 { peer: theirs, .. } = &mut carrier.network else {
            unreachable!("IPv4")
        };
        *theirs = peer;
        let mut bench = Bench::over(carrier);
        bench.passes(&host_syn(1), "pass_odd_address");
        bench.passes(&peer_syn(1), "pass_odd_address");
        assert_eq!(bench.model.flows().count(), 0, "{peer:?}");
    }
}

#[test]
fn the_longest_prefix_and_the_first_rule_decide() {
    let mut bench = Bench::new();
    let mut inner = bench.model.given().guards[0].clone();
    inner.prefix = Prefix::V4([192, 0, 2, 0], 28);
    inner.rules[0].last_port = 79;
    bench.model.given().guards.push(inner);
    bench.passes(&host_syn(1), "pass_not_guarded");
    // What the host is opened to is its own port.
    bench.carrier = bench.carrier.clone().from_port(79);
    bench.passes(&host_syn_ack(1, 2), "pass_offset_zero");
}

#[test]
fn another_isn_while_half_open_becomes_the_same_6() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(5_000), "pass_offset_zero");
    let judged = bench.becomes(&host_syn(90), &host_syn(5_000));
    assert_eq!(judged.expects("syn_rewritten"), Some(1));
    bench.never(&host_syn(80), &host_syn(80));
    // A late answer to the first.
    let judged = bench.becomes(&peer_syn_ack(1, 5_001), &peer_syn_ack(1, 91));
    assert_eq!(judged.outcome.counter(), "packets_translated_in");
    bench.becomes(&host_ack(91, 2), &host_ack(5_001, 2));
    bench.assert_phase(Phase::Established);
}

#[test]
fn another_isn_in_observe_mode_stays() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(5_000), "pass_offset_zero");
    bench.model.given().guards[0].rules[0].mode = Some(Mode::Observe);
    let judged = bench.passes(&host_syn(90), "pass_offset_zero");
    assert_eq!(judged.expects("syn_would_rewrite"), Some(1));
}

#[test]
fn simultaneous_open_8() {
    let mut bench = Bench::new();
    bench
        .incarnation(0x8000_0000, 10)
        .becomes(&host_syn(100), &host_syn(0x8002_0000));
    bench.passes(&peer_syn(900), "pass_nothing_to_translate");
    bench.becomes(&host_syn_ack(100, 901), &host_syn_ack(0x8002_0000, 901));
    bench.becomes(&peer_syn_ack(900, 0x8002_0001), &peer_syn_ack(900, 101));
    bench.assert_phase(Phase::Established);
}

#[test]
fn the_peer_opens() {
    let mut bench = Bench::new();
    let judged = bench.passes(&peer_syn(40).window_scale(7), "pass_no_flow");
    assert_eq!(judged.expects("half_open_inserted"), Some(1));
    assert_eq!(judged.expects("syn_seen"), Some(0));
    bench.assert_phase(Phase::Opening);
    bench.passes(&host_syn_ack(70, 41).window_scale(2), "pass_offset_zero");
    bench.passes(&peer_ack(41, 71).window(100), "pass_offset_zero");
    bench.assert_phase(Phase::Established);
    assert_eq!(bench.flow().edge, 71 + (100 << 7));
}

#[test]
fn a_signed_syn_is_left_alone_15() {
    for option in [&[19, 18][..], &[29, 16][..]] {
        let mut option = option.to_vec();
        option.resize(option[1].into(), 0);
        let mut bench = Bench::new();
        bench.incarnation(5_000_000, 10);
        let judged = bench.passes(&host_syn(100).raw_options(&option), "pass_offset_zero");
        assert_eq!(judged.expects("bypass_tcp_auth"), Some(1));
        let mut bench = Bench::new();
        bench.incarnation(5_000_000, 10);
        bench.passes(&peer_syn(PEER_ISN).raw_options(&option), "pass_offset_zero");
        let judged = bench.passes(&host_syn_ack(100, PEER_ISN + 1), "pass_offset_zero");
        assert_eq!(judged.expects("bypass_tcp_auth"), Some(1));
    }
}

#[test]
fn fast_open_counts_its_data_14() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(100).octets(100), "pass_offset_zero");
    assert_eq!(bench.flow().high, 201);
    bench.passes(&peer_syn_ack(1, 201), "pass_offset_zero");
    bench.assert_phase(Phase::Established);
    bench.passes(&segment(direction(), SYN | FIN, 7, 0), "pass_offset_zero");
    bench.passes(
        &segment(direction(), ACK, 101, 2).octets(100),
        "pass_offset_zero",
    );
    assert_eq!(bench.flow().high, 201);
}

#[test]
fn a_syn_on_a_live_flow_changes_nothing_10_11() {
    let mut bench = Bench::new();
    bench.incarnation(5_000_000, 10).reopened(100, 5_100_000);
    for isn in [100, 0, 77_777] {
        let ext = isn + 5_099_900;
        let judged = bench.becomes(&host_syn(isn), &host_syn(ext));
        assert_eq!(judged.expects("syn_on_live_flow"), Some(1));
        assert_eq!(judged.expects("syn_rewritten"), Some(0));
    }
    // The challenge and the exact reset (12).
    bench.becomes(&peer_ack(9, 5_100_001), &peer_ack(9, 101));
    let (came, left) = (
        crate::packet_builder::host_rst(101),
        crate::packet_builder::host_rst(5_100_001),
    );
    bench.becomes(&came, &left);
    bench.assert_phase(Phase::Closed);
    let frame = bench.carrier.frame(&came);
    assert!(bench.octets(Direction::Outbound, &frame, None).is_err());
}
