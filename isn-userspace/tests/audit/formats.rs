//! Every format and link type gives the same samples, and no file makes the reader fall over.

use std::{net::IpAddr, time::Duration};

use isnguard::{
    audit::{self, Ending, Findings},
    grading::Sample,
};
use pcap_file::{Endianness, TsResolution};

use super::captures::*;

fn read(octets: &[u8]) -> Findings {
    audit::read(octets, |_| true).unwrap()
}

/// Two connections on one tuple, in each family; the second regresses.
fn traffic() -> Vec<Seen> {
    let v4 = [end("192.0.2.1:1024"), end("198.51.100.1:502")];
    let v6 = [end("[2001:db8::1]:1024"), end("[2001:db8::99]:502")];
    let later = Duration::from_secs(30);
    [
        connection(BEGIN, v4, 5_000, 70),
        connection(BEGIN + later, v4, 4_000, 90_000),
        connection(BEGIN + 2 * later, v6, 5_000, 70),
        connection(BEGIN + 3 * later, v6, 5_103, 90_000),
    ]
    .concat()
}

fn isns(findings: &Findings, host: &str) -> Vec<(Duration, u32, Option<i32>)> {
    let host: IpAddr = host.parse().unwrap();
    let of = |sample: &Sample| (sample.at.saturating_sub(BEGIN), sample.isn, sample.ahead);
    findings.hosts[&host].iter().map(of).collect()
}

fn is_traffic(findings: &Findings, what: &str) {
    let second = Duration::from_secs(1);
    assert_eq!(findings.ending, Ending::Whole, "{what}");
    assert_eq!(
        (findings.segments, findings.syns, findings.repeated),
        (24, 8, 0),
        "{what}"
    );
    assert_eq!(
        findings.left_out.total(),
        0,
        "{what}: {:?}",
        findings.left_out
    );
    assert_eq!(
        isns(findings, "192.0.2.1"),
        [
            (Duration::ZERO, 5_000, None),
            (30 * second, 4_000, Some(-1_102))
        ],
        "{what}"
    );
    assert_eq!(
        isns(findings, "2001:db8::1"),
        [(60 * second, 5_000, None), (90 * second, 5_103, Some(1))],
        "{what}"
    );
    let peers: Vec<Option<i32>> = ["198.51.100.1", "2001:db8::99"]
        .iter()
        .flat_map(|peer| isns(findings, peer))
        .map(|(_, _, ahead)| ahead)
        .collect();
    let beyond = Some(90_000 - 72);
    assert_eq!(peers, [None, beyond, None, beyond], "{what}");
}

#[test]
fn pcap_of_every_link_type_byte_order_and_resolution() {
    for link in Link::READABLE {
        for endianness in [Endianness::Little, Endianness::Big] {
            for resolution in [TsResolution::MicroSecond, TsResolution::NanoSecond] {
                let file = pcap(link, endianness, resolution, &traffic());
                is_traffic(
                    &read(&file),
                    &format!("{link:?} {endianness:?} {resolution:?}"),
                );
            }
        }
    }
}

#[test]
fn pcapng_with_an_interface_of_each_link_type_and_any_resolution() {
    for endianness in [Endianness::Little, Endianness::Big] {
        for resolution in [6, 9, 3, 0, 0x80 | 0x14, 0x80 | 0x1e] {
            let file = pcapng(&Link::READABLE, endianness, resolution, &traffic());
            is_traffic_coarsely(&read(&file), resolution);
        }
    }
}

/// What is coarser than the packets follow each other has their order, and the seconds.
fn is_traffic_coarsely(findings: &Findings, resolution: u8) {
    if matches!(resolution, 0 | 3) {
        assert_eq!(isns(findings, "2001:db8::1")[1].0, Duration::from_secs(90));
        assert_eq!(findings.syns, 8);
    } else {
        is_traffic(findings, &format!("resolution {resolution:#x}"));
    }
}

#[test]
fn sections_follow_each_other_in_other_byte_orders_and_resolutions() {
    let packets = traffic();
    let (first, second) = packets.split_at(9);
    let file = [
        pcapng(&[Link::Ethernet, Link::Raw], Endianness::Little, 9, first),
        pcapng(&[Link::CookedV2], Endianness::Big, 6, second),
    ]
    .concat();
    is_traffic(&read(&file), "two sections");
}

#[test]
fn packets_cut_behind_the_tcp_header_are_as_good_and_before_it_are_counted() {
    let whole = usual(&traffic());
    for (snap, left_out) in [(74, 0), (60, 12), (33, 24)] {
        let findings = read(&cut_to(&whole, snap));
        assert_eq!(findings.left_out.total(), left_out, "{snap} octets");
        assert_eq!(findings.packets, 24);
    }
    is_traffic(&read(&cut_to(&whole, 74)), "cut to the headers");
}

/// As `tcpdump -s` would have recorded it.
fn cut_to(pcap: &[u8], snap: usize) -> Vec<u8> {
    let (header, mut rest) = pcap.split_at(24);
    let mut file = header.to_vec();
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let kept = length.min(snap);
        file.extend_from_slice(&rest[..8]);
        file.extend_from_slice(&u32::try_from(kept).unwrap().to_le_bytes());
        file.extend_from_slice(&rest[12..16 + kept]);
        rest = &rest[16 + length..];
    }
    file
}

#[test]
fn a_file_cut_at_any_octet_is_read_up_to_there() {
    let packets = traffic();
    let files = [
        usual(&packets),
        pcapng(&[Link::Raw, Link::Vlan], Endianness::Big, 9, &packets),
    ];
    for file in files {
        let whole = read(&file).packets;
        let mut before = 0;
        for length in 0..file.len() {
            let Ok(findings) = audit::read(&file[..length], |_| true) else {
                assert!(length < 8, "{length} octets are enough to know the format");
                continue;
            };
            assert!(findings.packets >= before && findings.packets < whole);
            before = findings.packets;
            let is_right = match findings.ending {
                Ending::Whole => true,
                Ending::Cut { place } => place <= length as u64,
                Ending::Damaged { .. } => false,
            };
            assert!(is_right, "{length} octets: {:?}", findings.ending);
        }
        assert_eq!(before + 1, whole);
    }
}

#[test]
fn no_damage_makes_the_reader_fall_over() {
    let packets = traffic();
    let files = [
        usual(&packets),
        pcapng(&Link::READABLE, Endianness::Little, 6, &packets),
        pcapng(&[Link::Ethernet], Endianness::Big, 0x80 | 0x14, &packets),
    ];
    let mut random = fastrand::Rng::with_seed(7);
    let mut damaged = 0;
    for round in 0..6_000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..=random.usize(..6) {
            let at = random.usize(4..file.len());
            file[at] = random.u8(..);
        }
        if let Ok(findings) = audit::read(&file[..], |_| true) {
            damaged += usize::from(matches!(findings.ending, Ending::Damaged { .. }));
            let samples: usize = findings.hosts.values().map(Vec::len).sum();
            assert!(samples as u64 <= findings.syns && findings.segments <= findings.packets);
        }
    }
    assert!(damaged > 50, "only {damaged} of the damages were noticed");
}
