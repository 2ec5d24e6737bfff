//! The decision on a SYN, as a table: what is remembered, what the host sends, what is decided.

use isn_common::{
    abi::{
        flow::{Control, Reason, Record, pack},
        policy::Mode,
        settings::{OnFull, Settings},
    },
    counter::Counter,
    opening::{Circumstances, Decision, Opening, Stamp, Syn, awaited, decide, opened},
    siphash::Key,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    translate::Translation,
};

const NOW: Tick = Tick(10_000);
const HISTORY: u32 = 1_788;
const HOST_SYN: u32 = Control::HOST_SYN;
const HALF_OPEN: u32 = HOST_SYN | Control::PEER_SEEN;
const ESTABLISHED: u32 = HALF_OPEN | Control::ANSWERED;
const CLOSED: u32 = ESTABLISHED | Control::HOST_FIN | Control::PEER_FIN;

/// A flow with host ISN 1,000, high-water mark 5,000,000 and right edge 5,065,535.
const fn flow(control: u32, offset: u32, idle: u32) -> Record {
    Record {
        identity: pack(offset, 1_000),
        sent: pack(5_000_000, 0),
        received: pack(5_065_535, 0),
        stamps: 0,
        life: pack(control, NOW.0 - idle),
    }
}

const fn syn(isn: u32) -> Syn {
    Syn {
        isn: Seq(isn),
        length: 1,
        options: SynOptions {
            stamp: Seq(0),
            stamped: false,
            scales: false,
            shift: 0,
            authenticated: false,
        },
        passive: false,
        offset: Offset(0),
        mode: 0,
        sample: 0,
        padding: false,
        host_mark: Seq(0),
        wire_mark: Seq(0),
    }
}

const SETTINGS: Settings = Settings::new(HISTORY, OnFull::Pass, 0, Key([0, 0]));

const fn around(mode: Mode) -> Circumstances<'static> {
    Circumstances {
        offset: Offset(0),
        mode: Some(mode),
        settings: &SETTINGS,
        now: NOW,
    }
}

const MONOTONIC: Circumstances<'_> = around(Mode::Monotonic);

fn decision(record: &Record, syn: &Syn, around: &Circumstances<'_>) -> Decision {
    decide(record, syn, around, || 0)
}

const fn by(sequence: u32) -> Translation {
    Translation {
        sequence: Offset(sequence),
        timestamp: Offset(0),
    }
}

const fn opens(sequence: u32, reason: Reason) -> Decision {
    Decision::Open(Opening {
        translation: by(sequence),
        reason,
        stamp: Stamp::Safe,
    })
}

const fn untouched(reason: Reason) -> Decision {
    opens(0, reason)
}

/// `wire` as seen by the peer for host ISN `isn`.
const fn rewritten(wire: u32, isn: u32, reason: Reason) -> Decision {
    opens(wire.wrapping_sub(isn), reason)
}

fn opening(translation: Translation, reason: Reason) -> Opening {
    Opening {
        translation,
        reason,
        stamp: Stamp::Safe,
    }
}

#[test]
fn s2_a_closed_flow_moves_what_is_not_beyond_the_right_edge() {
    for isn in [
        0,
        1_000,
        4_999_999,
        5_000_000,
        5_065_535,
        5_000_000 + (1 << 31),
    ] {
        let expected = rewritten(5_065_536, isn, Reason::Regressed);
        assert_eq!(
            decision(&flow(CLOSED, 0, 10), &syn(isn), &MONOTONIC),
            expected,
            "{isn}"
        );
    }
    for isn in [5_065_536, 5_000_000 + (1 << 31) - 1] {
        let expected = untouched(Reason::Safe);
        assert_eq!(
            decision(&flow(CLOSED, 7, 10), &syn(isn), &MONOTONIC),
            expected,
            "{isn}"
        );
    }
}

#[test]
fn s2_a_reset_closes_a_flow_as_well() {
    for reset in [Control::HOST_RST, Control::PEER_RST] {
        let before = flow(ESTABLISHED | reset, 0, 10);
        let expected = rewritten(5_065_536, 1_000, Reason::Regressed);
        assert_eq!(decision(&before, &syn(1_000), &MONOTONIC), expected);
    }
}

#[test]
fn s4_observe_decides_and_changes_nothing() {
    let expected = untouched(Reason::Observed);
    assert_eq!(
        decision(&flow(CLOSED, 0, 10), &syn(7), &around(Mode::Observe)),
        expected
    );
    assert_eq!(
        decision(&flow(HALF_OPEN, 0, 10), &syn(7), &around(Mode::Observe)),
        expected
    );
}

#[test]
fn s5_the_same_isn_while_half_open_is_a_retransmission() {
    for offset in [0, 12_345] {
        let got = decision(&flow(HALF_OPEN, offset, 10), &syn(1_000), &MONOTONIC);
        assert_eq!(got, Decision::Continue(Counter::SynRetransmit));
    }
}

#[test]
fn s5_another_isn_while_half_open_keeps_the_wire_isn() {
    for offset in [0, 12_345, u32::MAX] {
        let got = decision(&flow(HALF_OPEN, offset, 10), &syn(77), &MONOTONIC);
        assert_eq!(
            got,
            rewritten(1_000u32.wrapping_add(offset), 77, Reason::Resent)
        );
    }
}

#[test]
fn s6_an_established_flow_is_never_decided_on_again() {
    for control in [
        ESTABLISHED,
        ESTABLISHED | Control::HOST_FIN,
        ESTABLISHED | Control::PEER_FIN,
    ] {
        for isn in [0, 1_000, 77, 6_000_000] {
            let got = decision(&flow(control, 5, 10), &syn(isn), &MONOTONIC);
            assert_eq!(got, Decision::Continue(Counter::SynOnLiveFlow));
        }
    }
}

#[test]
fn s6_holds_for_a_translated_flow_however_long_it_was_silent() {
    let got = decision(&flow(ESTABLISHED, 5, HISTORY * 3), &syn(77), &MONOTONIC);
    assert_eq!(got, Decision::Continue(Counter::SynOnLiveFlow));
}

#[test]
fn s7_a_signed_syn_is_left_alone_even_if_it_regresses() {
    let mut signed = syn(7);
    signed.options.authenticated = true;
    let expected = untouched(Reason::TcpAuth);
    assert_eq!(
        decision(&flow(CLOSED, 0, 10), &signed, &MONOTONIC),
        expected
    );
    assert_eq!(
        decision(&flow(HALF_OPEN, 0, 10), &signed, &MONOTONIC),
        expected
    );
}

#[test]
fn s7_a_syn_ack_answers_a_signed_syn_unsigned_and_is_left_alone() {
    let answer = Syn {
        passive: true,
        ..syn(7)
    };
    let before = flow(CLOSED | Control::PEER_AUTH, 0, 10);
    let expected = untouched(Reason::TcpAuth);
    assert_eq!(decision(&before, &answer, &MONOTONIC), expected);
}

#[test]
fn s7_what_was_seen_in_one_direction_only_is_not_rewritten() {
    let one_way = flow(CLOSED & !Control::PEER_SEEN, 0, 10);
    let expected = untouched(Reason::OneWay);
    assert_eq!(decision(&one_way, &syn(7), &MONOTONIC), expected);
    let safe = untouched(Reason::Safe);
    assert_eq!(decision(&one_way, &syn(5_065_536), &MONOTONIC), safe);
}

#[test]
fn s8_a_flow_is_forgotten_at_the_horizon_and_not_a_tick_before() {
    let forgotten = untouched(Reason::New);
    for control in [CLOSED, HALF_OPEN, ESTABLISHED] {
        assert_eq!(
            decision(&flow(control, 0, HISTORY), &syn(7), &MONOTONIC),
            forgotten
        );
    }
    let kept = decision(&flow(CLOSED, 0, HISTORY - 1), &syn(7), &MONOTONIC);
    assert_eq!(kept, rewritten(5_065_536, 7, Reason::Regressed));
}

#[test]
fn s20_while_draining_no_offset_is_made() {
    let mut settings = SETTINGS;
    settings.draining = 1;
    let draining = Circumstances {
        offset: Offset(0),
        settings: &settings,
        ..MONOTONIC
    };
    let expected = untouched(Reason::Draining);
    assert_eq!(decision(&flow(CLOSED, 0, 10), &syn(7), &draining), expected);
    assert_eq!(
        decision(&flow(HALF_OPEN, 0, 10), &syn(7), &draining),
        expected
    );
    let kept = decision(&flow(HALF_OPEN, 9, 10), &syn(7), &draining);
    assert_eq!(kept, rewritten(1_009, 7, Reason::Resent));
    let goes_on = decision(&flow(HALF_OPEN, 9, 10), &syn(1_000), &draining);
    assert_eq!(goes_on, Decision::Continue(Counter::SynRetransmit));
}

#[test]
fn a_host_that_is_not_guarded_any_more_keeps_only_what_lives() {
    let exempt = Circumstances {
        offset: Offset(0),
        mode: None,
        ..MONOTONIC
    };
    let got = decision(&flow(ESTABLISHED, 9, 10), &syn(7), &exempt);
    assert_eq!(got, Decision::Continue(Counter::SynOnLiveFlow));
    let anew = decision(&flow(CLOSED, 9, 10), &syn(7), &exempt);
    assert_eq!(anew, untouched(Reason::NotGuarded));
}

#[test]
fn a_flow_of_which_only_the_peers_syn_was_seen_is_new() {
    let options = SynOptions {
        scales: true,
        shift: 7,
        ..SynOptions::default()
    };
    let before = awaited(Seq(100), &options, NOW);
    let answer = Syn {
        passive: true,
        ..syn(0)
    };
    let expected = untouched(Reason::New);
    assert_eq!(decision(&before, &answer, &MONOTONIC), expected);
}

#[test]
fn an_opened_flow_starts_behind_its_syn_and_knows_the_peers_scale_if_it_answers() {
    let options = SynOptions {
        scales: true,
        shift: 7,
        ..SynOptions::default()
    };
    let before = awaited(Seq(100), &options, NOW);
    let answer = Syn {
        passive: true,
        options,
        ..syn(u32::MAX)
    };
    let record = opened(&answer, &opening(by(1), Reason::New), 0, &before, NOW);
    assert_eq!(record.wire_isn(), Seq(0));
    assert_eq!(record.high_water(), Seq(1));
    assert_eq!(record.right_edge(), Seq(1));
    assert_eq!(record.peer_next(), Seq(100));
    assert_eq!(record.control().peer_shift(), 7);
    assert_eq!(record.control().phase().name(), "half-open");
    assert_eq!(record.control().reason(), Some(Reason::New));

    let unscaled = opened(&syn(5), &opening(by(0), Reason::Safe), 0, &before, NOW);
    assert_eq!(unscaled.control().peer_shift(), 0, "a SYN starts over");
}
