//! A complete translation is recognised, and one that leaves a number behind is not.

use std::time::Duration;

use etherparse::{PacketBuilder, TcpOptionElement::SelectiveAcknowledgement};

use super::*;

const HOST: [u8; 4] = [192, 0, 2, 2];
const PEER: [u8; 4] = [198, 51, 100, 2];

fn segment(from: [u8; 4], to: [u8; 4], seq: u32, ack: u32, sack: Option<u32>) -> Segment {
    let ports = if from == HOST { (4000, 80) } else { (80, 4000) };
    let mut step = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(from, to, 64)
        .tcp(ports.0, ports.1, seq, 1024)
        .ack(ack);
    if let Some(edge) = sack {
        let blocks = [Some((edge, edge.wrapping_add(9))), None, None];
        let option =
            SelectiveAcknowledgement((edge.wrapping_add(20), edge.wrapping_add(30)), blocks);
        step = step.options(&[option]).expect("two blocks have room");
    }
    let mut frame = Vec::new();
    step.write(&mut frame, b"data").expect("a frame in memory");
    Segment::parse(Duration::ZERO, &frame).expect("a TCP segment")
}

/// Both sides of a gateway that adds `seq`, takes off `ack` and `edge`.
fn crossed(seq: u32, ack: u32, edge: u32) -> BothSides {
    let near = vec![
        segment(HOST, PEER, 100, 7, None),
        segment(PEER, HOST, 7, 104, Some(110)),
    ];
    let far = vec![
        segment(
            PEER,
            HOST,
            7,
            104_u32.wrapping_add(ack),
            Some(110_u32.wrapping_add(edge)),
        ),
        segment(HOST, PEER, 100_u32.wrapping_add(seq), 7, None),
    ];
    BothSides::of((HOST, 4000).into(), near, far)
}

#[test]
fn a_complete_translation_is_recognised() {
    for offset in [1, 0x8000_0000, u32::MAX - 105] {
        assert_eq!(
            crossed(offset, offset, offset)
                .ensure_translated(offset)
                .ok(),
            Some(2)
        );
        assert!(crossed(offset, offset, offset).ensure_untouched().is_err());
    }
    assert_eq!(crossed(0, 0, 0).ensure_untouched().ok(), Some(2));
}

#[test]
fn a_number_left_behind_is_noticed() {
    for (seq, ack, edge) in [(0, 5, 5), (5, 0, 5), (5, 5, 0), (5, 5, 6)] {
        assert!(
            crossed(seq, ack, edge).ensure_translated(5).is_err(),
            "{seq} {ack} {edge}"
        );
    }
}

#[test]
fn what_a_queue_has_lost_may_be_missing_where_it_would_have_arrived_and_nothing_else() {
    let whole = crossed(5, 5, 5);
    let without = |outbound: bool| {
        let mut sides = crossed(5, 5, 5);
        if outbound {
            sides.outbound_far.clear();
        } else {
            sides.inbound_near.clear();
        }
        sides
    };
    for outbound in [true, false] {
        let mut sides = without(outbound);
        assert!(sides.ensure_translated(5).is_err());
        sides.lost = 1;
        assert_eq!(sides.ensure_translated(5).ok(), Some(1));
    }
    // Lost or not: what arrives was sent.
    let mut sides = whole;
    sides.lost = 1;
    sides.outbound_near.clear();
    assert!(sides.ensure_translated(5).is_err());
}
