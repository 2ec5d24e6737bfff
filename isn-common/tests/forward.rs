//! Which frames are forwarded in XDP, and that one hop changes the hop count, the checksum over it, and the hardware addresses.

use std::sync::atomic::AtomicU64;

use isn_common::{
    abi::forward::Port,
    forward::{self, Left, Plain, Version, cell_of, hop, is_due, plain},
    host::Frame,
    tick::Tick,
};
use proptest::prelude::*;

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PORT: Port = Port {
    address: OWN,
    flags: 0,
};

/// RFC 1071 over a header of IPv4, its checksum field included: 0 if that is right.
fn sum(header: &[u8]) -> u16 {
    let mut sum: u32 = header
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

fn finish(octets: &mut [u8]) {
    octets[24..26].fill(0);
    let right = sum(&octets[14..34]);
    octets[24..26].copy_from_slice(&right.to_be_bytes());
}

fn v4(change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut octets = [OWN, SENDER].concat();
    octets.extend([8, 0]);
    octets.extend([0x45, 0xb8, 0, 40, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0]);
    octets.extend([192, 0, 2, 2, 198, 51, 100, 2]);
    octets.extend([0x9c, 0x41, 0, 80]);
    octets.extend([0; 16]);
    finish(&mut octets);
    change(&mut octets);
    Frame::new(octets)
}

/// Changed before the checksum is computed.
fn right_v4(change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    v4(|octets| {
        change(octets);
        finish(octets);
    })
}

fn v6(change: impl FnOnce(&mut Vec<u8>)) -> Frame {
    let mut octets = [OWN, SENDER].concat();
    octets.extend([0x86, 0xdd]);
    octets.extend([0x62, 0x01, 0x23, 0x45, 0, 20, 6, 64]);
    let address = |last: u8| [[0x20, 1, 0x0d, 0xb8], [0; 4], [0; 4], [0, 0, 0, last]].concat();
    octets.extend(address(2));
    octets.extend(address(3));
    octets.extend([0x9c, 0x41, 0, 80]);
    octets.extend([0; 16]);
    change(&mut octets);
    Frame::new(octets)
}

fn why(frame: &Frame) -> Left {
    plain(frame, &PORT).expect_err("left to the kernel")
}

#[test]
fn tcp_and_udp_are_plain_and_tell_what_a_route_asks() {
    let found = plain(&v4(|_| {}), &PORT);
    let expected = Plain {
        version: Version::V4,
        protocol: 6,
        class: [0xb8, 0, 0, 0],
        ports: [0x9c, 0x41, 0, 80],
        length: 40,
    };
    assert_eq!(found, Ok(expected));
    let udp = plain(&right_v4(|octets| octets[23] = 17), &PORT).expect("UDP");
    assert_eq!((udp.protocol, udp.length), (17, 40));

    let found = plain(&v6(|_| {}), &PORT);
    let expected = Plain {
        version: Version::V6,
        class: [2, 1, 0x23, 0x45],
        length: 60,
        ..expected
    };
    assert_eq!(found, Ok(expected));
    let udp = plain(&v6(|octets| octets[20] = 17), &PORT).expect("UDP");
    assert_eq!(udp.protocol, 17);
}

#[test]
fn padding_counts_for_the_size_and_is_no_fault() {
    let padded = v4(|octets| octets.resize(60, 0));
    assert_eq!(plain(&padded, &PORT).map(|it| it.length), Ok(46));
}

#[test]
fn frames_for_others_are_left() {
    for octet in 0..6 {
        assert_eq!(why(&v4(|octets| octets[octet] ^= 0x40)), Left::OtherAddress);
    }
    assert_eq!(
        why(&v4(|octets| octets[..6].fill(0xff))),
        Left::OtherAddress
    );
    assert_eq!(
        why(&v6(|octets| octets[..2].fill(0x33))),
        Left::OtherAddress
    );
}

#[test]
fn tags_and_other_protocols_are_left() {
    for tag in [[0x81, 0], [0x88, 0xa8], [0x91, 0]] {
        let tagged = v4(|octets| drop(octets.splice(12..12, [tag[0], tag[1], 0, 7])));
        assert_eq!(why(&tagged), Left::Tagged);
    }
    assert_eq!(
        why(&v4(|octets| octets[12..14].copy_from_slice(&[8, 6]))),
        Left::Protocol
    );
    for protocol in [1, 2, 4, 41, 47, 50, 89, 132] {
        assert_eq!(
            why(&right_v4(|octets| octets[23] = protocol)),
            Left::Protocol
        );
    }
    for next in [58, 4, 41, 59, 132] {
        assert_eq!(why(&v6(|octets| octets[20] = next)), Left::Protocol);
    }
}

#[test]
fn options_extension_headers_and_fragments_are_left() {
    let with_option = right_v4(|octets| {
        octets[14] = 0x46;
        octets.splice(34..34, [1, 1, 1, 0]);
    });
    assert_eq!(why(&with_option), Left::Options);
    for next in [0, 43, 50, 51, 60, 135, 139] {
        assert_eq!(why(&v6(|octets| octets[20] = next)), Left::Options);
    }
    assert_eq!(why(&v6(|octets| octets[20] = 44)), Left::Fragment);
    for fragment in [[0x20, 0], [0, 1], [0x1f, 0xff]] {
        let frame = right_v4(|octets| octets[20..22].copy_from_slice(&fragment));
        assert_eq!(why(&frame), Left::Fragment);
    }
}

#[test]
fn what_contradicts_itself_is_left() {
    assert_eq!(why(&v4(|octets| octets.truncate(33))), Left::Malformed);
    assert_eq!(why(&v6(|octets| octets.truncate(53))), Left::Malformed);
    assert_eq!(why(&v4(|octets| octets.truncate(13))), Left::Malformed);
    for first in [0x44, 0x35, 0x65, 0x40] {
        assert_eq!(why(&right_v4(|octets| octets[14] = first)), Left::Malformed);
    }
    assert_eq!(why(&right_v4(|octets| octets[17] = 41)), Left::Malformed);
    assert_eq!(why(&right_v4(|octets| octets[17] = 27)), Left::Malformed);
    assert_eq!(why(&v4(|octets| octets[25] ^= 1)), Left::Malformed);
    assert_eq!(why(&v6(|octets| octets[14] = 0x42)), Left::Malformed);
    assert_eq!(why(&v6(|octets| octets[19] = 21)), Left::Malformed);
    assert_eq!(why(&v6(|octets| octets[19] = 7)), Left::Malformed);
}

#[test]
fn at_the_end_of_its_way_a_packet_is_left() {
    for hops in [0, 1] {
        assert_eq!(why(&right_v4(|octets| octets[22] = hops)), Left::Hops);
        assert_eq!(why(&v6(|octets| octets[21] = hops)), Left::Hops);
    }
    assert!(plain(&right_v4(|octets| octets[22] = 2), &PORT).is_ok());
    assert!(plain(&v6(|octets| octets[21] = 2), &PORT).is_ok());
}

#[test]
fn addresses_of_a_special_kind_are_left() {
    for at in [26, 30] {
        for first in [0, 127, 224, 239, 240, 255] {
            assert_eq!(why(&right_v4(|octets| octets[at] = first)), Left::Addresses);
        }
        let link_local = right_v4(|octets| octets[at..at + 2].copy_from_slice(&[169, 254]));
        assert_eq!(why(&link_local), Left::Addresses);
        assert!(plain(&right_v4(|octets| octets[at] = 169), &PORT).is_ok());
    }
    for at in [22, 38] {
        for kind in [[0, 0], [0xff, 2], [0xfe, 0x80], [0xfe, 0xbf]] {
            let frame = v6(|octets| octets[at..at + 2].copy_from_slice(&kind));
            assert_eq!(why(&frame), Left::Addresses);
        }
        for kind in [[0, 0x64], [0xfd, 0], [0xfe, 0xc0]] {
            let frame = v6(|octets| octets[at..at + 2].copy_from_slice(&kind));
            assert!(plain(&frame, &PORT).is_ok());
        }
    }
}

#[test]
fn one_hop_changes_the_hop_count_and_the_link_and_nothing_else() {
    for (frame, version, hops_at) in [(v4(|_| {}), Version::V4, 22), (v6(|_| {}), Version::V6, 21)]
    {
        let mut after = frame.clone();
        hop(&mut after, version, [4; 6], [5; 6]).expect("within reach");
        assert_eq!(after.octets[..6], [5; 6]);
        assert_eq!(after.octets[6..12], [4; 6]);
        assert_eq!(after.octets[hops_at], frame.octets[hops_at] - 1);
        let mut expected = frame.octets.clone();
        expected[..12].copy_from_slice(&after.octets[..12]);
        expected[hops_at] -= 1;
        if version == Version::V4 {
            finish(&mut expected);
        }
        assert_eq!(after.octets, expected);
    }
}

proptest! {
    #[test]
    fn the_header_checksum_is_the_one_that_a_router_would_compute(
        header in proptest::collection::vec(any::<u8>(), 20), hops in 2u8..,
    ) {
        let mut frame = right_v4(|octets| {
            octets[14..34].copy_from_slice(&header);
            octets[14] = 0x45;
            octets[22] = hops;
        });
        hop(&mut frame, Version::V4, [4; 6], [5; 6]).expect("within reach");
        prop_assert_eq!(frame.octets[22], hops - 1);
        let mut expected = frame.octets.clone();
        finish(&mut expected);
        prop_assert_eq!(frame.octets, expected);
    }
}

#[test]
fn a_neighbour_is_confirmed_at_first_and_every_few_seconds() {
    let cell = AtomicU64::new(0);
    assert!(is_due(&cell, 7, Tick(1_000)));
    assert!(!is_due(&cell, 7, Tick(1_000)));
    assert!(!is_due(&cell, 7, Tick(1_063)));
    assert!(is_due(&cell, 7, Tick(1_064)));
    assert!(!is_due(&cell, 7, Tick(1_127)));
    assert!(is_due(&cell, 7, Tick(1_128)));
}

#[test]
fn two_neighbours_in_one_cell_take_turns_with_the_clock() {
    let cell = AtomicU64::new(0);
    assert!(is_due(&cell, 7, Tick(u32::MAX)));
    assert!(!is_due(&cell, 8, Tick(u32::MAX)));
    assert!(is_due(&cell, 8, Tick(0)));
    assert!(!is_due(&cell, 7, Tick(0)));
    assert!(is_due(&cell, 7, Tick(1)));
}

#[test]
fn neighbours_are_told_apart_by_address_and_interface() {
    let all = [
        ([1, 0, 0, 0], 3),
        ([2, 0, 0, 0], 3),
        ([1, 0, 0, 0], 4),
        ([0, 1, 0, 0], 3),
        ([0, 0, 1, 0], 3),
        ([0, 0, 0, 1], 3),
    ]
    .map(|(address, interface)| cell_of(address, interface).1);
    for (nth, one) in all.iter().enumerate() {
        assert!(!all[..nth].contains(one));
    }
    let cells: std::collections::BTreeSet<u32> = (0..256)
        .map(|nth| cell_of([0x0002_000a | nth << 24, 0, 0, 0], 3).0)
        .collect();
    assert!(cells.len() > 200, "{}", cells.len());
}

#[test]
fn answers_of_the_kernel_are_understood() {
    assert_eq!(Left::from_lookup(0), None);
    assert_eq!(Left::from_lookup(7), Some(Left::Neighbour));
    assert_eq!(Left::from_lookup(8), Some(Left::TooBig));
    for other in [-22, 1, 2, 3, 4, 5, 6, 9] {
        assert_eq!(Left::from_lookup(other), Some(Left::Route));
        assert!(!forward::is_reachable(other));
    }
    assert!(forward::is_reachable(0) && forward::is_reachable(7));
}

#[test]
fn a_source_is_looked_at_as_the_interface_asks() {
    let port = |flags| Port {
        address: OWN,
        flags,
    };
    assert!(!port(0).looks_at_sources());
    assert!(port(Port::SOURCE_KNOWN).looks_at_sources());
    assert!(port(Port::SOURCE_KNOWN).takes_source_over(3, 4));
    assert!(port(Port::SOURCE_HERE).looks_at_sources());
    assert!(port(Port::SOURCE_HERE).takes_source_over(3, 3));
    assert!(!port(Port::SOURCE_HERE).takes_source_over(3, 4));
}
