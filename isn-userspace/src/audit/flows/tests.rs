//! Which SYN is a choice, and where it lies.

use isn_common::tcp::flags::Flags;

use super::*;

const SYN: u8 = Flags::SYN;
const ACK: u8 = Flags::ACK;
const FIN: u8 = Flags::FIN | ACK;
const RST: u8 = Flags::RST;

/// A capture in short: times in seconds, the host's segments and the peer's.
struct Script(Flows);

impl Script {
    fn new() -> Self {
        Self(Flows::default())
    }

    fn say(&mut self, ends: [&str; 2], at: u64, flags: u8, numbers: [u32; 2], data: u32) -> Choice {
        let flags = Flags(flags);
        let sequence = Seq(numbers[0]);
        self.0.hear(&Spoken {
            at: Duration::from_secs(at),
            from: ends[0].parse().unwrap(),
            to: ends[1].parse().unwrap(),
            sequence,
            end: sequence.advanced(data + flags.sequence_length()),
            acknowledgment: flags.ack().then_some(Seq(numbers[1])),
            flags,
        })
    }

    fn host(&mut self, at: u64, flags: u8, numbers: [u32; 2], data: u32) -> Choice {
        self.say(
            ["192.0.2.1:1024", "198.51.100.1:502"],
            at,
            flags,
            numbers,
            data,
        )
    }

    fn peer(&mut self, at: u64, flags: u8, numbers: [u32; 2], data: u32) -> Choice {
        self.say(
            ["198.51.100.1:502", "192.0.2.1:1024"],
            at,
            flags,
            numbers,
            data,
        )
    }

    /// A whole connection of the host that starts at `isn` and sends 100 octets; its end is `isn + 102`.
    fn connection(&mut self, at: u64, isn: u32, peer: u32) -> [Choice; 2] {
        let host = |more: u32| isn.wrapping_add(more);
        let opened = self.host(at, SYN, [isn, 0], 0);
        let answered = self.peer(at, SYN | ACK, [peer, host(1)], 0);
        self.host(at, ACK, [host(1), peer + 1], 100);
        self.peer(at, ACK, [peer + 1, host(101)], 0);
        self.host(at, FIN, [host(101), peer + 1], 0);
        self.peer(at, FIN, [peer + 1, host(102)], 0);
        self.host(at, ACK, [host(102), peer + 2], 0);
        [opened, answered]
    }
}

#[test]
fn each_side_of_a_first_connection_chooses_once() {
    let mut script = Script::new();
    let chosen = script.connection(1, 5, 9_000);
    assert_eq!(chosen, [Choice::Chosen(None), Choice::Chosen(None)]);
}

#[test]
fn the_next_on_the_tuple_is_measured_from_the_end_of_the_one_before_on_both_sides() {
    let mut script = Script::new();
    script.connection(1, u32::MAX - 50, 9_000);
    // 52 is the end, across the wrap; the peer's is 9,002.
    let chosen = script.connection(60, 53, 9_001);
    // The end of u32::MAX - 50 + 102 is 51.
    assert_eq!(chosen, [Choice::Chosen(Some(2)), Choice::Chosen(Some(-1))]);
}

#[test]
fn a_constant_number_is_a_regression_each_time() {
    let mut script = Script::new();
    script.connection(1, 7, 1);
    for round in 2..5 {
        let [host, _] = script.connection(round * 10, 7, 1);
        assert_eq!(host, Choice::Chosen(Some(-102)));
    }
}

#[test]
fn retransmitted_syns_count_once_on_both_sides() {
    let mut script = Script::new();
    assert_eq!(script.host(0, SYN, [7, 0], 0), Choice::Chosen(None));
    for at in [1, 3, 7, 15, 31, 63, 127] {
        assert_eq!(script.host(at, SYN, [7, 0], 0), Choice::Repeated);
    }
    assert_eq!(script.peer(127, SYN | ACK, [9, 8], 0), Choice::Chosen(None));
    assert_eq!(script.host(128, SYN, [7, 0], 0), Choice::Repeated);
    assert_eq!(script.peer(128, SYN | ACK, [9, 8], 0), Choice::Repeated);
}

#[test]
fn a_refused_syn_that_comes_again_counts_once() {
    let mut script = Script::new();
    script.host(0, SYN, [7, 0], 0);
    script.peer(0, RST | ACK, [0, 8], 0);
    assert_eq!(script.host(1, SYN, [7, 0], 0), Choice::Repeated);
}

#[test]
fn the_hang_of_a_regression_counts_once() {
    let mut script = Script::new();
    script.connection(1, 1_000_000, 9_000);
    let low = Choice::Chosen(Some(500 - 1_000_102));
    assert_eq!(script.host(5, SYN, [500, 0], 0), low);
    // The peer in TIME-WAIT names the number that it expects; the host resets, and its SYN comes again.
    script.peer(5, ACK, [9_002, 1_000_102], 0);
    script.host(5, RST, [1_000_102, 0], 0);
    assert_eq!(script.host(6, SYN, [500, 0], 0), Choice::Repeated);
    let answer = Choice::Chosen(Some(400_000 - 9_002));
    assert_eq!(script.peer(6, SYN | ACK, [400_000, 501], 0), answer);
    script.host(6, ACK, [501, 400_001], 10);
    // The mark followed the new connection, not the number that the peer had named.
    script.host(6, FIN, [511, 400_001], 0);
    script.peer(6, FIN, [400_001, 512], 0);
    assert_eq!(
        script.host(9, SYN, [600, 0], 0),
        Choice::Chosen(Some(600 - 512))
    );
}

#[test]
fn a_host_that_reboots_within_a_connection_is_seen_by_its_reset() {
    let mut script = Script::new();
    script.host(1, SYN, [7, 0], 0);
    script.peer(1, SYN | ACK, [9, 8], 0);
    script.host(1, ACK, [8, 10], 500);
    script.peer(1, ACK, [10, 508], 0);
    // The same number, while the peer goes on: not a choice until the reset tells.
    assert_eq!(script.host(60, SYN, [7, 0], 0), Choice::Repeated);
    script.peer(60, ACK, [10, 508], 0);
    script.host(60, RST, [508, 0], 0);
    assert_eq!(
        script.host(61, SYN, [7, 0], 0),
        Choice::Chosen(Some(7 - 508))
    );
}

#[test]
fn both_may_open_at_the_same_time() {
    let mut script = Script::new();
    script.host(1, SYN, [7, 0], 0);
    assert_eq!(script.peer(1, SYN, [70, 0], 0), Choice::Chosen(None));
    assert_eq!(script.host(2, SYN | ACK, [7, 71], 0), Choice::Repeated);
    assert_eq!(script.peer(2, SYN | ACK, [70, 8], 0), Choice::Repeated);
}

#[test]
fn a_listener_that_answers_the_same_syn_by_another_number_is_not_measured() {
    let mut script = Script::new();
    script.host(1, SYN, [7, 0], 0);
    script.peer(1, SYN | ACK, [9_000, 8], 0);
    script.host(40, SYN, [7, 0], 0);
    assert_eq!(script.peer(40, SYN | ACK, [5, 8], 0), Choice::Chosen(None));
}

#[test]
fn an_unanswered_syn_leaves_nothing_to_measure_from() {
    let mut script = Script::new();
    script.host(1, SYN, [7_000, 0], 0);
    assert_eq!(script.host(70, SYN, [5, 0], 0), Choice::Chosen(None));
}

#[test]
fn after_the_horizon_nothing_is_known() {
    let mut script = Script::new();
    script.connection(1, 7_000, 9_000);
    let chosen = script.connection(1 + HORIZON.as_secs(), 5, 5);
    assert_eq!(chosen, [Choice::Chosen(None), Choice::Chosen(None)]);
}

#[test]
fn a_connection_without_its_beginning_is_measured_from_too() {
    let mut script = Script::new();
    script.host(1, ACK, [1_000, 50], 10);
    script.peer(1, FIN, [50, 2_000], 0);
    // The capture had missed 990 octets, which the peer acknowledged.
    assert_eq!(script.host(2, SYN, [2_001, 0], 0), Choice::Chosen(Some(1)));
}

#[test]
fn a_capture_of_one_direction_is_enough() {
    let mut script = Script::new();
    script.host(1, SYN, [7, 0], 0);
    script.host(1, ACK, [8, 10], 92);
    script.host(1, FIN, [100, 10], 0);
    assert_eq!(
        script.host(2, SYN, [7, 0], 0),
        Choice::Chosen(Some(7 - 101))
    );
}

#[test]
fn what_cannot_be_the_hosts_does_not_move_its_mark() {
    let mut script = Script::new();
    script.host(1, SYN, [7, 0], 0);
    // Not answered yet: 70,000 ahead cannot be.
    script.host(1, ACK, [70_000, 0], 10);
    script.peer(1, SYN | ACK, [9, 8], 0);
    script.host(1, ACK, [8, 10], 0);
    script.host(1, ACK, [0x6000_0000, 10], 10);
    script.host(1, RST, [5_000, 0], 0);
    assert_eq!(script.host(2, SYN, [9, 0], 0), Choice::Chosen(Some(1)));
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_early_is_counted() {
    let mut script = Script(Flows::with_room(10));
    let end = |port: u64| format!("198.51.100.1:{}", 1_000 + port);
    for port in 0..40 {
        script.say(["192.0.2.1:99", &end(port)], port / 10, SYN, [1, 0], 0);
        // One that speaks again and again stays.
        script.say(["192.0.2.1:99", &end(0)], port / 10, SYN, [1, 0], 0);
    }
    assert!(script.0.young.len() <= 10 && script.0.old.len() <= 10);
    assert!(script.0.forgotten() >= 20, "{}", script.0.forgotten());
    let known = script.say(["192.0.2.1:99", &end(0)], 4, SYN, [1, 0], 0);
    assert_eq!(known, Choice::Repeated);
    let forgotten = script.say(["192.0.2.1:99", &end(1)], 4, SYN, [1, 0], 0);
    assert_eq!(forgotten, Choice::Chosen(None));
}

#[test]
fn what_was_silent_for_the_horizon_is_forgotten_without_a_note() {
    let mut script = Script(Flows::with_room(10));
    for port in 0..40 {
        let peer = format!("198.51.100.1:{}", 1_000 + port);
        let at = port * HORIZON.as_secs();
        script.say(["192.0.2.1:99", &peer], at, SYN, [1, 0], 0);
    }
    assert_eq!(script.0.forgotten(), 0);
}
