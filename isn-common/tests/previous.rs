//! Which incarnation a segment of the host belongs to (S14): the case of a host that starts again at
//! 1,000 after a connection that went from 3,000,000 to 5,000,000.

use isn_common::{
    abi::flow::{Control, Previous, Record, pack},
    previous::{Numbers, translation_of},
    tcp::{
        flags::Flags,
        seq::{Offset, Seq},
    },
    tick::Tick,
};

const NOW: Tick = Tick(10_000);
const ACK: u8 = Flags::ACK;
const ACTIVE: u32 = Control::HOST_SYN;
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
/// The offset before, and the wire numbers that it led to: 5,000,000 appeared as 5,000,700.
const BEFORE: Offset = Offset(700);
const MARK_BEFORE: u32 = 5_000_700;
/// The new SYN, 1,000, appears as 5,100,000. The peer's numbers are near 900,000,000.
const WIRE_ISN: u32 = 5_100_000;
const PEER: u32 = 900_000_000;

fn record(control: u32, sent: u32, window: u32) -> Record {
    let mark = WIRE_ISN + 1 + sent;
    Record {
        identity: pack(WIRE_ISN - 1_000, 1_000),
        sent: pack(mark, 0),
        received: pack(mark + window, PEER),
        stamps: 0,
        life: pack(control, NOW.0),
    }
}

const fn numbers(flags: u8, sequence: u32, acknowledgment: u32, length: u32) -> Numbers {
    let (sequence, acknowledgment) = (Seq(sequence), Seq(acknowledgment));
    Numbers {
        sequence,
        acknowledgment,
        length,
        flags: Flags(flags),
    }
}

fn is_late(record: &Record, segment: &Numbers, after: u32) -> bool {
    let previous = Previous {
        offset: BEFORE.0,
        high_water: MARK_BEFORE,
        ended: NOW.0 - after,
        timestamp_offset: 3,
    };
    let found = translation_of(record, &previous, segment, NOW);
    assert!(found.is_none_or(|by| by.sequence == BEFORE && by.timestamp == Offset(3)));
    found.is_some()
}

#[test]
fn old_data_while_the_syn_is_unanswered_is_late() {
    let waiting = record(ACTIVE, 0, 0);
    for (sequence, length) in [(4_999_900, 100), (3_000_000, 1_460), (5_000_000, 0)] {
        assert!(
            is_late(&waiting, &numbers(ACK, sequence, 123, length), 10),
            "{sequence}"
        );
    }
    assert!(is_late(
        &waiting,
        &numbers(ACK | Flags::FIN, 4_999_999, 123, 1),
        10
    ));
    assert!(is_late(
        &waiting,
        &numbers(ACK | Flags::RST, 4_999_999, 123, 0),
        10
    ));
}

#[test]
fn the_reset_that_answers_a_peer_in_time_wait_is_of_the_new_incarnation() {
    // The peer acknowledged 5,000,700, which the host saw less the new offset.
    let answer = Seq(MARK_BEFORE).to_host(Offset(WIRE_ISN - 1_000));
    assert!(!is_late(
        &record(ACTIVE, 0, 0),
        &numbers(Flags::RST, answer.0, 0, 0),
        10
    ));
}

#[test]
fn a_late_reset_of_the_old_incarnation_keeps_its_offset() {
    assert!(is_late(
        &record(ACTIVE, 0, 0),
        &numbers(Flags::RST, 4_999_000, 0, 0),
        10
    ));
}

#[test]
fn old_data_in_an_open_connection_is_late_unless_it_fits_the_new_one() {
    // The old numbers would land inside a window of 8 MiB; their acknowledgment tells them.
    let open = record(OPEN, 500, 8 << 20);
    assert!(is_late(&open, &numbers(ACK, 4_999_900, 123_456, 100), 10));
    assert!(
        !is_late(&open, &numbers(ACK, 1_501, PEER, 1_460), 10),
        "the next segment"
    );
    assert!(
        !is_late(&open, &numbers(ACK, 1_001, PEER - 10, 500), 10),
        "a retransmission"
    );
    assert!(
        !is_late(&open, &numbers(ACK, 1_500, PEER, 0), 10),
        "a keepalive"
    );
    assert!(
        !is_late(&open, &numbers(ACK, 9_000, PEER, 100), 10),
        "behind a gap"
    );
}

#[test]
fn a_new_connection_that_has_come_as_far_as_the_old_one_keeps_its_segments() {
    let open = record(OPEN, 4_500_000, 1 << 20);
    assert!(!is_late(&open, &numbers(ACK, 4_400_000, PEER, 1_460), 10));
    assert!(
        !is_late(&open, &numbers(ACK, 4_400_000, 123_456, 1_460), 10),
        "in doubt"
    );
}

#[test]
fn what_continues_the_new_connection_is_of_it_whatever_it_acknowledges() {
    for control in [ACTIVE, OPEN] {
        let open = record(control, 0, 65_535);
        assert!(
            !is_late(&open, &numbers(ACK, 1_001, PEER + (4 << 20), 0), 10),
            "a gap unseen"
        );
        assert!(!is_late(&open, &numbers(ACK, 1_001, 123_456, 100), 10));
        assert!(
            !is_late(&open, &numbers(Flags::PSH, 1_001, 0, 9), 10),
            "no ACK"
        );
    }
}

#[test]
fn fast_open_data_before_the_answer_is_not_late() {
    let passive = record(ACTIVE | Control::PASSIVE, 0, 1_460);
    assert!(!is_late(&passive, &numbers(ACK, 1_001, PEER, 1_460), 10));
    assert!(is_late(&passive, &numbers(ACK, 4_999_900, PEER, 100), 10));
}

#[test]
fn after_two_minutes_nothing_is_late_any_more() {
    let segment = numbers(ACK, 4_999_900, 123, 100);
    let limit = Tick::in_seconds(120);
    assert!(is_late(&record(ACTIVE, 0, 0), &segment, limit));
    assert!(!is_late(&record(ACTIVE, 0, 0), &segment, limit + 1));
}

#[test]
fn what_fits_neither_belongs_to_the_living_one() {
    assert!(!is_late(
        &record(OPEN, 500, 1_000),
        &numbers(ACK, 2_000_000_000, 5, 10),
        10
    ));
    assert!(!is_late(
        &record(OPEN, 500, 1_000),
        &numbers(ACK, 5_000_001, 5, 10),
        10
    ));
}

#[test]
fn numbers_survive_the_way_through_two_words() {
    let numbers = numbers(0xff, u32::MAX, 0, 0x8000_0001);
    assert_eq!(Numbers::from_words(numbers.to_words()), numbers);
}
