//! Hosts with the generators of the wild, through a capture; and a capture of a million SYNs.

use std::{
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use isn_generators::{Kind, Tuple};
use tempfile::TempDir;

use super::{
    captures::*,
    program::{audit, audit_input},
};

/// A host for each kind of generator, which opens `connections`, about one a second, each from the next of `ports` ports.
fn plant(connections: u32, ports: u32) -> Vec<Seen> {
    let peer = end("198.51.100.1:502");
    let mut packets = Vec::new();
    // With gaps of one length a clock would be a fixed step.
    let mut random = fastrand::Rng::with_seed(7);
    for (number, kind) in (1..).zip(Kind::ALL) {
        let mut generator = kind.make(7);
        for connection_number in 0..connections {
            let host_port = u16::try_from(1_024 + connection_number % ports).unwrap();
            let host = SocketAddr::new(Ipv4Addr::new(192, 0, 2, number).into(), host_port);
            let within = random.u64(..900);
            let since = Duration::from_millis(u64::from(connection_number) * 1_000 + within);
            let tuple = Tuple {
                host: host.ip(),
                host_port,
                peer: peer.ip(),
                peer_port: peer.port(),
            };
            let isn = generator.next(since, &tuple);
            packets.extend(connection(BEGIN + since, [host, peer], isn, 1));
        }
    }
    packets.sort_by_key(|(at, _)| *at);
    packets
}

fn class_of(json: &serde_json::Value, host: IpAddr) -> String {
    let hosts = json["hosts"].as_array().unwrap();
    let found = hosts.iter().find(|line| line["host"] == host.to_string());
    found.unwrap()["class"].as_str().unwrap().into()
}

#[test]
fn each_generator_is_known_in_a_capture() {
    let json = audit_input(
        &usual(&plant(60, 60)),
        &["--json", "--host", "192.0.2.0/24"],
    )
    .json();
    for (number, kind) in (1..).zip(Kind::ALL) {
        let expected = match kind {
            Kind::Constant => "constant",
            Kind::Rule64K | Kind::I800 | Kind::OtherStep => "fixed-step",
            Kind::SlowClock | Kind::Clock250K | Kind::Clock64Ns => "clock",
            Kind::RandomIncrement => "random-increment",
            // Without a reused 4-tuple these look like the best.
            Kind::PureRandom | Kind::Rfc6528 => "strong",
            Kind::Regressing => "regressing",
            // Its class is a matter of the generator; see the tests of grading.
            Kind::Congruential => continue,
        };
        let host = Ipv4Addr::new(192, 0, 2, number).into();
        assert_eq!(class_of(&json, host), expected, "{}", kind.name());
    }
}

#[test]
fn reused_tuples_show_who_regresses() {
    let json = audit_input(&usual(&plant(60, 6)), &["--json"]).json();
    for (number, kind) in (1..).zip(Kind::ALL) {
        let host = Ipv4Addr::new(192, 0, 2, number).to_string();
        let mut hosts = json["hosts"].as_array().unwrap().iter();
        let line = hosts.find(|line| line["host"] == host).unwrap();
        assert_eq!(line["same_tuple_samples"], 54, "{}", kind.name());
        let regressions = line["regressions"].as_u64().unwrap();
        match kind {
            Kind::Constant => assert_eq!(regressions, 54),
            Kind::Rfc6528 | Kind::Rule64K => assert_eq!(regressions, 0, "{}", kind.name()),
            Kind::PureRandom => {
                assert!((10..45).contains(&regressions), "{regressions}");
                assert_eq!(line["class"], "regressing");
                assert_eq!(line["regressions_after"], 0);
            }
            _ => {}
        }
    }
}

const MILLION: u32 = 1_000_000;

/// A million SYNs: a thousand hosts with the 64K rule, each SYN on a 4-tuple of its own.
fn write_million(file: &Path) {
    let mut out = std::io::BufWriter::new(fs::File::create(file).unwrap());
    out.write_all(&usual(&[])).unwrap();
    let host = end("10.0.0.1:1024");
    let mut frame = [
        &[2; 12],
        &[8, 0][..],
        &segment(host, end("192.0.2.1:80"), SYN, [0, 0], 0),
    ]
    .concat();
    let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
    for number in 0..MILLION {
        let [_, _, high, low] = (number % 1_000).to_be_bytes();
        frame[28..30].copy_from_slice(&[high, low]);
        let port = u16::try_from(1_024 + number / 1_000).unwrap();
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        frame[38..42].copy_from_slice(&(number / 1_000).wrapping_mul(64_000).to_be_bytes());
        let at = [1_700_000_000 + number / 1_000, number % 1_000 * 1_000];
        out.write_all(&at.map(u32::to_le_bytes).concat()).unwrap();
        out.write_all(&[length, length].concat()).unwrap();
        out.write_all(&frame).unwrap();
    }
    out.flush().unwrap();
}

#[test]
#[ignore = "seconds in a release build, more in others; run it to measure"]
fn a_million_syns() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("million.pcap");
    write_million(&file);
    let begun = Instant::now();
    let run = audit(&file, &["--json"]);
    let took = begun.elapsed();
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let json = run.json();
    assert_eq!(
        (json["syns"].as_u64(), json["matching"].as_u64()),
        (Some(MILLION.into()), Some(1_000))
    );
    assert_eq!(json["hosts"][0]["samples"], 1_000);
    println!("a million SYNs of 1,000 hosts: {:.2} s", took.as_secs_f64());
    assert!(took < Duration::from_mins(5), "it took {took:?}");
}
