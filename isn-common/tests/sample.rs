//! Samples of initial sequence numbers: which SYNs become one, what it says, and how many a host may give (rules S1, S5, S6
//! say which SYNs open anything).

use isn_common::{
    abi::{
        flow::{Control, Reason, Record, pack},
        policy::{Mode, Policy, Rule},
        sample::{Flags, Sample},
        settings::{Limits, OnFull, Settings},
    },
    counter::Counter,
    flow::{Address, FlowKey as _, Key4, Key6},
    host::Memory,
    opening::Syn,
    settle::{self, Settled},
    siphash::Key,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    tick::Tick,
    world::Tables,
};

const NOW: Tick = Tick(1_000_000);
const HISTORY: u32 = Tick::in_seconds(240);
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
const CLOSED: u32 = OPEN | Control::HOST_FIN | Control::PEER_FIN;

const KEY: Key4 = Key4 {
    host: [192, 0, 2, 10],
    peer: [198, 51, 100, 20],
    host_port: 1025_u16.to_be_bytes(),
    peer_port: 80_u16.to_be_bytes(),
    vlan: 100,
};

/// Guards 192.0.2.0/24 and takes so many samples of a host.
fn memory(mode: Mode, share: u32) -> Memory {
    let mut settings = Settings::new(HISTORY, OnFull::Pass, 0, Key([1, 2]));
    settings.limits.sample_share = share;
    let mut memory = Memory::new(settings);
    let mut rules = [Rule::NONE; Policy::MOST_RULES];
    rules[0] = Rule::new(0, u16::MAX, mode);
    memory.guard(&[192, 0, 2, 0], 24, Policy { rules });
    memory.set_now(NOW);
    memory
}

const fn from(host: [u8; 4], port: u16) -> Key4 {
    Key4 {
        host,
        host_port: port.to_be_bytes(),
        ..KEY
    }
}

/// A SYN as the journey of a packet treats it.
fn syn<A: Address>(memory: &Memory, key: &A::Key, isn: u32, passive: bool) -> Settled
where
    Memory: Tables<A>,
{
    let isn = Seq(isn);
    let mut syn = Syn {
        isn,
        length: 1,
        options: SynOptions::default(),
        offset: Offset(0),
        passive,
        mode: 0,
        sample: 0,
        padding: false,
        host_mark: Seq(0),
        wire_mark: Seq(0),
    };
    let settled = settle::settle(memory, key, &mut syn);
    memory.sample(key, isn, settled.translation().sequence, &syn);
    settled
}

/// The samples since the last look.
fn told(memory: &Memory) -> Vec<Sample> {
    memory.samples.take()
}

fn remember(memory: &Memory, offset: u32, mark: u32, control: u32, idle: u32) {
    let record = Record {
        identity: pack(offset, 7),
        sent: pack(mark, NOW.0 - idle),
        received: pack(mark, 5),
        stamps: 0,
        life: pack(control, NOW.0 - idle),
    };
    memory.history_v4.put(KEY, &record);
}

#[test]
fn every_host_is_sampled_and_the_sample_says_what_there_is_to_say() {
    let memory = memory(Mode::Monotonic, 10);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    let stranger = Key6 {
        host: [0x20; 16],
        peer: [0x21; 16],
        host_port: [0, 22],
        peer_port: [4, 1],
        vlan: 0,
    };
    syn::<[u8; 16]>(&memory, &stranger, 0, true);
    let mapped = |last: [u8; 4]| {
        let mut address = [0; 16];
        (address[10], address[11]) = (0xff, 0xff);
        address[12..].copy_from_slice(&last);
        address
    };
    let wanted = [
        Sample {
            at: u64::from(NOW.0) << Tick::SHIFT,
            host: mapped(KEY.host),
            peer: mapped(KEY.peer),
            host_port: KEY.host_port,
            peer_port: KEY.peer_port,
            vlan: 100,
            host_isn: 1_000,
            wire_isn: 1_000,
            host_mark: 0,
            wire_mark: 0,
            flags: Flags::of_mode(Some(Mode::Monotonic))
                .with(Flags::WANTED | Flags::KEPT)
                .with_reason(Reason::New as u32),
            timestamp_offset: 0,
        },
        Sample {
            at: u64::from(NOW.0) << Tick::SHIFT,
            host: stranger.host,
            peer: stranger.peer,
            host_port: stranger.host_port,
            peer_port: stranger.peer_port,
            vlan: 0,
            host_isn: 0,
            wire_isn: 0,
            host_mark: 0,
            wire_mark: 0,
            flags: Flags::of_mode(None)
                .with(Flags::WANTED | Flags::PASSIVE)
                .with_reason(Reason::NotGuarded as u32),
            timestamp_offset: 0,
        },
    ];
    assert_eq!(told(&memory), wanted);
    assert_eq!(memory.counter(Counter::SamplesTaken), 2);
}

#[test]
fn a_number_that_was_moved_is_told_with_both_ends_of_the_incarnation_before() {
    let memory = memory(Mode::Monotonic, 10);
    remember(&memory, 700, 5_000_700, CLOSED, 10);
    let settled = syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    let [sample] = told(&memory)[..] else {
        panic!("one SYN, one sample");
    };
    assert!(matches!(settled, Settled::Rewritten(_)));
    assert_eq!(
        sample.wire_isn,
        1_000_u32.wrapping_add(settled.translation().sequence.0)
    );
    assert_eq!((sample.host_mark, sample.wire_mark), (5_000_000, 5_000_700));
    assert!(sample.flags.has(Flags::REMEMBERED | Flags::MARKED));
}

#[test]
fn observed_hosts_leave_with_their_own_number() {
    let memory = memory(Mode::Observe, 10);
    remember(&memory, 0, 5_000_000, CLOSED, 10);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    let samples = told(&memory);
    assert_eq!(samples[0].wire_isn, 1_000);
    assert_eq!(samples[0].host_mark, 5_000_000);
    assert_eq!(samples[0].flags.mode(), Some(Mode::Observe));
}

#[test]
fn what_opens_nothing_is_no_sample() {
    let memory = memory(Mode::Monotonic, 10);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    assert_eq!(told(&memory).len(), 1, "S5: repeated");
    syn::<[u8; 4]>(&memory, &KEY, 1_001, false);
    let again = told(&memory);
    assert_eq!(again[0].host_isn, 1_001, "chosen anew");
    assert_eq!(again[0].wire_isn, 1_000, "S5: to the peer the same SYN");
    assert!(again[0].flags.has(Flags::REMEMBERED) && !again[0].flags.has(Flags::MARKED));

    let memory = self::memory(Mode::Monotonic, 10);
    remember(&memory, 0, 5_000_000, OPEN, 10);
    syn::<[u8; 4]>(&memory, &KEY, 9, false);
    assert!(told(&memory).is_empty(), "S6: a live flow");
}

#[test]
fn an_end_counts_only_if_the_peer_had_answered_and_it_is_not_long_ago() {
    for (control, idle, remembered, marked) in [
        (CLOSED, HISTORY - 1, true, true),
        (CLOSED, HISTORY, false, false),
        (OPEN, HISTORY, false, false),
        (Control::HOST_SYN | Control::PEER_RST, 10, true, false),
    ] {
        let memory = memory(Mode::Monotonic, 10);
        remember(&memory, 0, 5_000_000, control, idle);
        syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
        let samples = told(&memory);
        let flags = samples[0].flags;
        assert_eq!(flags.has(Flags::REMEMBERED), remembered, "{control:#x}");
        assert_eq!(flags.has(Flags::MARKED), marked, "{control:#x} {idle}");
    }
}

#[test]
fn s18_a_syn_that_finds_no_room_is_told_and_is_no_sample() {
    let mut memory = memory(Mode::Monotonic, 10);
    let mut settings = Settings::new(HISTORY, OnFull::Drop, 0, Key([1, 2]));
    settings.limits = Limits {
        sample_share: 10,
        max_flows: 0,
        ..Limits::DEFAULT
    };
    memory.set(settings);
    remember(&memory, 0, 5_000_000, CLOSED, 10);
    let settled = syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    assert!(matches!(settled, Settled::Drop(_)));
    let [refused] = told(&memory)[..] else {
        panic!("one SYN, one decision");
    };
    assert!(refused.flags.has(Flags::REFUSED) && !refused.flags.is_sample());
    assert_eq!(refused.flags.reason(), Some(Reason::TableFull));
    assert_eq!((refused.host_isn, refused.wire_isn), (1_000, 1_000));
}

#[test]
fn the_reason_is_told_and_what_was_done_to_timestamps() {
    let memory = memory(Mode::Monotonic, 10);
    remember(&memory, 0, 5_000_000, CLOSED, 10);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    syn::<[u8; 4]>(&memory, &KEY, 2_000, false);
    syn::<[u8; 4]>(&memory, &on_port(9), 2_000, false);
    let reasons: Vec<_> = told(&memory).iter().map(|it| it.flags.reason()).collect();
    let wanted = [Reason::Regressed, Reason::Resent, Reason::New].map(Some);
    assert_eq!(reasons, wanted);
}

#[test]
fn of_a_flow_that_is_not_remembered_no_reason_is_known() {
    let mut memory = memory(Mode::Monotonic, 10);
    let mut settings = Settings::new(HISTORY, OnFull::Pass, 0, Key([1, 2]));
    settings.limits = Limits {
        sample_share: 10,
        half_open_share: 0,
        ..Limits::DEFAULT
    };
    memory.set(settings);
    syn::<[u8; 4]>(&memory, &KEY, 1_000, false);
    let [sample] = told(&memory)[..] else {
        panic!("one SYN, one sample");
    };
    assert_eq!(sample.flags.reason(), None);
    assert!(!sample.flags.has(Flags::KEPT) && sample.flags.is_sample());
}

#[test]
fn senders_that_no_host_can_be_are_not_sampled_and_nobody_is_without_a_share() {
    let memory = memory(Mode::Monotonic, 10);
    for host in [[0; 4], [127, 0, 0, 1], [224, 0, 0, 1], KEY.peer] {
        syn::<[u8; 4]>(&memory, &from(host, 1), 1, false);
    }
    assert!(told(&memory).is_empty());
    let silent = self::memory(Mode::Monotonic, 0);
    syn::<[u8; 4]>(&silent, &KEY, 1, false);
    assert!(told(&silent).is_empty());
    assert_eq!(silent.counter(Counter::SamplesLimited), 0);
}

#[test]
fn a_host_gives_its_share_a_second_and_takes_nothing_from_others() {
    let memory = memory(Mode::Monotonic, 3);
    for port in 1..=10 {
        syn::<[u8; 4]>(&memory, &on_port(port), port.into(), false);
    }
    assert_eq!(told(&memory).len(), 3, "the first ones, in a row");
    assert_eq!(memory.counter(Counter::SamplesLimited), 7);
    syn::<[u8; 4]>(&memory, &from([192, 0, 2, 11], 1), 1, false);
    assert_eq!(told(&memory).len(), 1);
    memory.set_now(Tick(NOW.0 + Limits::SAMPLE_WINDOW - 1));
    syn::<[u8; 4]>(&memory, &on_port(11), 1, false);
    assert_eq!(told(&memory).len(), 0);
    memory.set_now(Tick(NOW.0 + Limits::SAMPLE_WINDOW));
    syn::<[u8; 4]>(&memory, &on_port(12), 1, false);
    assert_eq!(told(&memory).len(), 1, "a new second");
}

/// The key above, from another port.
const fn on_port(port: u16) -> Key4 {
    from(KEY.host, port)
}

#[test]
fn senders_outside_the_guarded_prefixes_cannot_use_up_a_guarded_host_s_share() {
    let cell = |key: &Key4| key.fold_host() % 2048;
    let strangers = (0..u16::MAX).map(|low| {
        let [a, b] = low.to_be_bytes();
        from([203, 0, a, b], 1)
    });
    let twin = strangers
        .into_iter()
        .find(|key| cell(key) == cell(&KEY))
        .expect("one in 2048 shares the cell");
    let memory = memory(Mode::Monotonic, 5);
    for isn in 0..100 {
        syn::<[u8; 4]>(&memory, &twin, isn, false);
    }
    assert_eq!(told(&memory).len(), 5);
    syn::<[u8; 4]>(&memory, &KEY, 1, false);
    assert_eq!(told(&memory).len(), 1);
}

#[test]
fn what_finds_no_room_is_lost_and_counted() {
    let memory = memory(Mode::Monotonic, 100);
    memory.room_for_samples.set(2);
    for port in 1..=5 {
        syn::<[u8; 4]>(&memory, &on_port(port), 1, false);
    }
    assert_eq!(told(&memory).len(), 2);
    assert_eq!(memory.counter(Counter::SamplesTaken), 2);
    assert_eq!(memory.counter(Counter::SamplesLost), 3);
}
