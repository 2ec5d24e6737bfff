//! How segments move an incarnation on, and which ones must not (S21).

use std::sync::atomic::AtomicU64;

use isn_common::{
    abi::flow::{Control, Flow, Phase, Record, pack},
    connection::{inbound, outbound, peer_syn, remember_stamp},
    segment::Segment,
    tcp::{flags::Flags, options::SynOptions, seq::Seq},
    tick::Tick,
};

const NOW: Tick = Tick(500);
const ACK: u8 = Flags::ACK;
const HALF_OPEN: u32 = Control::HOST_SYN;
const ESTABLISHED: u32 = HALF_OPEN | Control::ANSWERED | Control::PEER_SEEN;

/// Wire ISN 999 by an offset of 900; 9,000 octets sent; a window of 1,000; the peer stands at 50,000.
fn flow(control: u32) -> Flow<AtomicU64> {
    let high_water = if control & Control::ANSWERED == 0 {
        1_000
    } else {
        10_000
    };
    Flow {
        identity: AtomicU64::new(pack(900, 99)),
        sent: AtomicU64::new(pack(high_water, 1)),
        received: AtomicU64::new(pack(high_water + 1_000, 50_000)),
        stamps: AtomicU64::new(0),
        life: AtomicU64::new(pack(control, NOW.0)),
    }
}

/// A segment with its numbers as they stand in the frame.
fn segment(flags: u8, sequence: u32, acknowledgment: u32, window: u16, data: u32) -> Segment {
    Segment {
        at: 34,
        payload_at: 54,
        payload_length: data,
        is_whole: true,
        sequence: Seq(sequence),
        acknowledgment: Seq(acknowledgment),
        flags: Flags(flags),
        window,
        source_port: 1,
        destination_port: 2,
    }
}

fn after_outbound(control: u32, segment: &Segment) -> Record {
    let flow = flow(control);
    outbound(&flow, &flow.record(), segment, NOW);
    flow.record()
}

fn after_inbound(control: u32, segment: &Segment) -> Record {
    let flow = flow(control);
    inbound(&flow, &flow.record(), segment, NOW);
    flow.record()
}

#[test]
fn the_mark_follows_data_within_the_window() {
    let record = after_outbound(ESTABLISHED, &segment(ACK, 9_100, 50_000, 0, 500));
    assert_eq!(record.high_water(), Seq(10_500));
    assert_eq!(record.opened(), Tick(1), "the tick beside it stays");
}

#[test]
fn a_zero_window_probe_may_stand_one_octet_beyond_the_edge() {
    let record = after_outbound(ESTABLISHED, &segment(ACK, 10_100, 50_000, 0, 1));
    assert_eq!(record.high_water(), Seq(11_001));
}

#[test]
fn s21_a_forged_far_ahead_segment_moves_nothing() {
    for flags in [ACK, ACK | Flags::FIN, Flags::RST, Flags::RST | ACK] {
        for sequence in [10_103, 1 << 30, 3 << 30] {
            let record = after_outbound(ESTABLISHED, &segment(flags, sequence, 50_000, 0, 10));
            assert_eq!(record.high_water(), Seq(10_000), "{flags:#x} at {sequence}");
            assert_eq!(
                record.control().phase(),
                Phase::Established,
                "{flags:#x} at {sequence}"
            );
        }
    }
}

#[test]
fn retransmissions_and_keepalives_move_nothing_back() {
    for (sequence, data) in [(9_099, 0), (9_099, 1), (5_000, 1_460)] {
        let record = after_outbound(ESTABLISHED, &segment(ACK, sequence, 50_000, 0, data));
        assert_eq!(record.high_water(), Seq(10_000));
        assert_eq!(record.control().phase(), Phase::Established);
    }
}

#[test]
fn the_right_edge_follows_the_scaled_window_and_never_retreats() {
    let scaled = Control(ESTABLISHED | Control::HOST_SCALES).with_peer_scale(&SynOptions {
        scales: true,
        shift: 3,
        authenticated: false,
        ..SynOptions::default()
    });
    let record = after_inbound(scaled.0, &segment(ACK, 50_000, 9_000, 1_000, 0));
    assert_eq!(record.right_edge(), Seq(17_000));
    let record = after_inbound(scaled.0, &segment(ACK, 50_000, 10_000, 0, 0));
    assert_eq!(record.right_edge(), Seq(11_000));
}

#[test]
fn a_window_is_scaled_only_if_both_sides_offered_to() {
    let one_sided = Control(ESTABLISHED).with_peer_scale(&SynOptions {
        scales: true,
        shift: 3,
        authenticated: false,
        ..SynOptions::default()
    });
    let record = after_inbound(one_sided.0, &segment(ACK, 50_000, 9_000, 3_000, 0));
    assert_eq!(record.right_edge(), Seq(12_000));
}

#[test]
fn s21_an_acknowledgment_of_data_never_sent_moves_nothing() {
    for ack in [10_001, 1 << 30, 10_001 + (1 << 31)] {
        let record = after_inbound(ESTABLISHED, &segment(ACK, 50_000, ack, 65_535, 0));
        assert_eq!(record.right_edge(), Seq(11_000), "{ack}");
    }
}

#[test]
fn a_syn_ack_answers_and_its_window_is_not_scaled() {
    let flow = flow(HALF_OPEN | Control::HOST_SCALES);
    let answer = segment(Flags::SYN | ACK, 70_000, 1_000, 5_000, 0);
    let options = SynOptions {
        scales: true,
        shift: 7,
        authenticated: false,
        ..SynOptions::default()
    };
    peer_syn(&flow, &answer, &options, NOW);
    inbound(&flow, &flow.record(), &answer, NOW);
    let record = flow.record();
    assert_eq!(record.control().phase(), Phase::Established);
    assert_eq!(record.right_edge(), Seq(6_000));
    assert_eq!(record.peer_next(), Seq(70_001));
    assert_eq!(record.control().peer_shift(), 7);
}

#[test]
fn the_acknowledgment_of_a_peer_in_time_wait_answers_nothing() {
    for ack in [0, 500, 999, 1_001, 4_000_000] {
        let record = after_inbound(HALF_OPEN, &segment(ACK, 70_000, ack, 5_000, 0));
        assert_eq!(record.control().phase(), Phase::HalfOpen, "{ack}");
    }
}

#[test]
fn the_reset_with_which_the_host_answers_it_closes_nothing() {
    for sequence in [0, 50, 98, 4_000_000] {
        let record = after_outbound(HALF_OPEN, &segment(Flags::RST, sequence, 0, 0, 0));
        assert_eq!(record.control().phase(), Phase::HalfOpen, "{sequence}");
    }
}

#[test]
fn a_refused_syn_closes_the_flow_whatever_the_resets_own_number() {
    let refusal = segment(Flags::RST | ACK, 0, 1_000, 0, 0);
    assert_eq!(
        after_inbound(HALF_OPEN, &refusal).control().phase(),
        Phase::Closed
    );
    let forged = segment(Flags::RST | ACK, 0, 1_001, 0, 0);
    assert_eq!(
        after_inbound(HALF_OPEN, &forged).control().phase(),
        Phase::HalfOpen
    );
}

#[test]
fn two_fins_close_and_one_does_not() {
    let flow = flow(ESTABLISHED);
    outbound(
        &flow,
        &flow.record(),
        &segment(ACK | Flags::FIN, 9_100, 50_000, 0, 0),
        NOW,
    );
    assert_eq!(flow.record().control().phase(), Phase::Closing);
    assert_eq!(
        flow.record().high_water(),
        Seq(10_001),
        "a FIN counts as one octet"
    );
    inbound(
        &flow,
        &flow.record(),
        &segment(ACK | Flags::FIN, 50_000, 10_001, 100, 0),
        NOW,
    );
    assert_eq!(flow.record().control().phase(), Phase::Closed);
}

#[test]
fn s21_resets_and_fins_of_the_peer_count_only_near_its_last_octet() {
    for flags in [Flags::RST, Flags::RST | ACK, Flags::FIN | ACK] {
        for sequence in [0, 50_000 + (1 << 20) + 1, 3 << 30] {
            let sequence = if sequence == 0 {
                50_000u32.wrapping_sub(1 << 21)
            } else {
                sequence
            };
            let record = after_inbound(ESTABLISHED, &segment(flags, sequence, 9_000, 0, 0));
            assert_eq!(
                record.control().phase(),
                Phase::Established,
                "{flags:#x} {sequence}"
            );
        }
    }
    let reset = segment(Flags::RST, 50_000, 0, 0, 0);
    assert_eq!(
        after_inbound(ESTABLISHED, &reset).control().phase(),
        Phase::Closed
    );
}

#[test]
fn a_host_that_speaks_on_was_not_reset_by_the_peer() {
    let flow = flow(ESTABLISHED | Control::PEER_RST);
    outbound(
        &flow,
        &flow.record(),
        &segment(ACK, 9_100, 50_000, 0, 0),
        NOW,
    );
    assert_eq!(flow.record().control().phase(), Phase::Established);
}

#[test]
fn only_new_data_revokes_a_reset_of_the_host() {
    let flow = flow(ESTABLISHED | Control::HOST_RST);
    outbound(
        &flow,
        &flow.record(),
        &segment(ACK, 9_000, 50_000, 0, 100),
        NOW,
    );
    assert_eq!(
        flow.record().control().phase(),
        Phase::Closed,
        "a late segment"
    );
    outbound(
        &flow,
        &flow.record(),
        &segment(ACK, 9_100, 50_000, 0, 100),
        NOW,
    );
    assert_eq!(
        flow.record().control().phase(),
        Phase::Established,
        "new data"
    );
}

#[test]
fn a_peer_that_speaks_on_has_not_finished() {
    let record = after_inbound(
        ESTABLISHED | Control::PEER_FIN,
        &segment(ACK, 50_000, 9_000, 0, 1_460),
    );
    assert_eq!(record.control().phase(), Phase::Established);
}

#[test]
fn the_marks_wrap_with_the_sequence_space() {
    let flow = flow(ESTABLISHED);
    flow.sent
        .store(pack(u32::MAX - 10, 1), std::sync::atomic::Ordering::Relaxed);
    flow.received
        .store(pack(500, 50_000), std::sync::atomic::Ordering::Relaxed);
    let host = (u32::MAX - 10).wrapping_sub(900);
    outbound(
        &flow,
        &flow.record(),
        &segment(ACK, host, 50_000, 0, 100),
        NOW,
    );
    assert_eq!(flow.record().high_water(), Seq(89));
    inbound(
        &flow,
        &flow.record(),
        &segment(ACK, 50_000, 89, 1_000, 0),
        NOW,
    );
    assert_eq!(flow.record().right_edge(), Seq(1_089));
}

#[test]
fn a_flow_is_noted_alive_twice_a_second_and_not_with_every_packet() {
    let seen = |later: u32| {
        let flow = flow(ESTABLISHED);
        outbound(
            &flow,
            &flow.record(),
            &segment(ACK, 9_100, 50_000, 0, 0),
            Tick(NOW.0 + later),
        );
        flow.record().last_seen()
    };
    assert_eq!(seen(3), NOW);
    assert_eq!(seen(4), Tick(NOW.0 + 4));
}

#[test]
fn timestamps_are_remembered_from_the_hosts_fin_on() {
    let stamped = ESTABLISHED | Control::STAMPED;
    let closing = stamped | Control::HOST_FIN;
    let (data, fin, rst) = (ACK, ACK | Flags::FIN, ACK | Flags::RST);
    for (control, flags, sequence, expected) in [
        (stamped, data, 9_100, false),
        (stamped, fin, 9_100, true),
        (ESTABLISHED, fin, 9_100, false),
        (closing, data, 9_100, true),
        (closing, rst, 9_100, false),
        (closing, data, 19_100, false),
    ] {
        let flow = flow(control);
        let segment = segment(flags, sequence, 50_000, 0, 0);
        let got = outbound(&flow, &flow.record(), &segment, NOW);
        assert_eq!(got, expected, "{control:#x} {flags:#x} {sequence}");
    }
}

#[test]
fn the_latest_timestamp_is_the_newest_as_the_peer_sees_it() {
    let flow = flow(ESTABLISHED | Control::STAMPED);
    flow.stamps
        .store(pack(100, 5_000), std::sync::atomic::Ordering::Relaxed);
    for (stamp, latest) in [(4_900, 5_000), (4_901, 5_001), (4_000, 5_001)] {
        remember_stamp(&flow, &flow.record(), Seq(stamp));
        let record = flow.record();
        assert_eq!(record.latest_stamp(), Seq(latest), "{stamp}");
        assert_eq!(record.timestamp_offset().0, 100);
    }
}
