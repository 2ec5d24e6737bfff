//! The decision on a SYN's timestamp, as a table: a peer in TIME-WAIT refuses one that is older than the last (PAWS, RFC 7323
//! section 5), however high the sequence number.

use isn_common::{
    abi::{
        flow::{Control, Reason, Record, pack},
        policy::Mode,
        settings::{OnFull, Settings},
    },
    opening::{Circumstances, Decision, Opening, Stamp, Syn, decide, opened},
    siphash::Key,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    translate::Translation,
};

const NOW: Tick = Tick(10_000);
const SETTINGS: Settings = Settings::new(1_000, OnFull::Pass, 0, Key([0, 0]));
const HALF_OPEN: u32 = Control::HOST_SYN | Control::PEER_SEEN | Control::STAMPED;
const CLOSED: u32 = HALF_OPEN | Control::ANSWERED | Control::HOST_FIN | Control::PEER_FIN;
/// Beyond the right edge of [`flow`].
const SAFE: u32 = 5_100_000;
const LATEST: u32 = 700_000;

/// Host ISN 1,000, high-water mark 5,000,000, right edge 5,065,535; the peer has seen [`LATEST`].
const fn flow(control: u32, timestamp_offset: u32) -> Record {
    Record {
        identity: pack(0, 1_000),
        sent: pack(5_000_000, 0),
        received: pack(5_065_535, 0),
        stamps: pack(timestamp_offset, LATEST),
        life: pack(control, NOW.0 - 10),
    }
}

fn syn(isn: u32, stamp: Option<u32>) -> Syn {
    Syn {
        isn: Seq(isn),
        length: 1,
        options: SynOptions {
            stamp: Seq(stamp.unwrap_or(0)),
            stamped: stamp.is_some(),
            ..SynOptions::default()
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

fn around(mode: Mode) -> Circumstances<'static> {
    Circumstances {
        offset: Offset(0),
        mode: Some(mode),
        settings: &SETTINGS,
        now: NOW,
    }
}

/// The decision in monotonic mode, where the secret would give these bits.
fn decided(record: &Record, syn: &Syn, random: u64) -> Opening {
    match decide(record, syn, &around(Mode::Monotonic), || random) {
        Decision::Open(opening) => opening,
        Decision::Continue(counter) => panic!("{counter:?}"),
    }
}

/// What the peer sees as TSval of `stamp`.
fn wire(stamp: u32, opening: &Opening) -> u32 {
    stamp.wrapping_add(opening.translation.timestamp.0)
}

fn opening(translation: Translation, reason: Reason) -> Opening {
    Opening {
        translation,
        reason,
        stamp: Stamp::Safe,
    }
}

#[test]
fn an_older_timestamp_leaves_1_to_65536_beyond_the_latest() {
    for stamp in [0, 1, LATEST - 1, LATEST.wrapping_add(1 << 31)] {
        for (random, beyond) in [(0, 1), (u64::MAX, 65_536)] {
            let opening = decided(&flow(CLOSED, 0), &syn(SAFE, Some(stamp)), random);
            assert_eq!(wire(stamp, &opening), LATEST + beyond, "{stamp}");
            assert_eq!(opening.stamp, Stamp::Repaired);
            assert_eq!(opening.translation.sequence, Offset(0), "only where needed");
            assert_eq!(opening.reason, Reason::Safe);
        }
    }
}

#[test]
fn the_same_and_newer_timestamps_leave_as_they_came() {
    for stamp in [LATEST, LATEST + 1, LATEST + ((1 << 31) - 1)] {
        let opening = decided(&flow(CLOSED, 5), &syn(SAFE, Some(stamp)), 0);
        assert_eq!(opening.translation, Translation::NONE, "{stamp}");
        assert_eq!(opening.stamp, Stamp::Safe);
    }
}

#[test]
fn sequence_number_and_timestamp_are_repaired_each_by_itself() {
    let opening = decided(&flow(CLOSED, 0), &syn(7, Some(LATEST - 5)), 0);
    assert_eq!(opening.translation.sequence, Offset(5_065_536 - 7));
    assert_eq!(opening.translation.timestamp, Offset(6));
    let only_sequence = decided(&flow(CLOSED, 0), &syn(7, Some(LATEST)), 0);
    assert_eq!(only_sequence.translation.timestamp, Offset(0));
    assert_ne!(only_sequence.translation.sequence, Offset(0));
}

#[test]
fn without_a_timestamp_on_either_side_there_is_nothing_to_refuse() {
    let none_now = decided(&flow(CLOSED, 0), &syn(SAFE, None), 0);
    assert_eq!(none_now.translation, Translation::NONE);
    let none_before = flow(CLOSED & !Control::STAMPED, 0);
    let opening = decided(&none_before, &syn(SAFE, Some(1)), 0);
    assert_eq!(opening.translation, Translation::NONE);
}

#[test]
fn after_a_reset_no_peer_is_in_time_wait() {
    let reset = HALF_OPEN | Control::ANSWERED | Control::HOST_RST;
    let opening = decided(&flow(reset, 0), &syn(SAFE, Some(1)), 0);
    assert_eq!(opening.translation, Translation::NONE);
}

#[test]
fn a_resent_syn_shows_the_peer_the_same_numbers_again() {
    let record = flow(HALF_OPEN, 40);
    let opening = decided(&record, &syn(7, Some(3)), u64::MAX);
    assert_eq!(opening.reason, Reason::Resent);
    assert_eq!(wire(3, &opening), LATEST);
    let goes_on = decided(&record, &syn(7, Some(LATEST - 40)), u64::MAX);
    assert_eq!(goes_on.translation.timestamp, Offset(40), "it stays");
    assert_eq!(goes_on.stamp, Stamp::Safe);
}

#[test]
fn what_may_not_be_repaired_is_told() {
    let regressing = syn(SAFE, Some(1));
    let observe = decide(&flow(CLOSED, 0), &regressing, &around(Mode::Observe), || 0);
    let mut settings = SETTINGS;
    settings.draining = 1;
    let draining = Circumstances {
        offset: Offset(0),
        settings: &settings,
        ..around(Mode::Monotonic)
    };
    let draining = decide(&flow(CLOSED, 0), &regressing, &draining, || 0);
    let one_way = flow(CLOSED & !Control::PEER_SEEN, 0);
    let one_way = decide(&one_way, &regressing, &around(Mode::Monotonic), || 0);
    for decision in [observe, draining, one_way] {
        let Decision::Open(opening) = decision else {
            panic!("{decision:?}")
        };
        assert_eq!(opening.translation, Translation::NONE);
        assert_eq!(opening.stamp, Stamp::Regressed);
    }
}

#[test]
fn an_answer_is_not_refused_for_its_timestamp() {
    let answer = Syn {
        passive: true,
        ..syn(SAFE, Some(1))
    };
    let opening = decided(&flow(CLOSED, 0), &answer, 0);
    assert_eq!(opening.translation, Translation::NONE);
}

#[test]
fn an_opened_flow_remembers_what_the_peer_saw() {
    let by = Translation {
        sequence: Offset(0),
        timestamp: Offset(u32::MAX),
    };
    let record = opened(
        &syn(9, Some(0)),
        &opening(by, Reason::Safe),
        0,
        &flow(CLOSED, 0),
        NOW,
    );
    assert_eq!(record.timestamp_offset(), Offset(u32::MAX));
    assert_eq!(record.latest_stamp(), Seq(u32::MAX));
    assert!(record.control().has(Control::STAMPED));
    let without = opened(
        &syn(9, None),
        &opening(by, Reason::Safe),
        0,
        &flow(CLOSED, 0),
        NOW,
    );
    assert!(!without.control().has(Control::STAMPED));
}
