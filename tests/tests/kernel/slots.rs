//! The table of translated flows in the kernel: slots, and what lies beside them where sets are full (S16).

use std::time::{Duration, Instant};

use isn_common::{
    abi::flow::Record,
    expiry::Place,
    flow::Key4,
    upkeep::{Header, Task},
};
use isn_tests::{
    test_run::{Hook, Kernel, Processor},
    two_worlds::{prelude::*, state::State},
};

use crate::upkeep::{ESTABLISHED, HISTORY, key, request, silent, state};

/// Room for 100 flows: 136 slots, and 100 places beside them.
const ROOM: Room = Room {
    translated: 40,
    ..Room::AMPLE
};
/// More than the sets that get most can hold, in whatever way so many spread over them.
const FLOWS: u16 = 140;
const OFFSET: u32 = 5;

fn kernel(processor: Processor) -> Kernel {
    let mut kernel = Kernel::on(processor, Hook::Xdp, ROOM).expect("the kernel takes the programs");
    kernel.set(&default_settings()).expect("settings");
    kernel
        .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
        .expect("policy");
    kernel
}

/// Has the programs put in, or remove, flows of these ports; how many.
fn upkeep(
    kernel: &Kernel,
    task: Task,
    ports: impl Iterator<Item = u16>,
    record: Option<Record>,
) -> u32 {
    let flows: Vec<(Key4, Option<Record>)> = ports.map(|port| (key(port), record)).collect();
    flows
        .chunks(Header::MOST_FLOWS)
        .map(|some| {
            kernel
                .upkeep(&request(task, Place::Translated, some))
                .expect("a run")
        })
        .sum()
}

/// Whether a packet of the port's flow leaves with the flow's offset.
fn is_translated(kernel: &Kernel, port: u16) -> bool {
    let before = kernel.counters().expect("counters");
    let frame = Carrier::v4()
        .from_port(port)
        .frame(&host_data(4_999_990, PEER_ISN, b"data"));
    assert!(kernel.run(Outbound, &frame).expect("a run").passes);
    let counter = Counter::PacketsTranslatedOut.index();
    kernel.counters().expect("counters")[counter] != before[counter]
}

fn what_finds_its_set_full(processor: Processor) {
    let mut kernel = kernel(processor);
    let open = silent(ESTABLISHED, OFFSET, 0);
    let ports = || 1..=FLOWS;
    assert_eq!(
        upkeep(&kernel, Task::Restore, ports(), Some(open)),
        u32::from(FLOWS)
    );
    // Reading fails on a flow that is in two places.
    let there = state(&mut kernel).translated_v4;
    assert_eq!(there.len(), usize::from(FLOWS));
    assert!(there.values().all(|record| *record == open));
    let beside = kernel
        .flows4(Place::Translated)
        .overflowing()
        .expect("a count");
    assert!((4..=100).contains(&beside), "{beside} beside");
    assert!(ports().all(|port| is_translated(&kernel, port)));
    assert!(!is_translated(&kernel, FLOWS + 1));
    // Once more, they are there already.
    assert_eq!(upkeep(&kernel, Task::Restore, ports(), Some(open)), 0);
    assert_eq!(
        kernel
            .flows4(Place::Translated)
            .overflowing()
            .expect("a count"),
        beside
    );
}

#[test]
fn what_finds_its_set_full_lies_beside_and_is_found() {
    what_finds_its_set_full(Processor::This);
}

#[test]
fn and_so_it_does_where_processors_reorder_reads() {
    what_finds_its_set_full(Processor::ReordersReads);
}

#[test]
fn what_is_removed_leaves_room_in_slots_and_beside() {
    let mut kernel = kernel(Processor::This);
    let over = silent(ESTABLISHED, 0, 2 * HISTORY + 1);
    let ports = || 1..=FLOWS;
    for round in 0..3 {
        // A slot that was given up can be had again after a second.
        let deadline = Instant::now() + Duration::from_mins(1);
        let mut there = 0;
        while there < u32::from(FLOWS) {
            there += upkeep(&kernel, Task::Restore, ports(), Some(over));
            assert!(Instant::now() < deadline, "round {round}: {there} flows");
        }
        assert_eq!(
            upkeep(&kernel, Task::Expire, ports(), None),
            u32::from(FLOWS),
            "round {round}"
        );
        assert_eq!(state(&mut kernel), State::default());
        assert_eq!(
            kernel
                .flows4(Place::Translated)
                .overflowing()
                .expect("a count"),
            0
        );
        assert_eq!(kernel.load().expect("a count"), [0; 2]);
    }
}
