//! What goes in comes out, but for the time that has passed.

use isn_common::abi::settings::Keyed;

use super::{super::age::ticks, *};
use crate::{dataplane::KeyedBefore, key::Fingerprint, settings::Protect};

const NOW: Tick = Tick(5_000_000);

fn key(port: u8) -> Key4 {
    Key4 {
        host: [192, 0, 2, 1],
        peer: [198, 51, 100, 2],
        host_port: [4, port],
        peer_port: [0, 80],
        vlan: 7,
    }
}

const KEY6: Key6 = Key6 {
    host: [0x20; 16],
    peer: [0x21; 16],
    host_port: [9, 1],
    peer_port: [1, 9],
    vlan: 0,
};

fn record(number: u32, age: u32) -> Record {
    Record {
        identity: pack(number, number + 1),
        sent: pack(number + 2, NOW.0 - age - 9),
        received: pack(number + 3, number + 4),
        stamps: pack(number + 5, number + 6),
        life: pack(Control::HOST_SYN | Control::ANSWERED, NOW.0 - age),
    }
}

fn remembered() -> Remembered {
    Remembered {
        v4: Family {
            translated: vec![(key(1), record(100, 0)), (key(2), record(200, 4_000_000))],
            half_open: vec![(key(3), record(300, 5))],
            history: vec![(key(4), record(400, 77))],
            previous: vec![(
                key(2),
                Previous {
                    offset: 1,
                    high_water: 2,
                    ended: NOW.0 - 3,
                    timestamp_offset: 4,
                },
            )],
        },
        v6: Family {
            history: vec![(KEY6, record(u32::MAX - 10, 1))],
            ..Family::default()
        },
    }
}

fn seed() -> Seed {
    let mut settings = Settings::new(1_800, OnFull::Drop, 4711, Key([3, 4]));
    (settings.limits.idle, settings.limits.closing) = (99, 88);
    let protect: Vec<Protect> = ["10.0.0.0/8,port=102-110,mode=observe", "2001:db8::/32"]
        .iter()
        .map(|protect| protect.parse().unwrap())
        .collect();
    Seed {
        settings,
        policy: PolicyTable::build(&protect, crate::settings::Mode::Monotonic).unwrap(),
        capacities: Capacities {
            flows: 10,
            half_open: 20,
            history: 30,
        },
        keyed: None,
    }
}

/// Some of everything.
pub fn contents() -> Contents {
    let at = Moment {
        wall: Duration::from_secs(1_000_000),
        tick: NOW,
    };
    Contents::new(&seed(), remembered(), at)
}

/// As it is when no time has passed and no boot came in between.
pub fn remembered_again(contents: Contents) -> Remembered {
    contents.remembered(NOW, Duration::ZERO)
}

#[test]
fn every_number_of_a_flow_comes_back() {
    assert_eq!(remembered_again(contents()), remembered());
}

#[test]
fn a_claim_of_the_moment_is_not_saved() {
    let mut remembered = remembered();
    remembered.v4.translated[0].1.life |= u64::from(Control::CLAIMED);
    let at = Moment {
        wall: Duration::ZERO,
        tick: NOW,
    };
    let back = remembered_again(Contents::new(&seed(), remembered, at));
    assert!(!back.v4.translated[0].1.control().has(Control::CLAIMED));
}

#[test]
fn after_a_reboot_every_age_counts_on() {
    // Up for less than the second flow was silent.
    let (booted, elapsed) = (Tick(1_000), Duration::from_mins(10));
    let passed = u32::try_from(elapsed.as_nanos() >> Tick::SHIFT).unwrap();
    let back = contents().remembered(booted, elapsed);
    let ages = back.v4.translated.iter().map(|(_, record)| {
        (
            booted.since(record.last_seen()),
            booted.since(record.opened()),
        )
    });
    assert_eq!(
        ages.collect::<Vec<_>>(),
        [
            (passed, passed + 9),
            (4_000_000 + passed, 4_000_009 + passed)
        ]
    );
    let ended = Tick(back.v4.previous[0].1.ended);
    assert_eq!(booted.since(ended), 3 + passed);
}

#[test]
fn settings_policy_and_room_come_back() {
    let (back, seed) = (
        contents().seed(Path::new("f"), Duration::ZERO).unwrap(),
        seed(),
    );
    assert_eq!(back.policy, seed.policy);
    assert_eq!(back.capacities, seed.capacities);
    let (one, other) = (back.settings, seed.settings);
    assert_eq!((one.history, one.on_full()), (1_800, OnFull::Drop));
    assert!(one.secret == other.secret && !one.draining());
    assert_eq!((one.limits.idle, one.limits.closing), (99, 88));
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let changes: [fn(&mut Contents); 5] = [
        |it| it.capacities[1] = 0,
        |it| it.policy[0].length = 129,
        |it| it.policy[0].length = 1,
        |it| it.policy[0].rules[0].2 = 9,
        |it| it.policy[0].rules = vec![(1, 2, 1); Policy::MOST_RULES + 1],
    ];
    for change in changes {
        let mut contents = contents();
        change(&mut contents);
        let failure = contents.seed(Path::new("f"), Duration::ZERO).err().unwrap();
        assert!(failure.to_string().contains("make no sense"), "{failure}");
    }
}

const SECRET: Key = Key([0x0011_2233_4455_6677, 0x8899_aabb_ccdd_eeff]);

fn keyed_contents() -> Contents {
    let mut seed = seed();
    seed.settings.keyed = Keyed {
        keys: [SECRET, Key([5, 6])],
        generation: 2,
        adopting_since: NOW.0 - 100,
        adopting_for: 1_100,
        flags: Keyed::IN_USE | Keyed::AFTER_KEY,
    };
    let at = Moment {
        wall: Duration::ZERO,
        tick: NOW,
    };
    Contents::new(&seed, remembered(), at)
}

#[test]
fn of_keyed_mode_everything_but_the_keys_comes_back() {
    let elapsed = Duration::from_mins(1);
    let back = keyed_contents().seed(Path::new("f"), elapsed).unwrap();
    let expected = KeyedBefore {
        generation: 2,
        fingerprint: Fingerprint::of(SECRET).unwrap(),
        adopting: 1_000 - ticks(elapsed),
        after_key: true,
    };
    assert_eq!(back.keyed, Some(expected));
    assert!(back.settings.keyed == Keyed::UNUSED);
    assert_eq!(
        contents().seed(Path::new("f"), elapsed).unwrap().keyed,
        None
    );
}

#[test]
fn no_part_of_a_key_is_in_a_snapshot() {
    let octets = super::super::envelope::seal(&keyed_contents()).unwrap();
    for word in SECRET.0 {
        for part in [word.to_le_bytes(), word.to_be_bytes()] {
            for four in part.windows(4) {
                assert!(!octets.windows(4).any(|there| there == four), "{four:02x?}");
            }
        }
    }
}
