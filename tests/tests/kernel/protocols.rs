//! What carries no TCP that could be translated passes untouched, both ways, and is counted (S7, S13).

use isn_tests::{
    packet_builder::extension::{AUTHENTICATION, DESTINATION, Extension, HOP_BY_HOP, MOBILITY},
    two_worlds::prelude::*,
};

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
