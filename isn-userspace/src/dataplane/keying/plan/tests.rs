//! What is decided in which situation.

use std::fs;

use isn_common::{
    abi::{flow::pack, settings::OnFull},
    siphash::Key,
};

use super::*;
use crate::{
    dataplane::target::tests::request,
    key::Secret,
    settings::{Mode, Protect},
};

const NOW: Tick = Tick(1_000_000);
const OTHER_BOOT: &str = "0123abcd-0123-4567-89ab-0123456789ab";

fn policy(protect: &[&str]) -> PolicyTable {
    let protect: Vec<Protect> = protect.iter().map(|it| it.parse().unwrap()).collect();
    PolicyTable::build(&protect, Mode::Monotonic).unwrap()
}

/// A machine with a key's file, and perhaps an instance.
struct Bench {
    _dir: tempfile::TempDir,
    file: KeyFile,
    before: Option<Existing>,
    adopt: Option<u32>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyFile::choose(Some(&dir.path().join("k")), &"plant".parse().unwrap());
        Self {
            _dir: dir,
            file,
            before: None,
            adopt: None,
        }
    }

    fn key(&self, generation: u32, used_in: Option<Boot>) -> Key {
        let stored = Stored {
            secret: Secret::draw().ok().unwrap(),
            generation,
            used_in,
        };
        self.file.replace(&stored).unwrap();
        stored.secret.key()
    }

    /// An instance with this policy, whose settings are as keyed mode is.
    fn instance(&mut self, protect: &[&str], keyed: Keyed) {
        let mut settings = settings();
        settings.keyed = keyed;
        self.before = Some(Existing {
            settings,
            policy: policy(protect),
        });
    }

    fn plan(&self, protect: &[&str]) -> Result<Plan, Failure> {
        let mut request = request(&[]);
        request.key_file = Some(self.file.path().to_owned());
        request.adopt = self.adopt;
        Plan::new(
            self.before.as_ref(),
            &policy(protect),
            &settings(),
            &request,
        )
    }

    fn planned(&self, protect: &[&str]) -> Plan {
        self.plan(protect)
            .unwrap_or_else(|failure| panic!("{failure}"))
    }

    fn refused(&self, protect: &[&str]) -> String {
        let failure = self.plan(protect).err().expect("it was planned");
        format!("{failure}; {}", failure.remedy())
    }
}

fn settings() -> Settings {
    let mut settings = Settings::new(Tick::in_seconds(240), OnFull::Pass, 0, Key([7, 7]));
    settings.limits.idle = 5_000;
    settings
}

fn in_use(key: Key) -> Keyed {
    Keyed {
        keys: [key; 2],
        flags: Keyed::IN_USE,
        ..Keyed::UNUSED
    }
}

/// Ticks for which it goes on adopting; they pass while the test runs.
fn left(plan: &Plan) -> u32 {
    Adopting::of(&plan.keyed, clock::now()).map_or(0, |it| it.left)
}

fn about(ticks: u32, expected: u32) -> bool {
    ticks <= expected && expected - ticks < Tick::in_seconds(60)
}

const KEYED: &[&str] = &["10.0.0.0/8,mode=keyed"];
const PLAIN: &[&str] = &["10.0.0.0/8"];
const MORE: &[&str] = &["10.0.0.0/8,mode=keyed", "192.0.2.0/24,mode=keyed"];

#[test]
fn without_a_keyed_rule_no_key_is_needed() {
    let mut bench = Bench::new();
    let plan = bench.planned(PLAIN);
    assert!(plan.keyed == Keyed::UNUSED && plan.warnings.is_empty());
    bench.adopt = Some(5);
    assert!(bench.refused(PLAIN).contains("--mode keyed"));
}

#[test]
fn with_one_the_key_must_be_there() {
    let bench = Bench::new();
    let refusal = bench.refused(KEYED);
    assert!(
        refusal.contains("no such file") && refusal.contains("isnguard key rotate"),
        "{refusal}"
    );
    fs::write(bench.file.path(), "0".repeat(32)).unwrap();
    let said = bench.refused(KEYED);
    assert!(said.contains("zero") || said.contains("mode is"), "{said}");
}

#[test]
fn keyed_mode_begins_with_the_key_in_its_place_and_adopts() {
    for generation in [0, 1, 6] {
        let bench = Bench::new();
        let key = bench.key(generation, None);
        let plan = bench.planned(KEYED);
        assert!(plan.keyed.key() == key && plan.keyed.generation == generation);
        assert_eq!(plan.keyed.flags, Keyed::IN_USE);
        assert!(about(left(&plan), 5_000), "{}", left(&plan));
        assert!(
            plan.warnings[0].starts_with("adopting for"),
            "{:?}",
            plan.warnings
        );
    }
}

#[test]
fn a_key_from_before_the_machine_was_started_adopts_nothing_unless_told_to() {
    let mut bench = Bench::new();
    bench.key(3, Boot::parse(OTHER_BOOT));
    assert_eq!(left(&bench.planned(KEYED)), 0);
    bench.adopt = Some(100);
    assert!(about(left(&bench.planned(KEYED)), Tick::in_seconds(100)));
    bench.adopt = Some(0);
    let plan = bench.planned(KEYED);
    assert_eq!(left(&plan), 0);
    assert!(plan.warnings[0].contains("break"), "{:?}", plan.warnings);
    // Detached and attached again in this boot: connections were without meanwhile.
    bench.adopt = None;
    bench.key(3, Boot::current());
    assert!(left(&bench.planned(KEYED)) > 0);
    // And an instance that is there knows connections that had no key.
    bench.key(3, Boot::parse(OTHER_BOOT));
    bench.instance(PLAIN, Keyed::UNUSED);
    assert!(left(&bench.planned(KEYED)) > 0);
}

#[test]
fn an_instance_keeps_what_it_has_and_needs_the_same_key() {
    let mut bench = Bench::new();
    let key = bench.key(0, None);
    let keyed = adopting::from_now(in_use(key), NOW, 77);
    bench.instance(KEYED, keyed);
    bench.adopt = Some(3);
    assert!(bench.planned(KEYED).keyed == keyed);
    bench.key(0, None);
    let refusal = bench.refused(KEYED);
    assert!(refusal.contains("isnguard key rotate --from"), "{refusal}");
}

#[test]
fn an_instance_whose_named_file_is_gone_is_refused_and_otherwise_goes_on() {
    let mut bench = Bench::new();
    bench.instance(KEYED, in_use(Key([1, 2])));
    assert!(bench.refused(KEYED).contains("no such file"));
    let mut request = request(&[]);
    request.place.instance = "no-key-of-this-name".parse().unwrap();
    let plan = Plan::new(bench.before.as_ref(), &policy(KEYED), &settings(), &request);
    let plan = plan.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(plan.keyed == in_use(Key([1, 2])));
    assert!(plan.warnings[0].contains("/etc/isnguard/no-key-of-this-name.key"));
}

#[test]
fn more_keyed_connections_are_adopted_with_the_others_or_not_at_all() {
    let mut bench = Bench::new();
    let key = bench.key(0, None);
    let adopting = adopting::from_now(in_use(key), clock::now(), 100);
    bench.instance(KEYED, adopting);
    assert!(about(left(&bench.planned(MORE)), 5_000));
    assert_eq!(bench.planned(&[]).warnings.len(), 1);

    let after_key = Keyed {
        flags: Keyed::IN_USE | Keyed::AFTER_KEY,
        ..adopting
    };
    bench.instance(KEYED, after_key);
    assert!(bench.refused(MORE).contains("older key"));

    bench.instance(KEYED, in_use(key));
    assert!(bench.refused(MORE).contains("--adopt 0"));
    bench.adopt = Some(0);
    assert!(bench.planned(MORE).keyed == in_use(key));
    bench.adopt = Some(9);
    assert!(bench.refused(MORE).contains("--adopt 0"));
}

#[test]
fn the_key_goes_when_nothing_is_keyed_any_more() {
    let mut bench = Bench::new();
    let key = bench.key(4, None);
    bench.instance(
        KEYED,
        Keyed {
            generation: 4,
            ..in_use(key)
        },
    );
    let plan = bench.planned(PLAIN);
    assert!(plan.keyed == unused(4));
    assert!(plan.warnings[0].contains("4m00s"), "{:?}", plan.warnings);
}

#[test]
fn a_rotation_that_was_broken_off_is_finished() {
    let mut bench = Bench::new();
    bench.key(0, None);
    let next = Stored {
        secret: Secret::draw().ok().unwrap(),
        generation: 1,
        used_in: None,
    };
    bench.file.write_next(&next).unwrap();
    let keyed = Keyed {
        generation: 1,
        ..in_use(next.secret.key())
    };
    bench.instance(KEYED, keyed);
    let plan = bench.planned(KEYED);
    assert!(plan.keyed == keyed && plan.warnings[0].contains("finished"));
    assert_eq!(bench.file.require().map(|it| it.generation).ok(), Some(1));
}

#[test]
fn that_a_key_is_in_use_is_noted_with_it_once() {
    let bench = Bench::new();
    bench.key(0, None);
    let warnings = bench.planned(KEYED).note_use();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let noted = || bench.file.require().ok().and_then(|it| it.used_in);
    assert_eq!(noted(), Boot::current());
    bench.planned(KEYED).note_use();
    assert_eq!(noted(), Boot::current());
}

#[test]
fn flows_are_treated_otherwise_when_their_mark_is_not_what_the_policy_says() {
    let ends = Ends {
        host: [10, 0, 0, 1].into(),
        host_port: 1,
        peer_port: 2,
    };
    let record = |control| Record {
        life: pack(control, 0),
        ..Record::EMPTY
    };
    for (protect, control, expected) in [
        (KEYED, 0, true),
        (KEYED, Control::KEYED, false),
        (PLAIN, 0, false),
        (PLAIN, Control::KEYED, true),
        (&[], Control::KEYED, true),
    ] {
        assert_eq!(
            is_treated_otherwise(&policy(protect), ends, &record(control)),
            expected
        );
    }
}
