//! What the programs at TC do where only a part of a packet is linear: nothing is left half translated (S13), and what need not be made linear is not.

use isn_tests::{line::Line, test_run::Hook, two_worlds::prelude::*};

use crate::buffers::with_flow;

const TCP: usize = 34;
const CHECKSUM: usize = TCP + 16;
/// More than a page: what is shorter is linear in any case.
const DATA: usize = 6000;

/// The same segment before and after translation, and where its headers end.
struct Translated {
    direction: Direction,
    before: Vec<u8>,
    after: Vec<u8>,
    headers: usize,
}

fn translated(carrier: &Carrier, before: Tcp, after: Tcp) -> Translated {
    let (before, after) = (before.octets(DATA), after.octets(DATA));
    Translated {
        direction: before.direction,
        headers: 54 + before.options.len().next_multiple_of(4),
        before: carrier.frame(&before),
        after: carrier.frame(&after),
    }
}

/// Segments each way: of the short cut, of a layout that must be walked, and that end the connection, which is for the general way.
fn segments(carrier: &Carrier, wire: u32) -> Vec<Translated> {
    let blocks = |base: u32| {
        [
            (base, base.wrapping_add(7)),
            (base.wrapping_add(9), base.wrapping_add(20)),
        ]
    };
    let received = |base| {
        peer_ack(PEER_ISN + 1, base)
            .timestamps(1, 2)
            .sack(&blocks(base))
    };
    let walked = |base| peer_ack(PEER_ISN + 1, base).nops(3).sack(&blocks(base));
    let sent = |base| host_data(base, PEER_ISN + 1, b"");
    let stamped = |base| host_data(base, PEER_ISN + 1, b"").timestamps(3, 4);
    let finished = |base| peer_fin(PEER_ISN + 1, base).nops(3).sack(&blocks(base));
    [
        [received(wire), received(1001)],
        [walked(wire), walked(1001)],
        [sent(1001), sent(wire)],
        [stamped(1001), stamped(wire)],
        [finished(wire), finished(1001)],
    ]
    .into_iter()
    .map(|[before, after]| translated(carrier, before, after))
    .collect()
}

fn in_every_layout(play: impl Fn(&Line, &Translated, usize)) {
    let carrier = Carrier::v4();
    for direction in [Outbound, Inbound] {
        let (mut kernel, wire) = with_flow(Hook::Tc, &carrier);
        let line = Line::new(&mut kernel, direction).expect("a line");
        let segments = segments(&carrier, wire);
        for segment in segments.iter().filter(|it| it.direction == direction) {
            for linear in 14..=140 {
                play(&line, segment, linear);
            }
        }
    }
}

#[test]
fn whatever_part_of_the_headers_is_linear_every_packet_is_translated() {
    in_every_layout(|line, segment, linear| {
        let arrived = line.carry(&segment.before, linear).expect("a frame");
        assert!(
            arrived.frame == segment.after,
            "{linear} linear octets: {:02x?}",
            &arrived.frame[..segment.headers]
        );
    });
}

/// A super-packet has its headers in the linear part, and its data elsewhere: to bring some of that here costs more than all else.
#[test]
fn super_packets_keep_their_data_where_it_is() {
    in_every_layout(|line, segment, linear| {
        // The checksum is not finished, and covers nothing that is changed.
        let mut after = segment.after.clone();
        after[CHECKSUM..CHECKSUM + 2].copy_from_slice(&segment.before[CHECKSUM..CHECKSUM + 2]);
        let arrived = line.carry_whole(&segment.before, linear, TCP);
        let arrived = arrived.expect("a frame");
        assert!(
            arrived.frame == after,
            "{linear} linear octets: {:02x?}",
            &arrived.frame[..segment.headers]
        );
        if linear >= segment.headers {
            assert_eq!(arrived.linear, linear, "more than that was made linear");
        } else {
            assert!(arrived.linear >= segment.headers, "{arrived:?}");
        }
    });
}
