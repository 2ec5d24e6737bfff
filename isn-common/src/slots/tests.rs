//! One CPU, many flows; then two CPUs whose accesses come in every order that can matter.

use core::{cell::RefCell, sync::atomic::AtomicU64};
use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex},
    thread,
};

use super::{
    table::{self, Parts},
    tag::GRACE,
    *,
};
use crate::{
    abi::flow::{Control, unpack},
    claim::claim,
    flow::Key4,
    tick::Tick,
    world::Insertion,
};

const RECORD: Record = Record {
    identity: 1,
    sent: 2,
    received: 3,
    stamps: 4,
    life: 5,
};
const NOW: Tick = Tick(1_000_000);

fn key(number: u32) -> Key4 {
    let [a, b, c, d] = number.to_be_bytes();
    Key4 {
        host: [10, 0, a, b],
        peer: [192, 0, 2, 1],
        host_port: [c, d],
        peer_port: [0, 80],
        vlan: 0,
    }
}

fn keys() -> [u64; KEYS] {
    let mut state = 1u64;
    [(); KEYS].map(|()| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state ^ state >> 29
    })
}

/// A table in ordinary memory. Every access to a word of it may be the turn of another CPU.
struct Lab {
    spread: Spreading<Stepped>,
    sets: Vec<Set<Stepped, Key4>>,
    prints: Vec<Stepped>,
    beside: Mutex<HashMap<Key4, Record>>,
    room: usize,
}

/// A word whose accesses wait for their turn.
#[derive(Default)]
struct Stepped(AtomicU64);

thread_local! {
    static GATE: RefCell<Option<(Arc<Gate>, usize)>> = const { RefCell::new(None) };
}

/// Whose turn it is, and for how many accesses.
struct Gate {
    turns: Mutex<Vec<(usize, u32)>>,
    changed: Condvar,
}

impl Gate {
    fn step(&self, me: usize) {
        let mut turns = self.turns.lock().unwrap();
        while turns.first().is_some_and(|(whose, _)| *whose != me) {
            turns = self.changed.wait(turns).unwrap();
        }
        if let Some((_, left)) = turns.first_mut() {
            *left -= 1;
            if *left == 0 {
                turns.remove(0);
                self.changed.notify_all();
            }
        }
    }

    /// Whoever has come to an end leaves its turns to the others.
    fn end(&self, me: usize) {
        self.turns.lock().unwrap().retain(|(whose, _)| *whose != me);
        self.changed.notify_all();
    }
}

fn step() {
    GATE.with_borrow(|gate| {
        if let Some((gate, me)) = gate {
            gate.step(*me);
        }
    });
}

impl Word for Stepped {
    fn load(&self) -> u64 {
        step();
        Word::load(&self.0)
    }

    fn store(&self, value: u64) {
        step();
        Word::store(&self.0, value);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        step();
        Word::compare_exchange(&self.0, current, new)
    }
}

impl Lab {
    fn new(sets: u32, room: usize) -> Self {
        let slot = || Slot {
            tag: Stepped::default(),
            key: Default::default(),
            flow: Flow {
                identity: Stepped::default(),
                sent: Stepped::default(),
                received: Stepped::default(),
                stamps: Stepped::default(),
                life: Stepped::default(),
            },
        };
        Self {
            spread: Spreading {
                spread: Spread {
                    sets: [sets.into(); PLACES],
                    starts: starts([sets.into(); PLACES]),
                    flows: [0; PLACES],
                    keys: keys(),
                },
                overflowing: Default::default(),
            },
            prints: (0..3 * sets).map(|_| Stepped::default()).collect(),
            sets: (0..3 * sets)
                .map(|_| Set([(); WAYS as usize].map(|()| slot())))
                .collect(),
            beside: Mutex::default(),
            room,
        }
    }

    fn insert(&self, key: &Key4, now: Tick) -> Insertion {
        self.insert_into(Place::Translated, key, now)
    }

    fn insert_into(&self, place: Place, key: &Key4, now: Tick) -> Insertion {
        let record = Record {
            life: pack(0, now.0),
            ..RECORD
        };
        table::insert(self, place, key, &record, now)
    }

    /// Whether the flow is found among the translated ones, by either way.
    fn holds(&self, key: &Key4) -> bool {
        let in_slot = table::locate(self, Place::Translated, key) != 0;
        let beside = || table::beside(self, key);
        let is_history = table::locate(self, Place::History, key) != 0;
        let is_settled = in_slot || is_history || beside().is_some();
        assert_eq!(table::settled(self, key, beside).is_some(), is_settled);
        in_slot || table::beside(self, key).is_some()
    }

    fn holds_in(&self, place: Place, key: &Key4) -> bool {
        table::locate(self, place, key) != 0
    }

    /// In how many places the flow is live.
    fn places(&self, key: &Key4) -> usize {
        let in_slots = self.sets.iter().flat_map(Set::slots).filter_map(Slot::read);
        in_slots.filter(|(there, _)| there == key).count()
            + usize::from(self.beside.lock().unwrap().contains_key(key))
    }

    /// Numbers of the flows in a table of one set, of so many.
    fn held(&self, place: Place, numbers: std::ops::Range<u32>) -> Vec<u32> {
        numbers
            .filter(|number| self.holds_in(place, &key(*number)))
            .collect()
    }

    /// The slot of a flow.
    fn slot(&self, place: Place, key: &Key4) -> &Slot<Stepped, Key4> {
        let at = Position::from_bits(table::locate(self, place, key));
        assert_eq!(at.place, place);
        self.sets[at.set as usize].slot(at.nth)
    }

    fn beside(&self) -> usize {
        self.beside.lock().unwrap().len()
    }
}

impl Parts<Key4> for Lab {
    type Word = Stepped;
    type Found = ();

    fn spread(&self) -> &Spread {
        &self.spread.spread
    }

    fn spreading(&self) -> Option<&Spreading<Stepped>> {
        Some(&self.spread)
    }

    fn set(&self, index: u32) -> Option<&Set<Stepped, Key4>> {
        self.sets.get(index as usize)
    }

    fn prints(&self, index: u32) -> Option<&Stepped> {
        self.prints.get(index as usize)
    }

    fn found(_: &Flow<Stepped>, _: u64) {}

    fn overflowing(spreading: &Spreading<Stepped>) -> &Stepped {
        &spreading.overflowing[0]
    }

    fn beside(&self, key: &Key4) -> Option<()> {
        step();
        self.beside.lock().unwrap().contains_key(key).then_some(())
    }

    fn put_beside(&self, key: &Key4, record: &Record) -> Insertion {
        step();
        let mut beside = self.beside.lock().unwrap();
        if beside.contains_key(key) {
            Insertion::Exists
        } else if beside.len() == self.room {
            Insertion::Full
        } else {
            beside.insert(*key, *record);
            Insertion::Done
        }
    }

    fn remove_beside(&self, key: &Key4) -> bool {
        step();
        self.beside.lock().unwrap().remove(key).is_some()
    }

    fn announce(&self, place: Place, key: &Key4, record: &Record, now: Tick) -> Put {
        let put = table::announce(self, place, key, record, now);
        assert_eq!(Put::from_bits(put.to_bits()), put);
        put
    }

    fn confirm(
        &self,
        place: Place,
        key: &Key4,
        announcement: Announcement,
        is_beside: bool,
        now: Tick,
    ) -> bool {
        table::confirm(self, place, key, announcement, is_beside, now)
    }

    fn strike_out(&self, key: &Key4) -> bool {
        table::strike_out(self, key)
    }
}

#[test]
fn a_slot_of_ipv4_is_a_cache_line() {
    assert_eq!(size_of::<Slot<AtomicU64, Key4>>(), 64);
    assert_eq!(size_of::<Slot<AtomicU64, crate::flow::Key6>>(), 88);
}

#[test]
fn what_is_put_in_is_found_and_what_is_removed_is_not() {
    let room = Room::of(6_000);
    let lab = Lab::new(room.sets, room.beside as usize);
    for number in 0..6_000 {
        assert!(!lab.holds(&key(number)));
        assert_eq!(lab.insert(&key(number), NOW), Insertion::Done);
        assert_eq!(lab.insert(&key(number), NOW), Insertion::Exists);
    }
    let beside = lab.beside();
    assert!((1..room.beside as usize).contains(&beside), "{beside}");
    assert_eq!(Word::load(&lab.spread.overflowing[0]), beside as u64);
    for number in 0..6_000 {
        assert_eq!(lab.places(&key(number)), 1);
        let is_over = number % 2 == 0;
        if is_over {
            assert!(table::remove(&lab, Place::Translated, &key(number), NOW));
        }
        assert!(!table::remove(
            &lab,
            Place::Translated,
            &key(number + 6_000),
            NOW
        ));
        assert_eq!(lab.holds(&key(number)), !is_over);
    }
    assert_eq!(Word::load(&lab.spread.overflowing[0]), lab.beside() as u64);
}

#[test]
fn a_slot_is_used_again_only_when_nobody_can_hold_its_flow() {
    let lab = Lab::new(1, 0);
    for number in 0..WAYS {
        assert_eq!(lab.insert(&key(number), NOW), Insertion::Done);
    }
    assert_eq!(lab.insert(&key(8), NOW), Insertion::Full);
    assert!(table::remove(&lab, Place::Translated, &key(3), NOW));
    let soon = Tick(NOW.0 + GRACE - 1);
    assert_eq!(lab.insert(&key(8), soon), Insertion::Full);
    assert_eq!(lab.insert(&key(8), Tick(NOW.0 + GRACE)), Insertion::Done);
    assert!(lab.holds(&key(8)) && !lab.holds(&key(3)) && lab.holds(&key(7)));
    assert_eq!(Word::load(&lab.spread.overflowing[0]), 0);
}

#[test]
fn without_sets_all_flows_lie_beside() {
    let mut lab = Lab::new(1, 2);
    lab.spread.spread.sets = [0; PLACES];
    assert_eq!(lab.insert(&key(1), NOW), Insertion::Done);
    assert!(lab.holds(&key(1)) && lab.beside() == 1);
}

#[test]
fn tables_do_not_share_slots() {
    let lab = Lab::new(2, 0);
    for place in Place::ALL {
        assert_eq!(lab.insert_into(place, &key(1), NOW), Insertion::Done);
        assert_eq!(lab.insert_into(place, &key(1), NOW), Insertion::Exists);
    }
    assert_eq!(lab.places(&key(1)), 3);
    assert!(table::remove(&lab, Place::HalfOpen, &key(1), NOW));
    assert!(lab.holds(&key(1)) && lab.holds_in(Place::History, &key(1)));
    assert!(!lab.holds_in(Place::HalfOpen, &key(1)));
    // It may come again at once: nobody believes a slot without looking again.
    assert_eq!(
        lab.insert_into(Place::HalfOpen, &key(1), NOW),
        Insertion::Done
    );
}

#[test]
fn of_half_open_flows_the_one_that_came_first_makes_room() {
    let lab = Lab::new(1, 0);
    let insert = |number: u32| {
        let done = lab.insert_into(Place::HalfOpen, &key(number), NOW);
        assert_eq!(done, Insertion::Done);
    };
    (0..16).for_each(insert);
    assert_eq!(
        lab.held(Place::HalfOpen, 0..16),
        (8..16).collect::<Vec<_>>()
    );
    for number in 16..32 {
        insert(number);
        let there: Vec<u32> = (number - 7..=number).collect();
        assert_eq!(lab.held(Place::HalfOpen, 0..32), there);
    }
}

#[test]
fn of_the_history_the_flow_that_was_silent_for_longest_makes_room() {
    let lab = Lab::new(1, 0);
    for number in 0..8 {
        let seen = Tick(NOW.0 - (number * 5 + 3) % 8);
        lab.insert_into(Place::History, &key(number), seen);
    }
    let silence = |number: &u32| (number * 5 + 3) % 8;
    let mut order: Vec<u32> = (0..8).collect();
    order.sort_by_key(silence);
    for number in 8..15 {
        assert_eq!(
            lab.insert_into(Place::History, &key(number), NOW),
            Insertion::Done
        );
        let evicted = order.pop().unwrap();
        assert!(!lab.holds_in(Place::History, &key(evicted)), "{evicted}");
        assert!(
            order
                .iter()
                .all(|it| lab.holds_in(Place::History, &key(*it)))
        );
    }
}

#[test]
fn what_somebody_decides_on_is_not_evicted() {
    let lab = Lab::new(1, 0);
    for number in 0..8 {
        lab.insert_into(Place::HalfOpen, &key(number), NOW);
    }
    let claimed = |number: u32| claim(lab.slot(Place::HalfOpen, &key(number)).flow(), 1);
    assert!((0..8).all(|number| claimed(number).is_some()));
    assert_eq!(
        lab.insert_into(Place::HalfOpen, &key(8), NOW),
        Insertion::Full
    );
    assert_eq!(lab.held(Place::HalfOpen, 0..9).len(), 8);
}

#[test]
fn a_flow_is_replaced_where_it_lies() {
    let lab = Lab::new(1, 0);
    assert!(!table::replace(&lab, Place::History, &key(1), &RECORD));
    lab.insert_into(Place::History, &key(1), NOW);
    let slot = lab.slot(Place::History, &key(1));
    assert!(table::replace(&lab, Place::History, &key(1), &RECORD));
    assert_eq!(slot.read(), Some((key(1), RECORD)));
    assert!(claim(slot.flow(), 1).is_some());
    assert!(!table::replace(&lab, Place::History, &key(1), &RECORD));
}

#[test]
fn positions_survive_the_way_through_a_number() {
    for place in Place::ALL {
        for (set, nth, times_taken) in [(0, 0, 0), (u32::MAX, 7, 0xff_ffff), (5, 3, 77)] {
            let at = Position {
                place,
                set,
                nth,
                times_taken,
            };
            assert_ne!(at.to_bits(), 0);
            assert_eq!(Position::from_bits(at.to_bits()), at);
        }
    }
}

/// Two insertions of a flow, of which the first has so many accesses for itself, then the other so many, then the first the rest.
fn both(lab: &Lab, first: u32, second: u32, at: [Tick; 2]) -> [Insertion; 2] {
    let insert = |me: usize| lab.insert(&key(9), at[me]);
    in_turns(first, second, insert)
}

/// What two CPUs do, of which the first has so many accesses for itself, then the other so many, then the first the rest.
fn in_turns<T: Send>(first: u32, second: u32, deed: impl Fn(usize) -> T + Sync) -> [T; 2] {
    let gate = Arc::new(Gate {
        turns: Mutex::new(
            [(0, first), (1, second), (0, u32::MAX)]
                .into_iter()
                .filter(|(_, steps)| *steps > 0)
                .collect(),
        ),
        changed: Condvar::new(),
    });
    thread::scope(|scope| {
        let cpu = |me: usize| {
            let (gate, deed) = (Arc::clone(&gate), &deed);
            scope.spawn(move || {
                GATE.set(Some((Arc::clone(&gate), me)));
                let done = deed(me);
                GATE.set(None);
                gate.end(me);
                done
            })
        };
        [cpu(0), cpu(1)].map(|thread| thread.join().unwrap())
    })
}

/// How many accesses an insertion takes at most.
const LONGEST: u32 = 90;

#[test]
fn of_two_cpus_with_the_same_flow_one_puts_it_in() {
    for (first, second) in (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other))) {
        // Two slots are taken, one can be had again.
        let lab = Lab::new(1, 1);
        for number in 0..3 {
            lab.insert(&key(number), Tick(0));
        }
        table::remove(&lab, Place::Translated, &key(1), Tick(0));
        let done = both(&lab, first, second, [NOW; 2]);
        let put = done.iter().filter(|it| **it == Insertion::Done).count();
        assert_eq!(
            (put, lab.places(&key(9)), lab.holds(&key(9))),
            (1, 1, true),
            "{first} {second}: {done:?}"
        );
    }
}

#[test]
fn nor_do_they_where_one_finds_the_set_full() {
    let behind = Tick(NOW.0 - 1);
    for at in [[NOW, behind], [behind, NOW]] {
        for (first, second) in
            (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other)))
        {
            // The one slot that is left can be had by the CPU whose clock is ahead.
            let lab = Lab::new(1, 1);
            for number in 0..WAYS {
                lab.insert(&key(number), Tick(0));
            }
            table::remove(&lab, Place::Translated, &key(4), Tick(NOW.0 - GRACE));
            let done = both(&lab, first, second, at);
            let put = done.iter().filter(|it| **it == Insertion::Done).count();
            assert_eq!(
                (put, lab.places(&key(9)), lab.holds(&key(9))),
                (1, 1, true),
                "{first} {second}: {done:?}"
            );
            let beside = lab.beside() as u64;
            assert_eq!(Word::load(&lab.spread.overflowing[0]), beside);
        }
    }
}

#[test]
fn of_two_cpus_that_evict_for_the_same_flow_one_puts_it_in() {
    for place in [Place::HalfOpen, Place::History] {
        for (first, second) in
            (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other)))
        {
            let lab = Lab::new(1, 0);
            for number in 0..WAYS {
                lab.insert_into(place, &key(number), Tick(NOW.0 - number));
            }
            let done = in_turns(first, second, |_| lab.insert_into(place, &key(9), NOW));
            let put = done.iter().filter(|it| **it == Insertion::Done).count();
            assert_eq!(
                (put, lab.places(&key(9)), lab.holds_in(place, &key(9))),
                (1, 1, true),
                "{place:?} {first} {second}: {done:?}"
            );
            let others = lab.held(place, 0..WAYS);
            assert!(others.len() >= 6, "{place:?} {first} {second}: {others:?}");
            let silent = others.iter().map(|it| lab.slot(place, &key(*it)));
            let mut lives = silent.map(|slot| unpack(slot.flow().life.load()).0);
            assert!(lives.all(|bits| bits & Control::CLAIMED == 0));
        }
    }
}

#[test]
fn of_two_cpus_that_evict_for_two_flows_both_find_room_or_say_so() {
    for place in [Place::HalfOpen, Place::History] {
        for (first, second) in
            (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other)))
        {
            let lab = Lab::new(1, 0);
            for number in 0..WAYS {
                lab.insert_into(place, &key(number), Tick(NOW.0 - number));
            }
            let new = [key(9), key(10)];
            let done = in_turns(first, second, |me| lab.insert_into(place, &new[me], NOW));
            for (key, done) in new.iter().zip(done) {
                let there = usize::from(done == Insertion::Done);
                assert!(done != Insertion::Exists);
                assert_eq!(lab.places(key), there, "{place:?} {first} {second}");
                assert_eq!(lab.holds_in(place, key), there == 1);
            }
            let all = lab.held(place, 0..11).len();
            assert_eq!(all, 8, "{place:?} {first} {second}: {done:?}");
        }
    }
}

#[test]
fn whoever_reads_a_flow_while_it_is_evicted_can_tell() {
    for (first, second) in (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other))) {
        let lab = Lab::new(1, 0);
        for number in 0..WAYS {
            lab.insert_into(Place::HalfOpen, &key(number), NOW);
        }
        let victim = (0..WAYS)
            .find(|it| core::ptr::eq(lab.slot(Place::HalfOpen, &key(*it)), lab.sets[1].slot(0)))
            .expect("a flow whose turn it is");
        let other = Record {
            identity: 77,
            sent: 77,
            received: 77,
            stamps: 77,
            life: 77,
        };
        in_turns(first, second, |me| {
            if me == 0 {
                let done = table::insert(&lab, Place::HalfOpen, &key(9), &other, NOW);
                assert_eq!(done, Insertion::Done);
                return;
            }
            let located = table::locate(&lab, Place::HalfOpen, &key(victim));
            if located == 0 {
                return;
            }
            let at = Position::from_bits(located);
            let slot = lab.sets[at.set as usize].slot(at.nth);
            let mut record = slot.flow().record();
            if slot.tag.load() == at.tag() {
                // Whoever evicts it claims it first.
                record.life &= !u64::from(Control::CLAIMED);
                let whole = Record {
                    life: pack(0, NOW.0),
                    ..RECORD
                };
                assert_eq!(record, whole, "{first} {second}");
            }
        });
    }
}

#[test]
fn a_flow_that_moves_is_always_found() {
    for to in [Place::Translated, Place::History] {
        for (first, second) in
            (0..LONGEST).flat_map(|it| (0..LONGEST).map(move |other| (it, other)))
        {
            let lab = Lab::new(1, 0);
            lab.insert_into(Place::HalfOpen, &key(9), NOW);
            let before = lab.slot(Place::HalfOpen, &key(9));
            let found = in_turns(first, second, |me| {
                if me == 0 {
                    assert_eq!(lab.insert_into(to, &key(9), NOW), Insertion::Done);
                    let life = before.flow().life.load();
                    before.flow().life.store(life | u64::from(Control::MOVED));
                    return to;
                }
                let located = table::locate_what_counts(&lab, &key(9));
                assert_ne!(located, 0, "{to:?} {first} {second}");
                Position::from_bits(located).place
            });
            let it = found[1];
            assert!(it == to || it == Place::HalfOpen, "{it:?}");
        }
    }
}

#[test]
fn flows_spread_over_sets_as_by_chance() {
    let spread = Spread {
        sets: [1000, 0, 0],
        starts: [0; PLACES],
        flows: [0; PLACES],
        keys: keys(),
    };
    let mut sets = vec![0u32; 1000];
    let mut firsts = [0u32; WAYS as usize];
    for number in 0..100_000 {
        let spot = spread.spot(Place::Translated, key(number).words().as_ref());
        sets[spot.set as usize] += 1;
        firsts[spot.first as usize] += 1;
    }
    // Chi-square of 999 degrees of freedom: 1,200 is more than four standard deviations above.
    let chi: f64 = sets
        .iter()
        .map(|it| (f64::from(*it) - 100.0).powi(2) / 100.0)
        .sum();
    assert!(chi < 1_200.0, "{chi}");
    assert!(
        firsts.iter().all(|it| (11_500..13_500).contains(it)),
        "{firsts:?}"
    );
}
