//! The marks of a flow under several CPUs: whoever writes last must not set them back (S21), or they would stop following
//! and the next reopening would go unprotected.

use std::cell::Cell;

use isn_common::{
    abi::flow::{Control, Flow, Record, Word, pack},
    connection::{inbound, outbound, peer_syn},
    segment::Segment,
    tcp::{flags::Flags, options::SynOptions, seq::Seq},
    tick::Tick,
};

const NOW: Tick = Tick(500);
const ESTABLISHED: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;

/// A word into which another CPU writes just before this one's first write.
struct Contended {
    value: Cell<u64>,
    other: Cell<Option<u64>>,
}

impl Contended {
    fn new(value: u64, other: Option<u64>) -> Self {
        Self {
            value: Cell::new(value),
            other: Cell::new(other),
        }
    }

    fn meanwhile(&self) {
        if let Some(value) = self.other.take() {
            self.value.set(value);
        }
    }
}

impl Word for Contended {
    fn load(&self) -> u64 {
        self.value.get()
    }

    fn store(&self, value: u64) {
        self.meanwhile();
        self.value.set(value);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        self.meanwhile();
        let same = self.value.get() == current;
        if same {
            self.value.set(new);
        }
        same
    }
}

/// High-water mark 10,000, opened at tick 1; right edge 11,000; the peer stands at 50,000. Another CPU writes `sent` and
/// `received`.
fn flow(control: u32, sent: Option<u64>, received: Option<u64>) -> Flow<Contended> {
    Flow {
        identity: Contended::new(pack(900, 99), None),
        sent: Contended::new(pack(10_000, 1), sent),
        received: Contended::new(pack(11_000, 50_000), received),
        stamps: Contended::new(0, None),
        life: Contended::new(pack(control, NOW.0), None),
    }
}

fn segment(flags: u8, sequence: u32, acknowledgment: u32, data: u32) -> Segment {
    Segment {
        at: 34,
        payload_at: 54,
        payload_length: data,
        is_whole: true,
        sequence: Seq(sequence),
        acknowledgment: Seq(acknowledgment),
        flags: Flags(flags),
        window: 1_000,
        source_port: 1,
        destination_port: 2,
    }
}

/// The host sends up to 10,500 while another CPU writes `sent`.
fn after_data(sent: u64) -> Record {
    let flow = flow(ESTABLISHED, Some(sent), None);
    let data = segment(Flags::ACK, 9_100, 50_000, 500);
    outbound(&flow, &flow.record(), &data, NOW);
    flow.record()
}

#[test]
fn the_high_water_mark_stays_where_another_cpu_has_moved_it() {
    assert_eq!(after_data(pack(10_900, 1)).high_water(), Seq(10_900));
}

#[test]
fn the_high_water_mark_goes_on_from_where_another_cpu_has_moved_it() {
    assert_eq!(after_data(pack(10_200, 1)).high_water(), Seq(10_500));
}

#[test]
fn data_of_the_incarnation_before_does_not_move_the_mark_of_one_just_opened() {
    assert_eq!(after_data(pack(10_200, 2)).high_water(), Seq(10_200));
}

/// The peer sends up to 50,100 and its right edge moves to 11,500, while another CPU writes `received`.
fn after_answer(received: u64) -> (Seq, Seq) {
    let flow = flow(ESTABLISHED, Some(0), Some(received));
    flow.sent.value.set(pack(10_600, 1));
    inbound(
        &flow,
        &flow.record(),
        &segment(Flags::ACK, 50_000, 10_500, 100),
        NOW,
    );
    let record = flow.record();
    (record.right_edge(), record.peer_next())
}

#[test]
fn each_mark_of_the_peer_becomes_the_later_one() {
    assert_eq!(
        after_answer(pack(11_900, 50_000)),
        (Seq(11_900), Seq(50_100))
    );
    assert_eq!(
        after_answer(pack(11_100, 50_400)),
        (Seq(11_500), Seq(50_400))
    );
    assert_eq!(
        after_answer(pack(11_900, 50_400)),
        (Seq(11_900), Seq(50_400))
    );
}

#[test]
fn the_peers_syn_sets_its_number_whatever_another_cpu_has_written() {
    let flow = flow(Control::HOST_SYN, None, Some(pack(11_300, 60_000)));
    let syn = segment(Flags::SYN, 7_000, 0, 0);
    peer_syn(&flow, &syn, &SynOptions::default(), NOW);
    let record = flow.record();
    assert_eq!(
        (record.right_edge(), record.peer_next()),
        (Seq(11_300), Seq(7_001))
    );
}
