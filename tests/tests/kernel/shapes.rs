//! Frames of every shape: what is understood is translated (S10, S25).

use isn_tests::{
    packet_builder::{
        carrier::{DOT1AD, DOT1Q},
        extension::{DESTINATION, Extension, HOP_BY_HOP, ROUTING},
    },
    two_worlds::prelude::*,
};

/// An open translated connection of which everything is translated.
fn works(flow: &mut Flow<'_>) {
    let (host, wire) = (1001, flow.translated(1000).wrapping_add(1));
    flow.expect(&host_data(host, PEER_ISN + 1, b"odd"), &Seq(wire), NOTHING);
    let blocks = |base: u32| vec![(base.wrapping_add(9), base.wrapping_add(19))];
    let received = peer_ack(PEER_ISN + 1, wire).nops(1).sack(&blocks(wire));
    flow.expect(&received, &Leaves::Ack(host, blocks(host)), NOTHING);
}

#[test]
fn ipv4_of_every_shape() {
    let mut carriers: Vec<_> = (1..=10)
        .map(|words| {
            Carrier::v4()
                .ip_options(&[1; 40][..4 * words])
                .named("IPv4 with options")
        })
        .collect();
    carriers.extend([
        Carrier::v4()
            .ip_options(&[0x94, 4, 0, 0])
            .named("IPv4 with router alert"),
        Carrier::v4()
            .ip_options(&[68, 12, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8])
            .named("IPv4 with timestamps"),
        Carrier::v4()
            .ip_options(&[1; 40])
            .tagged(DOT1AD, 5)
            .tagged(DOT1Q, 6)
            .named("IPv4 with options in QinQ"),
        Carrier::v4().fragment(0).named("IPv4 without DF"),
        Carrier::v4()
            .fragment(0x2000)
            .named("first IPv4 fragment with a whole TCP header"),
        Carrier::v4()
            .fragment(0x8000)
            .named("IPv4 with the reserved bit (RFC 3514)"),
        Carrier::v4()
            .trailer(&[0xa5; 6])
            .named("IPv4 padded to 60 octets"),
        Carrier::v4()
            .trailer(&[0xa5; 1])
            .named("IPv4 and one octet of Ethernet"),
        Carrier::v4()
            .from_port(0)
            .to_port(0xffff)
            .named("IPv4, odd ports"),
    ]);
    play(
        &carriers,
        &[case(
            "S10: IPv4 as it comes: options, flags, padding (63, 64, 65)",
            works,
        )],
    );
}

#[test]
fn ipv6_of_every_shape() {
    let with = |name, extensions: &[Extension]| {
        extensions
            .iter()
            .cloned()
            .fold(Carrier::v6().named(name), Carrier::extension)
    };
    let carriers = [
        with("hop-by-hop options", &[Extension::padded(HOP_BY_HOP, 0)]),
        with("destination options", &[Extension::padded(DESTINATION, 0)]),
        with(
            "long destination options",
            &[Extension::padded(DESTINATION, 30)],
        ),
        with("a routing header", &[Extension::padded(ROUTING, 2)]),
        with("an atomic fragment", &[Extension::fragment(0, false)]),
        with(
            "a first fragment with a whole TCP header",
            &[Extension::fragment(0, true)],
        ),
        with(
            "all of RFC 8200 section 4.1",
            &[
                Extension::padded(HOP_BY_HOP, 0),
                Extension::padded(DESTINATION, 1),
                Extension::padded(ROUTING, 2),
                Extension::fragment(0, false),
                Extension::padded(DESTINATION, 0),
            ],
        ),
        with(
            "hop-by-hop options and padding",
            &[Extension::padded(HOP_BY_HOP, 1)],
        )
        .trailer(&[0xa5; 3]),
    ];
    play(
        &carriers,
        &[case("S25: IPv6 with extension headers (66)", works)],
    );
}

#[test]
fn vlans_separate_flows() {
    play(
        &both_families(),
        &[
            case(
                "S25: one 4-tuple on several VLANs is several flows (62)",
                |flow| {
                    let plain = flow.carrier.clone();
                    let tagged = |outer: u16, inner: u16| {
                        plain.clone().tagged(DOT1AD, outer).tagged(DOT1Q, inner)
                    };
                    flow.closed_connection(5_000_000, 5_065_535);
                    for other in [
                        plain.clone().tagged(DOT1Q, 1),
                        plain.clone().tagged(DOT1Q, 4094),
                        tagged(1, 2),
                        tagged(2, 1),
                    ] {
                        flow.carrier = other;
                        flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
                    }
                    flow.carrier = plain.clone();
                    let _ = flow.rewritten(&host_syn(1000), REWRITTEN);
                },
            ),
            case(
                "S25: priority tags do not make a flow another one (62)",
                |flow| {
                    let plain = flow.carrier.clone();
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.carrier = plain.clone().tagged(DOT1Q, 0xe000);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.carrier = plain;
                    flow.expect(
                        &peer_syn_ack(PEER_ISN, wire.wrapping_add(1)),
                        &ack(1001),
                        NOTHING,
                    );
                },
            ),
            case(
                "S25: the priority of a tag does not make a flow another one",
                |flow| {
                    let plain = flow.carrier.clone();
                    flow.carrier = plain.clone().tagged(DOT1Q, 0x0064);
                    flow.closed_connection(5_000_000, 5_065_535);
                    flow.carrier = plain.clone().tagged(DOT1AD, 0xf064);
                    let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                    flow.handshake(1000, wire);
                },
            ),
            case("S13: three tags are too many, both ways (62)", |flow| {
                let deep = flow
                    .carrier
                    .clone()
                    .tagged(DOT1AD, 1)
                    .tagged(DOT1Q, 2)
                    .tagged(DOT1Q, 3);
                flow.expect_untouched(
                    Outbound,
                    &deep.frame(&host_syn(1)),
                    PassReason::VlanDepth,
                    NOTHING,
                );
                flow.expect_untouched(
                    Inbound,
                    &deep.frame(&peer_ack(1, 2)),
                    PassReason::VlanDepth,
                    NOTHING,
                );
            }),
        ],
    );
}
