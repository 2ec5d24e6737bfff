//! Frames of every shape (S13, S25; cases 32, 55, 62 to 70).

use super::bench::{Bench, THEIRS};
use crate::{
    model::Direction,
    packet_builder::{
        Carrier,
        extension::{AUTHENTICATION, DESTINATION, Extension, HOP_BY_HOP, MOBILITY},
        host_data, host_syn,
    },
};

const INT: u32 = 101;
const EXT: u32 = 5_100_001;

fn open() -> Bench {
    let mut bench = Bench::new();
    bench.incarnation(5_000_000, 998).reopened(100, 5_100_000);
    bench
}

#[track_caller]
fn passes(bench: &mut Bench, frame: &[u8], counter: &str) {
    let judged = bench.octets(Direction::Outbound, frame, Some(frame));
    match judged {
        Ok(judged) => assert!(judged.permits(counter), "{judged:?}"),
        Err(disagreement) => panic!("{disagreement}"),
    }
}

#[test]
fn short_fragments_of_translated_flows_are_dropped_65() {
    let mut bench = open();
    let data = host_data(INT, THEIRS, &[1; 80]);
    let before = bench.flow();
    for octets in [8, 16] {
        let frame = bench.carrier.first_fragment(&data, octets);
        let judged = bench
            .octets(Direction::Outbound, &frame, None)
            .expect("dropped");
        assert!(judged.permits("dropped_untranslatable"));
        assert!(
            bench
                .octets(Direction::Outbound, &frame, Some(&frame))
                .is_err()
        );
    }
    assert_eq!(bench.flow(), before);
    let last = bench.carrier.last_fragment(&data, 40);
    passes(&mut bench, &last, "pass_fragment");
    let whole = bench.carrier.first_fragment(&data, 40);
    let left = bench
        .carrier
        .first_fragment(&host_data(EXT, THEIRS, &[1; 80]), 40);
    bench
        .octets(Direction::Outbound, &whole, Some(&left))
        .expect("translated");
    assert_eq!(bench.flow().high, EXT + 20);
    let mut other = Bench::new();
    let frame = other.carrier.first_fragment(&data, 8);
    passes(&mut other, &frame, "pass_short_fragment");
}

#[test]
fn every_truncation_of_a_frame_passes_32_70() {
    for carrier in [Carrier::v4(), Carrier::v6().tagged(0x8100, 3)] {
        let mut bench = Bench::over(carrier);
        let frame = bench.carrier.frame(&host_syn(1));
        for length in 0..frame.len() {
            passes(&mut bench, &frame[..length], "pass_truncated");
        }
        assert_eq!(bench.model.flows().count(), 0);
    }
}

#[test]
fn bad_headers_pass() {
    let mut bench = open();
    let frame = bench.carrier.frame(&host_data(INT, THEIRS, b"12"));
    let at = bench.carrier.tcp_at();
    for (octet, value) in [
        (at + 12, 0x40),
        (at + 12, 0x60),
        (14, 0x55),
        (14, 0x44),
        (17, 19),
        (17, 39),
    ] {
        let mut frame = frame.clone();
        frame[octet] = value;
        if (octet, value) != (14, 0x55) {
            passes(&mut bench, &frame, "pass_bad_header");
        }
    }
}

#[test]
fn tags_62() {
    let tagged = |count: u16| {
        let carrier = Carrier::v4();
        (0..count).fold(carrier, |carrier, vid| carrier.tagged(0x8100, vid + 1))
    };
    let mut bench = Bench::over(tagged(3));
    bench.passes(&host_syn(1), "pass_vlan_depth");
    let mut bench = Bench::over(tagged(2));
    bench.passes(&host_syn(1), "pass_offset_zero");
    // What the device took out was the outermost.
    let mut inner = Carrier::v4().tagged(0x9100, 0xe002);
    inner.stripped = Some(0x2001);
    bench.carrier = inner;
    let judged = bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(judged.expects("syn_retransmit"), Some(1));
    bench.carrier = tagged(1);
    bench.passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(bench.model.flows().count(), 2);
    bench.carrier = tagged(2);
    bench.carrier.stripped = Some(1);
    bench.passes(&host_syn(1), "pass_vlan_depth");
}

#[test]
fn extension_headers_66() {
    let chain = |count| {
        (0..count).fold(Carrier::v6(), |carrier, _| {
            carrier.extension(Extension::padded(DESTINATION, 0))
        })
    };
    Bench::over(chain(6)).passes(&host_syn(1), "pass_offset_zero");
    Bench::over(chain(7)).passes(&host_syn(1), "pass_extension_headers");
    let with = |extension| Carrier::v6().extension(extension);
    Bench::over(with(Extension::authentication())).passes(&host_syn(1), "pass_ip_authentication");
    Bench::over(with(Extension::padded(MOBILITY, 0))).passes(&host_syn(1), "pass_not_tcp");
    Bench::over(with(Extension::padded(HOP_BY_HOP, 1))).passes(&host_syn(1), "pass_offset_zero");
    Bench::over(with(Extension::fragment(0, false))).passes(&host_syn(1), "pass_offset_zero");
    assert_eq!(AUTHENTICATION, 51);
}

#[test]
fn other_protocols_67() {
    let mut bench = Bench::new();
    let mut frame = bench.carrier.frame(&host_syn(1));
    frame[12..14].copy_from_slice(&[8, 6]);
    passes(&mut bench, &frame, "pass_not_ip");
    let mut frame = bench.carrier.frame(&host_syn(1));
    frame[23] = 17;
    passes(&mut bench, &frame, "pass_not_tcp");
    frame[23] = 51;
    passes(&mut bench, &frame, "pass_ip_authentication");
}
