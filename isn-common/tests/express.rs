//! The short cut does what the general way does, or nothing at all.

use std::fmt::Debug;

use isn_common::{
    abi::{
        flow::{Control, Previous, Record, pack},
        settings::{OnFull, Settings},
    },
    checksum::Change,
    counter::Counter,
    datapath::{Step, first_look},
    express,
    flow::{Direction, Key4, Vlan},
    host::{Frame, Memory},
    packet::Packet,
    siphash::Key,
    tick::Tick,
    verdict::Verdict,
};
use proptest::prelude::*;

const HISTORY: u32 = Tick::in_seconds(240);
const NOW: Tick = Tick(1_000_000);
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
const ACK: u8 = 0x10;
/// What lies behind a TCP header without options.
const DATA: usize = 54;

const KEY: Key4 = Key4 {
    host: [192, 0, 2, 10],
    peer: [198, 51, 100, 20],
    host_port: 40_000_u16.to_be_bytes(),
    peer_port: 80_u16.to_be_bytes(),
    vlan: 0,
};
/// The host's first number, where it stands on the wire, and what the wire has seen up to.
const ISN: u32 = 1_000;
const WIRE_ISN: u32 = 5_100_000;
const MARK: u32 = WIRE_ISN + 10_000;
const OFFSET: u32 = WIRE_ISN - ISN;
const PEER: u32 = 900_000_000;

fn record(control: u32, offset: u32) -> Record {
    Record {
        identity: pack(offset, WIRE_ISN.wrapping_sub(offset)),
        sent: pack(MARK, NOW.0 - 1000),
        received: pack(MARK + 65_535, PEER),
        stamps: pack(0, 7),
        life: pack(control, NOW.0 - 100),
    }
}

/// [`KEY`] in the VLAN of a segment.
fn key(sent: &Sent) -> Key4 {
    let tags = sent.stripped.iter().chain(sent.tag.as_ref());
    Key4 {
        vlan: tags.fold(Vlan::UNTAGGED, |vlan, tag| vlan.tagged(*tag)).0,
        ..KEY
    }
}

/// A world with this flow, whose incarnation before ended where the wire number below the new one's lies.
fn memory(record: &Record, key: Key4) -> Memory {
    let memory = Memory::new(Settings::new(HISTORY, OnFull::Pass, 0, Key([1, 2])));
    memory.set_now(NOW);
    if record.translation().is_none() {
        memory.history_v4.put(key, record);
    } else {
        memory.translated_v4.put(key, record);
    }
    let previous = Previous {
        offset: 700,
        high_water: WIRE_ISN - 100_000,
        ended: NOW.0 - 10,
        timestamp_offset: 3,
    };
    memory.previous_v4.borrow_mut().insert(key, previous);
    memory
}

#[derive(Clone, Debug)]
struct Sent {
    direction: Direction,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    options: Vec<u8>,
    data: usize,
    /// The tag (TCI) in the frame, and the one that the device has taken out.
    tag: Option<u16>,
    stripped: Option<u16>,
}

fn frame(sent: &Sent) -> Frame {
    let (from, to) = match sent.direction {
        Direction::Outbound => ((KEY.host, KEY.host_port), (KEY.peer, KEY.peer_port)),
        Direction::Inbound => ((KEY.peer, KEY.peer_port), (KEY.host, KEY.host_port)),
    };
    let header = 20 + sent.options.len();
    let total = u16::try_from(20 + header + sent.data).expect("short");
    let words = u8::try_from(header / 4).expect("short");
    let mut octets = vec![2; 12];
    if let Some(tag) = sent.tag {
        octets.extend([0x81, 0]);
        octets.extend(tag.to_be_bytes());
    }
    octets.extend([8, 0, 0x45, 0]);
    octets.extend(total.to_be_bytes());
    octets.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
    octets.extend(from.0);
    octets.extend(to.0);
    octets.extend(from.1);
    octets.extend(to.1);
    octets.extend(sent.sequence.to_be_bytes());
    octets.extend(sent.acknowledgment.to_be_bytes());
    octets.extend([words << 4, sent.flags, 1, 0, 0xab, 0xcd, 0, 0]);
    octets.extend(&sent.options);
    octets.extend(vec![0x5a; sent.data]);
    Frame {
        stripped_tag: sent.stripped,
        ..Frame::new(octets)
    }
}

/// The short cut for such a frame; the one for others leaves it alone.
fn run<P: Packet + Clone + PartialEq + Debug>(
    packet: &mut P,
    memory: &Memory,
    sent: &Sent,
) -> Option<Verdict> {
    let before = packet.clone();
    let done = |verdict| verdict;
    assert_eq!(express::is_tagged(packet), sent.tag.is_some());
    let (verdict, elsewhere) = if sent.tag.is_some() {
        let elsewhere = express::run(packet, memory, sent.direction, done);
        assert_eq!(*packet, before);
        let verdict = express::run_tagged(packet, memory, sent.direction, done);
        (verdict, elsewhere)
    } else {
        let elsewhere = express::run_tagged(packet, memory, sent.direction, done);
        assert_eq!(*packet, before);
        (
            express::run(packet, memory, sent.direction, done),
            elsewhere,
        )
    };
    assert_eq!(elsewhere, None);
    verdict
}

/// A frame of which no more than the first octets are within reach, which something could change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cut(Frame, usize);

impl Packet for Cut {
    fn length(&self) -> u32 {
        self.0.length()
    }

    fn is_at_hand(&self, end: usize) -> bool {
        end <= self.1
    }

    fn load<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        (at + N <= self.1).then(|| self.0.load(at))?
    }

    fn store<const N: usize>(&mut self, at: usize, octets: [u8; N]) -> Option<()> {
        self.0.store(at, octets)
    }

    fn update_checksum(&mut self, at: usize, change: Change) -> Option<()> {
        self.0.update_checksum(at, change)
    }
}

type State = (Option<Record>, Option<Record>, Vec<u64>);

fn state(memory: &Memory, key: &Key4) -> State {
    (
        memory.translated_v4.record(key),
        memory.history_v4.record(key),
        Counter::ALL.iter().map(|it| memory.counter(*it)).collect(),
    )
}

/// What the short cut gives for a frame, once it is seen to be what the general way gives, or to have changed nothing.
fn short_cut(record: &Record, sent: &Sent) -> Option<Verdict> {
    let (before, key) = (frame(sent), key(sent));
    let (mut here, mut there) = (before.clone(), before.clone());
    let world = || memory(record, key);
    let (short, general, untouched) = (world(), world(), world());
    let verdict = run(&mut here, &short, sent);
    if let Some(verdict) = verdict {
        let step = first_look(&mut there, &general, sent.direction);
        assert_eq!(step, Step::Done(verdict), "{record:x?} {sent:x?}");
        assert_eq!(here, there, "{record:x?} {sent:x?}");
        assert_eq!(
            state(&short, &key),
            state(&general, &key),
            "{record:x?} {sent:x?}"
        );
    } else {
        assert_eq!(here, before, "{record:x?} {sent:x?}");
        assert_eq!(
            state(&short, &key),
            state(&untouched, &key),
            "{record:x?} {sent:x?}"
        );
    }
    verdict
}

fn near(mark: u32) -> impl Strategy<Value = u32> {
    prop_oneof![
        (-20_000i32..20_000).prop_map(move |by| mark.wrapping_add_signed(by)),
        Just(mark),
        any::<u32>(),
    ]
}

fn options() -> impl Strategy<Value = Vec<u8>> {
    let stamps = [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
    let mut sacks = stamps.to_vec();
    sacks.extend([1, 1, 5, 10]);
    sacks.extend((MARK - 500).to_be_bytes());
    sacks.extend((MARK - 100).to_be_bytes());
    prop_oneof![
        Just(Vec::new()),
        Just(stamps.to_vec()),
        Just(sacks),
        prop::collection::vec(any::<u8>(), 0..10).prop_map(|words| words.repeat(4)),
    ]
}

/// None, a VLAN's, or a priority tag.
fn tags() -> impl Strategy<Value = Option<u16>> {
    prop_oneof![3 => Just(None), 2 => any::<u16>().prop_map(Some), 1 => Just(Some(0x2000))]
}

prop_compose! {
    fn segments()(
        outbound: bool,
        host in near(MARK.wrapping_sub(OFFSET)),
        late in (WIRE_ISN - 130_000..WIRE_ISN - 70_000).prop_map(|wire| wire - 700),
        is_late in prop::bool::weighted(0.2),
        on_wire in near(MARK),
        peer in near(PEER),
        flags in prop_oneof![Just(ACK), Just(ACK | 8), any::<u8>()],
        options in options(),
        data in prop_oneof![Just(0usize), 1..3000usize],
        tag in tags(),
        stripped in tags(),
    ) -> Sent {
        let host = if is_late { late } else { host };
        let (direction, sequence, acknowledgment) = if outbound {
            (Direction::Outbound, host, peer)
        } else {
            (Direction::Inbound, peer, on_wire)
        };
        Sent { direction, sequence, acknowledgment, flags, options, data, tag, stripped }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn it_does_what_the_general_way_does(
        control in prop_oneof![Just(OPEN), Just(OPEN | Control::PREVIOUS), any::<u32>().prop_map(|bits| bits & !Control::CLAIMED)],
        offset in prop_oneof![Just(OFFSET), Just(0u32), any::<u32>()],
        sent in segments(),
    ) {
        short_cut(&record(control, offset), &sent);
    }

    /// Whatever is not at hand was not translated in part, nor has it been noted.
    #[test]
    fn headers_that_are_not_at_hand_are_left(options in options(), outbound: bool, tag in tags(), linear in 18..160usize) {
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        let (sequence, acknowledgment) = if outbound { (MARK - OFFSET, PEER) } else { (PEER, MARK) };
        let sent = Sent { direction, sequence, acknowledgment, flags: ACK, options, data: 200, tag, stripped: None };
        let before = Cut(frame(&sent), linear);
        let mut after = before.clone();
        let known = record(OPEN, OFFSET);
        let key = key(&sent);
        let (here, untouched) = (memory(&known, key), memory(&known, key));
        let verdict = run(&mut after, &here, &sent);
        let is_at_hand = linear >= DATA + sent.options.len() + sent.tag.map_or(0, |_| 4);
        prop_assert_eq!(verdict.is_some(), is_at_hand);
        prop_assert_eq!(after == before, !is_at_hand);
        if !is_at_hand {
            prop_assert_eq!(state(&here, &key), state(&untouched, &key));
        }
    }
}

/// Nearly all translated flows have an incarnation before them.
#[test]
fn a_flow_with_an_incarnation_before_it_takes_the_short_cut_unless_it_may_be_late() {
    let known = record(OPEN | Control::PREVIOUS, OFFSET);
    let sent = |direction, sequence, acknowledgment| Sent {
        direction,
        sequence,
        acknowledgment,
        flags: ACK,
        options: Vec::new(),
        data: 100,
        tag: None,
        stripped: None,
    };
    let next = MARK - OFFSET;
    for (sequence, verdict) in [
        (next, Some(Verdict::TranslatedOut)),
        (next - 1_000, Some(Verdict::TranslatedOut)),
        (ISN, Some(Verdict::TranslatedOut)),
        // Behind a gap, before its first octet, and where the incarnation before sent.
        (next + 1, None),
        (ISN - 1, None),
        (WIRE_ISN - 100_800, None),
    ] {
        let sent = sent(Direction::Outbound, sequence, PEER);
        assert_eq!(short_cut(&known, &sent), verdict, "{sequence}");
    }
    for acknowledgment in [MARK, MARK - 5_000, WIRE_ISN - 100_000] {
        let sent = sent(Direction::Inbound, PEER, acknowledgment);
        assert_eq!(short_cut(&known, &sent), Some(Verdict::TranslatedIn));
    }
}
