//! What is printed, and with which exit code.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command, time::Duration};

use serde_json::json;
use tempfile::TempDir;

use super::{
    captures::*,
    program::{audit, audit_input, feed},
};

/// Twenty connections of a host that always starts at the same number, on four ports in turn.
pub fn constant() -> Vec<Seen> {
    let of = |number: u32| {
        let host = end(&format!("192.0.2.1:{}", 1_024 + number % 4));
        let at = BEGIN + Duration::from_secs(number.into());
        connection(
            at,
            [host, end("198.51.100.1:502")],
            5_000,
            number.wrapping_mul(2_654_435_761),
        )
    };
    (0..20).flat_map(of).collect()
}

fn saved(octets: &[u8]) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("plant.pcap");
    fs::write(&file, octets).unwrap();
    (directory, file)
}

#[test]
fn json_has_the_keys_of_the_contract_and_true_numbers() {
    let (_keep, file) = saved(&usual(&constant()));
    let run = audit(&file, &["--json"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let json = run.json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["file"], file.display().to_string());
    let counts = [
        "packets", "segments", "syns", "repeated", "matching", "seconds",
    ]
    .map(|key| json[key].clone());
    assert_eq!(
        counts.to_vec(),
        vec![
            json!(120),
            json!(120),
            json!(40),
            json!(0),
            json!(2),
            json!(19.0)
        ]
    );
    let hosts = json["hosts"].as_array().unwrap();
    let host = hosts
        .iter()
        .find(|host| host["host"] == "192.0.2.1")
        .unwrap();
    let figures = ["samples", "same_tuple_samples", "regressions"].map(|key| host[key].clone());
    assert_eq!(figures, [json!(20), json!(16), json!(16)]);
    for key in [
        "grade",
        "class",
        "difficulty_before",
        "difficulty_after",
        "advice",
        "reason",
        "detail",
    ] {
        assert!(host.get(key).is_some(), "{key} in {host}");
    }
}

#[test]
fn a_pipe_gets_columns_and_nothing_else() {
    let run = audit_input(&usual(&constant()), &[]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let lines: Vec<Vec<&str>> = run
        .out
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(lines.len(), 3, "{}", run.out);
    assert_eq!(lines[0][..4], ["host", "grade", "class", "samples"]);
    assert!(
        lines.iter().all(|line| line.len() == lines[0].len()),
        "{}",
        run.out
    );
}

#[test]
fn hosts_are_chosen_by_address_and_by_prefix() {
    let (_keep, file) = saved(&usual(&constant()));
    for (host, expected) in [("192.0.2.1", 1), ("192.0.2.0/24", 1), ("0.0.0.0/0", 2)] {
        let json = audit(&file, &["--json", "--host", host]).json();
        assert_eq!(json["hosts"].as_array().unwrap().len(), expected, "{host}");
    }
    let limited = audit(&file, &["--json", "--limit", "1"]).json();
    assert_eq!(
        (&limited["matching"], &limited["hosts_left_out"]),
        (&json!(2), &json!(1))
    );
}

#[test]
fn one_that_ends_in_a_packet_is_reported_with_a_warning() {
    let whole = usual(&constant());
    let (_keep, file) = saved(&whole[..whole.len() - 3]);
    let run = audit(&file, &["--json"]);
    assert_eq!(run.code, 0);
    assert!(
        run.err.starts_with("note: ") && run.err.contains("in the middle of a packet"),
        "{}",
        run.err
    );
    let json = run.json();
    assert_eq!(
        (&json["complete"], &json["packets"]),
        (&json!(false), &json!(119))
    );
    // The last packet is one of 40 octets behind Ethernet and a header of 16.
    assert_eq!(json["ends_at"], whole.len() - 14 - 40 - 16);
}

#[test]
fn a_damaged_one_is_reported_up_to_there_and_counts_as_degraded() {
    let mut octets = usual(&constant());
    let end = octets.len();
    octets.extend([0xff; 64]);
    let (_keep, file) = saved(&octets);
    let run = audit(&file, &["--json"]);
    assert_eq!(run.code, 3);
    assert!(run.err.contains("cannot be read on after"), "{}", run.err);
    let json = run.json();
    assert_eq!(
        (&json["packets"], &json["ends_at"]),
        (&json!(120), &json!(end))
    );
}

#[test]
fn what_is_left_out_is_counted_by_reason() {
    let mut packets = constant();
    let (from, to) = (end("192.0.2.1:7"), end("198.51.100.1:7"));
    let mut other = segment(from, to, SYN, [1, 0], 0);
    other[9] = 17;
    let mut fragment = segment(from, to, SYN, [1, 0], 0);
    fragment[7] = 9;
    packets.extend([(BEGIN, other), (BEGIN, fragment.clone()), (BEGIN, fragment)]);
    packets.push((BEGIN, vec![0x45; 6]));
    packets.push((BEGIN, segment(from, from, SYN, [1, 0], 0)));
    let json = audit_input(&usual(&packets), &["--json"]).json();
    let expected = json!({"not_tcp": 1, "fragment": 2, "cut_short": 1, "to_itself": 1});
    assert_eq!(json["left_out"], expected);
}

#[test]
fn an_ordinary_user_without_a_bpf_file_system_can_run_it() {
    let capture = usual(&constant());
    let (directory, program) = saved(&[]);
    fs::copy(env!("CARGO_BIN_EXE_isnguard"), &program).unwrap();
    for path in [directory.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(&program);
    command.args(["audit", "-", "--json", "--bpffs", "/nonexistent"]);
    command.current_dir("/");
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::process::CommandExt as _;
        command.uid(65_534).gid(65_534);
    }
    let run = feed(command, &capture);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.json()["hosts"][0]["samples"], 20);
}
