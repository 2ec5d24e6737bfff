//! Frames that are damaged, cut or not understood pass untouched and are counted (S7, S13).

use isn_tests::{
    packet_builder::extension::{
        AUTHENTICATION, DESTINATION, Extension, FRAGMENT, HOP_BY_HOP, MOBILITY, ROUTING,
    },
    two_worlds::prelude::*,
};

/// Frames of a translated connection, each damaged, both ways.
fn damaged(flow: &mut Flow<'_>, reason: PassReason, damage: impl Fn(&mut Vec<u8>)) {
    let wire = flow.translated(1000).wrapping_add(1);
    for tcp in [
        host_data(1001, PEER_ISN + 1, b"data"),
        peer_ack(PEER_ISN + 1, wire).octets(4),
        host_syn(77).octets(4),
    ] {
        let mut octets = flow.carrier.frame(&tcp);
        damage(&mut octets);
        flow.expect_untouched(tcp.direction, &octets, reason, NOTHING);
    }
    flow.expect(&host_data(1001, PEER_ISN + 1, b"data"), &Seq(wire), NOTHING);
}

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
fn ipv4_that_is_not_tcp_passes() {
    use PassReason::{Fragment, Icmp, IpAuthentication, NotTcp};
    const ICMP: u8 = 1;
    play(
        &[Carrier::v4()],
        &[
            case("S13: later IPv4 fragments (65)", |flow| {
                damaged(flow, Fragment, |octets| {
                    octets[20..22].copy_from_slice(&[0x20, 0x01]);
                });
            }),
            case("S7: IPv4 with an Authentication Header (15)", |flow| {
                damaged(flow, IpAuthentication, |octets| octets[23] = AUTHENTICATION);
            }),
            case(
                "S13: ESP, UDP, ICMPv6, GRE, IP in IP, SCTP over IPv4, and ICMP that quotes nothing (67)",
                |flow| {
                    for protocol in [50, 17, 58, 47, 4, 41, 132, 255, 0, ICMP] {
                        let reason = if protocol == ICMP { Icmp } else { NotTcp };
                        flow.worlds.renew().expect("the maps can be written");
                        damaged(flow, reason, move |octets| octets[23] = protocol);
                    }
                },
            ),
        ],
    );
}

#[test]
fn ipv6_that_leads_to_no_tcp_passes() {
    use PassReason::{ExtensionHeaders, Fragment, Icmp, IpAuthentication, NotTcp};
    const ICMPV6: u8 = 58;
    play(
        &[Carrier::v6()],
        &[
            case(
                "S13: ESP, UDP, ICMP, GRE and no next header over IPv6, and ICMPv6 that quotes nothing (67)",
                |flow| {
                    for protocol in [50, 17, 1, 47, 4, 41, 59, MOBILITY, 139, 140, 253, ICMPV6] {
                        let reason = if protocol == ICMPV6 { Icmp } else { NotTcp };
                        flow.worlds.renew().expect("the maps can be written");
                        damaged(flow, reason, move |octets| octets[20] = protocol);
                    }
                },
            ),
            case("S13: later IPv6 fragments (65)", |flow| {
                let later = flow.carrier.clone().extension(Extension::fragment(8, true));
                let wire = flow.translated(1000);
                flow.expect_untouched(
                    Outbound,
                    &later.frame(&host_data(1001, 1, b"x")),
                    Fragment,
                    NOTHING,
                );
                flow.expect_untouched(Inbound, &later.frame(&peer_ack(1, wire)), Fragment, NOTHING);
            }),
            case(
                "S7: IPv6 with an Authentication Header, alone and behind others (15)",
                |flow| {
                    let wire = flow.translated(1000);
                    let alone = flow.carrier.clone().extension(Extension::authentication());
                    let behind = flow
                        .carrier
                        .clone()
                        .extension(Extension::padded(HOP_BY_HOP, 0));
                    for carrier in [alone, behind.extension(Extension::authentication())] {
                        let sent = carrier.frame(&host_syn(7));
                        flow.expect_untouched(Outbound, &sent, IpAuthentication, NOTHING);
                        let received = carrier.frame(&peer_ack(PEER_ISN + 1, wire));
                        flow.expect_untouched(Inbound, &received, IpAuthentication, NOTHING);
                    }
                },
            ),
            case(
                "S13: more extension headers than are walked, the same answer both ways (66)",
                |flow| {
                    let wire = flow.translated(1000);
                    let deep = (0..8).fold(flow.carrier.clone(), |carrier, _| {
                        carrier.extension(Extension::padded(DESTINATION, 0))
                    });
                    flow.expect_untouched(
                        Outbound,
                        &deep.frame(&host_data(1001, 1, b"x")),
                        ExtensionHeaders,
                        NOTHING,
                    );
                    flow.expect_untouched(
                        Inbound,
                        &deep.frame(&peer_ack(PEER_ISN + 1, wire)),
                        ExtensionHeaders,
                        NOTHING,
                    );
                },
            ),
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
                    for (number, units) in [
                        (HOP_BY_HOP, 255),
                        (DESTINATION, 200),
                        (ROUTING, 9),
                        (FRAGMENT, 0),
                    ] {
                        let mut octets = flow
                            .carrier
                            .clone()
                            .extension(Extension::padded(number, 0))
                            .frame(&host_syn(1));
                        octets[55] = units;
                        octets.truncate(if number == FRAGMENT { 62 } else { octets.len() });
                        let stepped = flow.offer_octets(Outbound, &octets);
                        flow.require(stepped.frame == octets, "octets changed");
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
                    let stepped = flow.offer_octets(tcp.direction, &octets);
                    flow.require(stepped.frame == octets, "octets changed");
                }
            }),
        ],
    );
}

#[test]
fn frames_without_ip_pass() {
    play(
        &[Carrier::v4()],
        &[case(
            "S13: ARP, LLDP, MPLS, PPPoE, 802.3 and an unknown EtherType (67)",
            |flow| {
                for ether_type in [
                    0x0806u16, 0x88cc, 0x8847, 0x8848, 0x8864, 0x0026, 0x88e5, 0xffff, 0,
                ] {
                    for tcp in [host_syn(1), peer_ack(1, 2)] {
                        let mut octets = flow.carrier.frame(&tcp);
                        octets[12..14].copy_from_slice(&ether_type.to_be_bytes());
                        flow.expect_untouched(tcp.direction, &octets, PassReason::NotIp, NOTHING);
                    }
                }
            },
        )],
    );
}
