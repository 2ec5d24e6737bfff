//! Entries removed after their time and put back from what was saved, by the data plane's own program (S8, S16).

use std::sync::{
    Barrier,
    atomic::{AtomicU64, Ordering},
};

use isn_common::{
    abi::{
        flow::{Reason, pack},
        maps,
    },
    expiry::Place,
    flow::Key4,
    upkeep::{Header, Task},
};
use isn_tests::{
    test_run::{Hook, Kernel, clock},
    two_worlds::{prelude::*, state::State},
};

pub(crate) const ESTABLISHED: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
const CLOSED: u32 = ESTABLISHED | Control::HOST_FIN | Control::PEER_FIN;
/// A history of 240 s, in ticks.
pub(crate) const HISTORY: u32 = Tick::in_seconds(240);

pub(crate) fn kernel() -> Kernel {
    let mut kernel = Kernel::new(Hook::Xdp, Room::AMPLE).expect("the kernel takes the programs");
    kernel.set(&default_settings()).expect("settings");
    kernel
        .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
        .expect("policy");
    kernel
}

fn carrier(port: u16) -> Carrier {
    Carrier::v4().from_port(port)
}

pub(crate) fn key(port: u16) -> Key4 {
    carrier(port).key4().expect("an IPv4 carrier")
}

/// A flow with this offset, silent for so many ticks.
pub(crate) fn silent(control: u32, offset: u32, ticks: u32) -> Record {
    let seen = clock::now().0.wrapping_sub(ticks);
    Record {
        identity: pack(offset, 7),
        sent: pack(5_000_000, seen),
        received: pack(5_065_535, PEER_ISN),
        stamps: 0,
        life: pack(Control(control).with_reason(Reason::Regressed).0, seen),
    }
}

pub(crate) fn request(task: Task, place: Place, flows: &[(Key4, Option<Record>)]) -> Vec<u8> {
    let is_v6 = false;
    let mut octets = Header { task, place, is_v6 }.to_octets().to_vec();
    for (key, record) in flows {
        octets.extend([key.host, key.peer].concat());
        octets.extend([key.host_port, key.peer_port].concat());
        octets.extend(key.vlan.to_ne_bytes());
        for word in record
            .iter()
            .flat_map(|it| [it.identity, it.sent, it.received, it.stamps, it.life])
        {
            octets.extend(word.to_ne_bytes());
        }
    }
    octets
}

pub(crate) fn keys(ports: impl IntoIterator<Item = u16>) -> Vec<(Key4, Option<Record>)> {
    ports.into_iter().map(|port| (key(port), None)).collect()
}

pub(crate) fn put(kernel: &mut Kernel, state: &State) {
    state.write_to(kernel).expect("the maps can be written");
}

pub(crate) fn state(kernel: &mut Kernel) -> State {
    State::read(kernel).expect("the maps can be read")
}

#[test]
fn what_is_over_goes_and_what_may_live_stays() {
    let mut kernel = kernel();
    let mut before = State::default();
    let idle = default_settings().limits.idle;
    for (port, record) in [
        (1, silent(ESTABLISHED, 5, 2 * HISTORY)),
        (2, silent(ESTABLISHED, 5, idle + 1)),
        (3, silent(CLOSED, 5, 2 * HISTORY + 1)),
        (4, silent(CLOSED, 5, HISTORY)),
        (5, silent(ESTABLISHED | Control::CLAIMED, 5, idle + 1)),
    ] {
        before.translated_v4.insert(key(port), record);
    }
    put(&mut kernel, &before);
    let expire = request(Task::Expire, Place::Translated, &keys(1..=6));
    assert_eq!(kernel.upkeep(&expire).expect("a run"), 2);
    let after = state(&mut kernel);
    let mut left: Vec<u16> = after
        .translated_v4
        .keys()
        .map(|key| u16::from_be_bytes(key.host_port))
        .collect();
    left.sort_unstable();
    // The last is being decided on by another CPU.
    assert_eq!(left, [1, 4, 5]);
    assert_eq!(kernel.load().expect("a count")[0], 3);
    for (port, record) in after.translated_v4 {
        assert_eq!(
            before.translated_v4[&port], record,
            "S16: {port:?} was changed"
        );
    }
}

#[test]
fn each_table_by_its_own_lifetime() {
    let mut kernel = kernel();
    let mut before = State::default();
    for port in 1..=4 {
        let age = if port < 3 { HISTORY + 1 } else { HISTORY - 100 };
        before
            .half_open_v4
            .insert(key(port), silent(Control::HOST_SYN, 5, age));
        before.history_v4.insert(key(port), silent(CLOSED, 0, age));
    }
    let left_behind = silent(ESTABLISHED | Control::MOVED, 0, Tick::in_seconds(3));
    before.half_open_v4.insert(key(5), left_behind);
    put(&mut kernel, &before);
    for (place, gone) in [
        (Place::HalfOpen, 3),
        (Place::History, 2),
        (Place::Translated, 0),
    ] {
        let expire = request(Task::Expire, place, &keys(1..=5));
        assert_eq!(
            kernel.upkeep(&expire).expect("a run"),
            gone,
            "S8: {place:?}"
        );
    }
    let after = state(&mut kernel);
    assert_eq!((after.half_open_v4.len(), after.history_v4.len()), (2, 2));
}

#[test]
fn what_was_saved_comes_back_where_nothing_is_known() {
    let mut kernel = kernel();
    let known = silent(ESTABLISHED, 9, 0);
    let mut before = State::default();
    before.translated_v4.insert(key(1), known);
    put(&mut kernel, &before);
    let saved = silent(ESTABLISHED | Control::CLAIMED, 5, 100);
    let flows: Vec<_> = (1..=3).map(|port| (key(port), Some(saved))).collect();
    let restore = request(Task::Restore, Place::Translated, &flows);
    assert_eq!(kernel.upkeep(&restore).expect("a run"), 2);
    assert_eq!(kernel.load().expect("a count")[0], 3);
    let after = state(&mut kernel);
    assert_eq!(
        after.translated_v4[&key(1)],
        known,
        "S16: what was known stays"
    );
    let came_back = after.translated_v4[&key(2)];
    assert_eq!(came_back.offset().0, 5);
    assert!(
        !came_back.control().has(Control::CLAIMED),
        "nobody would end this claim"
    );
    let data = host_data(1001, PEER_ISN + 1, b"live");
    let ran = kernel
        .run(Outbound, &carrier(2).frame(&data))
        .expect("a run");
    assert_eq!(ran.frame[38..42], 1006u32.to_be_bytes());
}

#[test]
fn requests_that_make_no_sense_do_nothing() {
    let mut kernel = kernel();
    let mut before = State::default();
    before
        .history_v4
        .insert(key(1), silent(CLOSED, 0, 10 * HISTORY));
    put(&mut kernel, &before);
    let good = request(Task::Expire, Place::History, &keys([1]));
    for (at, octet) in [(0, 0), (0, 3), (1, 9), (2, 2)] {
        let mut bad = good.clone();
        bad[at] = octet;
        assert_eq!(kernel.upkeep(&bad).expect("a run"), 0);
    }
    // A key that is cut short is none.
    assert_eq!(kernel.upkeep(&good[..good.len() - 1]).expect("a run"), 0);
    assert_eq!(state(&mut kernel).history_v4.len(), 1);
    assert_eq!(kernel.upkeep(&good).expect("a run"), 1);
}

/// In each round one CPU removes an entry after its time, and another gets the flow's next SYN: the SYN leaves as it came, since
/// what is removed was forgotten anyway, and the flow has one entry afterwards.
#[test]
fn a_syn_races_the_removal_of_its_flow() {
    const ROUNDS: u16 = 10_000;
    let room = Room {
        translated: 16_384,
        half_open: 32_768,
        history: 32_768,
    };
    for place in [Place::Translated, Place::History] {
        let mut kernel = Kernel::new(Hook::Tc, room).expect("the kernel takes the programs");
        kernel.set(&default_settings()).expect("settings");
        kernel
            .guard4([192, 0, 2, 0], 24, &everywhere(Mode::Monotonic))
            .expect("policy");
        let mut before = State::default();
        let ports = 1024..1024 + ROUNDS;
        for port in ports.clone() {
            let (table, offset) = match place {
                Place::Translated => (&mut before.translated_v4, 5),
                _ => (&mut before.history_v4, 0),
            };
            table.insert(key(port), silent(CLOSED, offset, 3 * HISTORY));
        }
        put(&mut kernel, &before);
        let (removed, dropped) = race(&kernel, place, ports);
        let after = state(&mut kernel);
        let (translated, history) = (&after.translated_v4, &after.history_v4);
        let begun = after.half_open_v4.len();
        assert_eq!(
            translated.len() + history.len() + begun + dropped,
            usize::from(ROUNDS),
            "S8: {place:?}: one entry a flow; {removed} were removed, {begun} began anew"
        );
        assert_eq!(kernel.load().expect("a count")[0], translated.len() as u64);
        println!(
            "{place:?}: {removed} of {ROUNDS} were removed, {begun} began anew, {dropped} SYNs were dropped"
        );
    }
}

/// How many entries were removed, and how many SYNs were dropped.
fn race(kernel: &Kernel, place: Place, ports: std::ops::Range<u16>) -> (usize, usize) {
    let barrier = Barrier::new(2);
    let arrived = AtomicU64::new(0);
    let meet = |round: u64| {
        arrived.fetch_add(1, Ordering::AcqRel);
        while arrived.load(Ordering::Acquire) < 2 * (round + 1) {
            std::hint::spin_loop();
        }
    };
    std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            barrier.wait();
            (0..).zip(ports.clone()).fold(0, |removed, (round, port)| {
                let expire = request(Task::Expire, place, &keys([port]));
                meet(round);
                removed + kernel.upkeep(&expire).expect("a run") as usize
            })
        });
        let host = scope.spawn(|| {
            barrier.wait();
            (0..).zip(ports.clone()).fold(0, |dropped, (round, port)| {
                let syn = carrier(port).frame(&host_syn(1000));
                meet(round);
                let ran = kernel.run(Outbound, &syn).expect("a run");
                if ran.passes {
                    assert_eq!(ran.frame, syn, "S8: a forgotten flow's SYN was changed");
                }
                dropped + usize::from(!ran.passes)
            })
        });
        (
            sweeper.join().expect("no panic"),
            host.join().expect("no panic"),
        )
    })
}

#[test]
fn what_goes_is_counted() {
    let mut kernel = kernel();
    let mut before = State::default();
    for port in 1..=40 {
        before
            .history_v4
            .insert(key(port), silent(CLOSED, 0, 2 * HISTORY));
    }
    put(&mut kernel, &before);
    for ports in [1..=20, 15..=40] {
        kernel
            .upkeep(&request(Task::Expire, Place::History, &keys(ports)))
            .expect("a run");
    }
    assert_eq!(kernel.swept(maps::SWEPT_HISTORY).expect("a count"), 40);
}
