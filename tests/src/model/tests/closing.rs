//! FINs, resets and what forgers cannot do (S9, S21).

use super::bench::{Bench, THEIRS};
use crate::{
    model::Phase,
    packet_builder::{
        ACK, RST, host_ack, host_data, host_fin, host_rst, host_rst_ack, host_syn, peer_ack,
        peer_data, peer_fin, peer_rst, peer_rst_ack, peer_syn_ack,
    },
};

const OFFSET: u32 = 5_099_900;
const INT: u32 = 101;
const EXT: u32 = INT + OFFSET;

fn open() -> Bench {
    let mut bench = Bench::new();
    bench.incarnation(5_000_000, 998).reopened(100, 5_100_000);
    bench
}

#[test]
fn fins_are_translated_throughout_41() {
    let mut bench = open();
    bench.becomes(
        &host_fin(INT, THEIRS).payload(b"x"),
        &host_fin(EXT, THEIRS).payload(b"x"),
    );
    bench.assert_phase(Phase::Closing);
    for _ in 0..2 {
        bench.becomes(&peer_ack(THEIRS, EXT + 2), &peer_ack(THEIRS, INT + 2));
        bench.wait(80_000);
        let data = peer_data(THEIRS, EXT + 2, b"half-closed");
        bench.becomes(&data, &data.clone().acknowledging(INT + 2));
    }
    bench.assert_phase(Phase::Closing);
    bench.becomes(
        &peer_fin(THEIRS + 11, EXT + 2),
        &peer_fin(THEIRS + 11, INT + 2),
    );
    bench.assert_phase(Phase::Closed);
    bench.becomes(
        &host_ack(INT + 2, THEIRS + 12),
        &host_ack(EXT + 2, THEIRS + 12),
    );
}

#[test]
fn resets_of_the_peer_19_21_22() {
    let mut bench = Bench::new();
    bench
        .incarnation(5_000_000, 998)
        .becomes(&host_syn(100), &host_syn(5_100_000));
    bench.becomes(&peer_rst_ack(0, 5_100_001), &peer_rst_ack(0, 101));
    bench.assert_phase(Phase::Closed);

    let mut bench = open();
    bench.passes(
        &peer_rst(THEIRS).acknowledging(99),
        "pass_nothing_to_translate",
    );
    bench.assert_phase(Phase::Closed);
    bench.passes(&peer_rst_ack(THEIRS, 0), "pass_nothing_to_translate");
    let text = peer_rst_ack(THEIRS, EXT).payload(b"go away");
    bench.becomes(&text, &text.clone().acknowledging(INT));
}

#[test]
fn resets_of_the_host_21_26() {
    let mut bench = open();
    let garbage = host_rst(INT).acknowledging(0xdead_beef);
    bench.becomes(&garbage, &host_rst(EXT).acknowledging(0xdead_beef));
    bench.assert_phase(Phase::Closed);
    bench.wait(200);
    bench.becomes(&peer_ack(THEIRS, EXT), &peer_ack(THEIRS, INT));
    // Who speaks on was not reset.
    bench.becomes(
        &host_data(INT, THEIRS, b"still"),
        &host_data(EXT, THEIRS, b"still"),
    );
    bench.assert_phase(Phase::Established);
}

#[test]
fn forgers_move_nothing() {
    let mut bench = open();
    bench.wait(121);
    let before = bench.flow();
    let far = host_data(INT + 1_000_000, THEIRS, b"forged");
    bench.becomes(&far, &host_data(EXT + 1_000_000, THEIRS, b"forged"));
    bench.becomes(
        &host_rst_ack(INT.wrapping_sub(1 << 23), 1),
        &host_rst_ack(EXT.wrapping_sub(1 << 23), 1),
    );
    bench.becomes(&peer_ack(THEIRS, EXT + 500), &peer_ack(THEIRS, INT + 500));
    bench.passes(&peer_rst(THEIRS + 65_537), "pass_nothing_to_translate");
    let fin = peer_fin(THEIRS + (1 << 20) + 1, EXT);
    bench.becomes(&fin, &fin.clone().acknowledging(INT));
    let after = bench.flow();
    assert_eq!((after.high, after.edge), (before.high, before.edge));
    assert_eq!(
        (after.marks, after.peer_next),
        (before.marks, before.peer_next)
    );
    bench.passes(&peer_rst(THEIRS + 65_536), "pass_nothing_to_translate");
    bench.assert_phase(Phase::Closed);
}

#[test]
fn a_reset_while_half_open_must_acknowledge() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(100), "pass_offset_zero");
    for ack in [100, 102, 0] {
        bench.passes(&peer_rst_ack(0, ack), "pass_offset_zero");
        bench.assert_phase(Phase::HalfOpen);
    }
    bench.passes(&peer_rst(7), "pass_offset_zero");
    bench.passes(&peer_rst_ack(0, 101), "pass_offset_zero");
    bench.assert_phase(Phase::Closed);
}

#[test]
fn a_fin_is_taken_back_when_the_peer_goes_on() {
    let mut bench = open();
    let fin = peer_fin(THEIRS + 5_000, EXT);
    bench.becomes(&fin, &fin.clone().acknowledging(INT));
    bench.assert_phase(Phase::Closing);
    let data = peer_data(THEIRS + 5_000, EXT, b"not the end");
    bench.becomes(&data, &data.clone().acknowledging(INT));
    bench.assert_phase(Phase::Established);
}

#[test]
fn an_answer_that_acknowledges_nothing_sent_answers_nothing() {
    let mut bench = Bench::new();
    bench.passes(&host_syn(100), "pass_offset_zero");
    for ack in [99, 100, 102] {
        bench.passes(&peer_syn_ack(1, ack), "pass_offset_zero");
        bench.assert_phase(Phase::HalfOpen);
    }
    let early = crate::packet_builder::segment(host_syn(0).direction, RST | ACK, 0, 1);
    bench.passes(&early, "pass_offset_zero");
    bench.assert_phase(Phase::HalfOpen);
    bench.passes(&peer_syn_ack(1, 101), "pass_offset_zero");
    bench.assert_phase(Phase::Established);
}
