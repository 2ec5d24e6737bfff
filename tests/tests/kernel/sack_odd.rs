//! Selective acknowledgments where there is more than one option, none to translate, or a malformed one (S9; RFC 2018).

use isn_tests::two_worlds::prelude::*;

#[test]
fn where_there_is_more_than_one_option_or_none_to_translate() {
    play(
        &both_families(),
        &[
            case("S9: two options of one block each", |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                let with = |base: u32| {
                    let block = |at: u32| [(base.wrapping_add(at), base.wrapping_add(at + 10))];
                    peer_ack(PEER_ISN + 1, 0)
                        .sack(&block(100))
                        .nops(2)
                        .sack(&block(500))
                };
                let moved = [(Counter::SackEdgesTranslated, 4)];
                let came = with(wire).acknowledging(wire);
                let _ = flow.becomes(&came, &with(host).acknowledging(host), &moved);
            }),
            case(
                "S9: SACK of the host acknowledges the peer's numbers: it stays (30)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    for nops in 0..=3 {
                        let sent = host_ack(1001, PEER_ISN + 1)
                            .nops(nops)
                            .sack(&blocks(PEER_ISN, 3));
                        flow.expect(&sent, &Seq(wire), NOTHING);
                    }
                },
            ),
            case(
                "S9: SACK on a SYN-ACK and on an RST|ACK are translated like any",
                |flow| {
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN).wrapping_add(1);
                    let synack = peer_syn_ack(PEER_ISN, wire).sack(&blocks(wire, 1));
                    flow.expect(&synack, &Leaves::Ack(1001, blocks(1001, 1)), NOTHING);
                    let reset = peer_rst_ack(PEER_ISN + 1, wire)
                        .nops(1)
                        .sack(&blocks(wire, 1));
                    flow.expect(&reset, &Leaves::Ack(1001, blocks(1001, 1)), NOTHING);
                },
            ),
        ],
    );
}

#[test]
fn malformed_options_end_the_walk_and_nothing_else() {
    play(
        &both_families(),
        &[case(
            "S9: impossible lengths: the acknowledgment is translated, the octets stay",
            |flow| {
                let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
                let mut malformed: Vec<Vec<u8>> =
                    [0, 1, 2, 3, 9, 11, 12, 17, 19, 33, 35, 40, 41, 255]
                        .iter()
                        .map(|length| full(&[5, *length]))
                        .collect();
                malformed.extend(
                    [
                        &[8, 0][..],
                        &[8, 1],
                        &[200, 41],
                        &[200, 255],
                        &[3, 0, 5, 10],
                    ]
                    .map(full),
                );
                malformed.push([&[1; 39][..], &[5]].concat());
                malformed.push([&[1; 38][..], &[5, 10]].concat());
                malformed.push([&[1; 31][..], &[5, 10, 1, 2, 3, 4, 5, 6, 7]].concat());
                malformed.push([&[1; 39][..], &[200]].concat());
                for options in malformed {
                    let received = peer_ack(PEER_ISN + 1, wire).raw_options(&options);
                    flow.expect(&received, &ack(host), NOTHING);
                    let received = received.octets(3);
                    flow.expect(&received, &ack(host), NOTHING);
                    flow.expect(
                        &host_ack(host, PEER_ISN + 1).raw_options(&options),
                        &Seq(wire),
                        NOTHING,
                    );
                }
            },
        )],
    );
}

/// 40 octets of options that begin with these; the rest would read as SACK blocks.
fn full(start: &[u8]) -> Vec<u8> {
    let mut options = vec![0x77; 40];
    options[..start.len()].copy_from_slice(start);
    options
}
