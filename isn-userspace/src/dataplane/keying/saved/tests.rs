//! What becomes of saved flows under another key, and under another policy.

use isn_common::{abi::flow::pack, flow::Key4};

use super::*;
use crate::{
    key::{Secret, Stored},
    settings::Mode,
};

const NOW: Tick = Tick(1_000_000);
const OPEN: u32 = Control::HOST_SYN | Control::ANSWERED | Control::PEER_SEEN;
const CLOSED: u32 = OPEN | Control::HOST_FIN | Control::PEER_FIN;

fn key(port: u16) -> Key4 {
    Key4 {
        host: [10, 0, 0, 1],
        peer: [198, 51, 100, 2],
        host_port: port.to_be_bytes(),
        peer_port: 102u16.to_be_bytes(),
        vlan: 0,
    }
}

fn record(control: u32) -> Record {
    Record {
        life: pack(control, NOW.0 - Tick::in_seconds(200)),
        ..Record::EMPTY
    }
}

/// One flow of each kind in half-open ones and history: keyed and not, open and closed, its own.
fn remembered() -> Remembered {
    let keyed = Control::KEYED;
    let kinds = [
        OPEN,
        OPEN | keyed,
        CLOSED | keyed,
        OPEN | keyed | Control::OWN,
    ];
    let flows = |from: u16| {
        (from..)
            .zip(kinds)
            .map(|(port, control)| (key(port), record(control)))
            .collect()
    };
    Remembered {
        v4: Family {
            half_open: flows(10),
            history: flows(20),
            ..Family::default()
        },
        ..Remembered::default()
    }
}

/// Which flows are moved, and which are marked where they are, by their ports.
fn owned(protect: &[&str], same_key: bool) -> (Vec<u16>, Vec<u16>) {
    let protect: Vec<_> = protect.iter().map(|it| it.parse().unwrap()).collect();
    let policy = PolicyTable::build(&protect, Mode::Monotonic).unwrap();
    let mut remembered = remembered();
    let all = remembered.len();
    let count = own(&mut remembered, &policy, same_key, NOW);
    assert_eq!(remembered.len(), all);
    let port = |key: &Key4| u16::from_be_bytes(key.host_port);
    let marked =
        |(key, record): &(Key4, Record)| record.control().has(Control::OWN).then(|| port(key));
    let moved: Vec<u16> = remembered.v4.translated.iter().filter_map(marked).collect();
    assert_eq!(moved.len(), remembered.v4.translated.len());
    let here: Vec<u16> = remembered.v4.half_open.iter().filter_map(marked).collect();
    // One had its own before.
    assert_eq!(count, (moved.len() + here.len() - 1) as u64);
    (moved, here)
}

#[test]
fn under_the_same_key_and_policy_only_what_is_its_own_is() {
    assert_eq!(
        owned(&["10.0.0.0/8,mode=keyed"], true),
        (vec![20], vec![10, 13])
    );
}

#[test]
fn under_another_key_open_keyed_flows_have_their_own() {
    assert_eq!(
        owned(&["10.0.0.0/8,mode=keyed"], false),
        (vec![20, 21], vec![10, 11, 13])
    );
}

#[test]
fn where_they_are_no_longer_keyed_too() {
    for protect in [&["10.0.0.0/8"][..], &[]] {
        assert_eq!(owned(protect, true), (vec![21], vec![11, 13]));
    }
}

struct Kept {
    _dir: tempfile::TempDir,
    file: KeyFile,
    before: KeyedBefore,
}

fn kept(after_key: bool) -> Kept {
    let dir = tempfile::tempdir().unwrap();
    let file = KeyFile::choose(Some(&dir.path().join("k")), &"plant".parse().unwrap());
    let stored = Stored {
        secret: Secret::draw().ok().unwrap(),
        generation: 3,
        used_in: None,
    };
    file.replace(&stored).unwrap();
    let before = KeyedBefore {
        generation: 3,
        fingerprint: stored.secret.fingerprint(),
        adopting: 500,
        after_key,
    };
    Kept {
        _dir: dir,
        file,
        before,
    }
}

#[test]
fn with_its_own_key_adopting_goes_on() {
    let kept = kept(false);
    let (keyed, warnings) = begun(Some(kept.before), &kept.file, NOW).unwrap();
    assert!(kept.before.is_of(&keyed) && warnings.is_empty());
    assert_eq!(
        super::super::Adopting::of(&keyed, NOW).map(|it| it.left),
        Some(500)
    );
    let older = KeyedBefore {
        generation: 2,
        ..kept.before
    };
    assert!(!older.is_of(&keyed));
    assert!(!kept.before.is_of(&Keyed { flags: 0, ..keyed }));
}

#[test]
fn what_cannot_be_adopted_any_more_is_told() {
    let of_key = kept(true);
    let (keyed, warnings) = begun(Some(of_key.before), &of_key.file, NOW).unwrap();
    assert!(of_key.before.is_of(&keyed) && !keyed.is_adopting(NOW));
    assert!(warnings[0].contains("the key before"), "{warnings:?}");
    let other = kept(false);
    let (keyed, warnings) = begun(Some(other.before), &of_key.file, NOW).unwrap();
    assert!(!other.before.is_of(&keyed) && !keyed.is_adopting(NOW));
    assert!(
        warnings[0].contains("was saved under the key"),
        "{warnings:?}"
    );
}
