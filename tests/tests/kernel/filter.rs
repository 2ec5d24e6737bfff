//! The filter of guarded hosts before the tables (`isn_common::filter`): plain packets of all other hosts are not looked up, and no flow that a
//! table has is missed.

use isn_common::{
    abi::flow::{Reason, pack},
    expiry::Place,
    upkeep::{Header, Task},
};
use isn_tests::{
    packet_builder::carrier::{HOST4, HOST6},
    test_run::{Hook, Kernel, clock},
    two_worlds::{prelude::*, state::State},
};

const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
const OFFSET: u32 = 5;

/// A kernel whose policy guards nobody and never has.
fn kernel(hook: Hook) -> Kernel {
    let mut kernel = Kernel::new(hook, Room::AMPLE).expect("the kernel takes the programs");
    kernel.set(&default_settings()).expect("settings");
    kernel
}

fn guard(kernel: &mut Kernel) {
    let policy = everywhere(Mode::Monotonic);
    kernel.guard4(HOST4, 24, &policy).expect("policy");
    kernel.guard6(HOST6, 48, &policy).expect("policy");
}

/// A flow with an offset.
fn record() -> Record {
    let now = clock::now().0;
    Record {
        identity: pack(OFFSET, 7),
        sent: pack(5_000_000, now),
        received: pack(5_065_535, PEER_ISN),
        stamps: 0,
        life: pack(Control(OPEN).with_reason(Reason::Regressed).0, now),
    }
}

/// The carrier's flow in the table of translated ones, past the programs.
fn put(kernel: &mut Kernel, carrier: &Carrier) {
    let mut state = State::default();
    if let Some(key) = carrier.key4() {
        state.translated_v4.insert(key, record());
    }
    if let Some(key) = carrier.key6() {
        state.translated_v6.insert(key, record());
    }
    state.write_to(kernel).expect("the maps can be written");
}

/// A request to restore the carrier's flow.
fn restore(carrier: &Carrier) -> Vec<u8> {
    let header = Header {
        task: Task::Restore,
        place: Place::Translated,
        is_v6: carrier.key6().is_some(),
    };
    let mut octets = header.to_octets().to_vec();
    if let Some(key) = carrier.key4() {
        octets.extend([key.host, key.peer].concat());
        octets.extend([key.host_port, key.peer_port].concat());
        octets.extend(key.vlan.to_ne_bytes());
    }
    if let Some(key) = carrier.key6() {
        octets.extend([key.host, key.peer].concat());
        octets.extend([key.host_port, key.peer_port].concat());
        octets.extend(key.vlan.to_ne_bytes());
    }
    let record = record();
    for word in [
        record.identity,
        record.sent,
        record.received,
        record.stamps,
        record.life,
    ] {
        octets.extend(word.to_ne_bytes());
    }
    octets
}

/// Plain packets of an open flow, both ways, and what counts them where they are translated.
fn packets(carrier: &Carrier) -> [(Direction, Vec<u8>, Counter); 2] {
    let data = host_data(4_999_995, PEER_ISN, b"data");
    let answer = peer_ack(PEER_ISN, 5_000_000);
    [
        (
            Outbound,
            carrier.frame(&data),
            Counter::PacketsTranslatedOut,
        ),
        (
            Inbound,
            carrier.frame(&answer),
            Counter::PacketsTranslatedIn,
        ),
    ]
}

/// What a packet is counted as, and whether it leaves as it came.
fn outcome(kernel: &Kernel, direction: Direction, frame: &[u8]) -> (Vec<Counter>, bool) {
    let before = kernel.counters().expect("counters");
    let ran = kernel.run(direction, frame).expect("a run");
    assert!(ran.passes);
    let after = kernel.counters().expect("counters");
    let counted = |it: &Counter| after[it.index()] != before[it.index()];
    let counters = Counter::ALL.iter().copied().filter(counted).collect();
    (counters, ran.frame == frame)
}

fn are_translated(kernel: &Kernel, carrier: &Carrier, because: &str) {
    for (direction, frame, counter) in packets(carrier) {
        assert_eq!(
            outcome(kernel, direction, &frame),
            (vec![counter], false),
            "{because}: {direction:?}"
        );
    }
}

/// That there is no lookup is shown by a record that one would find.
#[test]
fn hosts_that_were_never_guarded_are_not_looked_up() {
    for hook in [Hook::Xdp, Hook::Tc] {
        for carrier in [Carrier::v4(), Carrier::v6()] {
            let mut kernel = kernel(hook);
            put(&mut kernel, &carrier);
            for (direction, frame, _) in packets(&carrier) {
                let passed = (vec![Counter::PassNoFlow], true);
                assert_eq!(outcome(&kernel, direction, &frame), passed, "{hook:?}");
            }
            guard(&mut kernel);
            are_translated(&kernel, &carrier, "S9: a prefix is guarded now");
            kernel.unguard_all().expect("policy");
            are_translated(&kernel, &carrier, "S1: flows outlive their policy");
        }
    }
}

#[test]
fn flows_that_are_restored_are_found_whoever_is_guarded() {
    for carrier in [Carrier::v4(), Carrier::v6()] {
        let kernel = kernel(Hook::Xdp);
        let done = kernel.upkeep(&restore(&carrier)).expect("a run");
        assert_eq!(done, 1);
        are_translated(&kernel, &carrier, "S16: what was saved has its offset");
    }
}
