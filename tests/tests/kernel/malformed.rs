//! Frames whose headers contradict themselves or lead nowhere pass untouched and are counted (S13).

use isn_tests::{
    packet_builder::extension::{DESTINATION, Extension, FRAGMENT, HOP_BY_HOP, ROUTING},
    two_worlds::prelude::*,
};

#[test]
fn headers_that_contradict_themselves() {
    use PassReason::{BadHeader, Truncated};
    play(
        &both_families(),
        &[
            case("S13: a TCP header shorter than 20 octets (32)", |flow| {
                let at = flow.carrier.tcp_at() + 12;
                damaged(flow, BadHeader, move |octets| octets[at] = 0x40);
            }),
            case("S13: a TCP header of 0 octets (32)", |flow| {
                let at = flow.carrier.tcp_at() + 12;
                damaged(flow, BadHeader, move |octets| octets[at] = 0);
            }),
            case("S13: a TCP header longer than its segment (32)", |flow| {
                let at = flow.carrier.tcp_at() + 12;
                damaged(flow, BadHeader, move |octets| octets[at] = 0xf0);
            }),
        ],
    );
    play(
        &[Carrier::v4()],
        &[
            case(
                "S13: IPv4 total length shorter than its header (32)",
                |flow| {
                    damaged(flow, BadHeader, |octets| {
                        octets[16..18].copy_from_slice(&[0, 19]);
                    });
                },
            ),
            case(
                "S13: IPv4 total length that ends within the TCP header (32)",
                |flow| {
                    damaged(flow, BadHeader, |octets| {
                        octets[16..18].copy_from_slice(&[0, 39]);
                    });
                },
            ),
            case("S13: IPv4 total length beyond the frame (32)", |flow| {
                damaged(flow, Truncated, |octets| {
                    octets[16..18].copy_from_slice(&[0xff, 0xff]);
                });
            }),
            case("S13: IPv4 header length below 5 words (32)", |flow| {
                damaged(flow, BadHeader, |octets| octets[14] = 0x44);
            }),
            case("S13: EtherType of IPv4 with another version", |flow| {
                damaged(flow, BadHeader, |octets| octets[14] = 0x65);
            }),
        ],
    );
    play(
        &[Carrier::v6()],
        &[
            case(
                "S13: IPv6 payload length that ends within the TCP header (32)",
                |flow| {
                    damaged(flow, BadHeader, |octets| {
                        octets[18..20].copy_from_slice(&[0, 19]);
                    });
                },
            ),
            case("S13: IPv6 payload length beyond the frame (32)", |flow| {
                damaged(flow, Truncated, |octets| {
                    octets[18..20].copy_from_slice(&[0xff, 0xff]);
                });
            }),
            case("S13: EtherType of IPv6 with another version", |flow| {
                damaged(flow, BadHeader, |octets| octets[14] = 0x45);
            }),
        ],
    );
}

#[test]
fn ipv6_headers_that_lead_out_of_the_frame_pass() {
    play(
        &[Carrier::v6()],
        &[
            case(
                "S13: an extension header that leads out of the frame",
                |flow| {
                    let _ = flow.translated(1000);
                    for (number, units, why) in [
                        (HOP_BY_HOP, 255, PassReason::BadHeader),
                        (DESTINATION, 200, PassReason::BadHeader),
                        (ROUTING, 9, PassReason::BadHeader),
                        (FRAGMENT, 0, PassReason::Truncated),
                    ] {
                        let mut octets = flow
                            .carrier
                            .clone()
                            .extension(Extension::padded(number, 0))
                            .frame(&host_syn(1));
                        octets[55] = units;
                        if number == FRAGMENT {
                            octets[56..58].fill(0);
                        }
                        octets.truncate(if number == FRAGMENT { 62 } else { octets.len() });
                        flow.expect_untouched(Outbound, &octets, why, NOTHING);
                    }
                },
            ),
            case("S13: jumbograms pass (66; RFC 2675)", |flow| {
                let wire = flow.translated(1000);
                for tcp in [host_data(1001, 1, b"x"), peer_ack(PEER_ISN + 1, wire)] {
                    let mut octets = flow
                        .carrier
                        .clone()
                        .extension(Extension::padded(HOP_BY_HOP, 0))
                        .frame(&tcp);
                    octets[18..20].fill(0);
                    octets[56..62].copy_from_slice(&[0xc2, 4, 0, 1, 0, 0]);
                    let why = PassReason::BadHeader;
                    flow.expect_untouched(tcp.direction, &octets, why, NOTHING);
                }
            }),
        ],
    );
}
