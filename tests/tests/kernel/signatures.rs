//! Signed segments: TCP-MD5 (RFC 2385), TCP-AO (RFC 5925) and the IP Authentication Header (RFC 4302) cover the sequence
//! numbers, so that a connection that begins signed is left alone (S7).

use isn_tests::{
    packet_builder::extension::{AUTHENTICATION, Extension},
    two_worlds::prelude::*,
};

/// The options that sign a segment, at several places among others.
fn signatures() -> Vec<Vec<u8>> {
    let md5 = [&[19, 18], &[7; 16][..]].concat();
    let ao = [&[29, 16, 1, 2], &[7; 12][..]].concat();
    let short_ao = vec![29, 4, 1, 2];
    let before: [&[u8]; 4] = [&[], &[1], &[1, 1, 1], &[2, 4, 5, 180, 1, 1, 4, 2]];
    [md5, ao, short_ao]
        .iter()
        .flat_map(|option| before.map(|before| [before, option].concat()))
        .collect()
}

/// The connection goes on as it began, both ways, signed and not.
fn passes_as_it_came(flow: &mut Flow<'_>, host_isn: u32, option: &[u8]) {
    let (next, peer) = (host_isn.wrapping_add(1), PEER_ISN + 1);
    for tcp in [
        host_ack(next, peer),
        peer_data(peer, next, b"a"),
        host_data(next, peer + 1, b"b"),
        peer_ack(peer + 1, next.wrapping_add(1)),
    ] {
        flow.expect(&tcp.clone().raw_options(option), &AS_IT_CAME, NOTHING);
        flow.expect(&tcp, &AS_IT_CAME, NOTHING);
    }
    flow.require(
        flow.record().is_some_and(|record| record.offset().0 == 0),
        "a signed connection got an offset",
    );
}

#[test]
fn connections_that_begin_signed() {
    play(
        &both_families(),
        &[
            case(
                "S7: a signed SYN that regresses, the signature anywhere among the options (15)",
                |flow| {
                    for (port, option) in (6000..).zip(signatures()) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.closed_connection(5_000_000, 5_065_535);
                        let syn = host_syn(1000).raw_options(&option);
                        flow.expect(&syn, &AS_IT_CAME, SIGNED);
                        flow.expect(&syn, &AS_IT_CAME, RETRANSMIT);
                        let answer = peer_syn_ack(PEER_ISN, 1001).raw_options(&option);
                        flow.expect(&answer, &AS_IT_CAME, NOTHING);
                        passes_as_it_came(flow, 1000, &option);
                    }
                },
            ),
            case(
                "S7: a signed SYN after a connection with an offset: that offset ends (15)",
                |flow| {
                    for (port, option) in (6000..).zip(signatures()) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        let wire = flow.translated(1000);
                        flow.expect(&host_rst(1001), &Seq(wire.wrapping_add(1)), NOTHING);
                        flow.expect(&host_syn(77).raw_options(&option), &AS_IT_CAME, SIGNED);
                        let answer = peer_syn_ack(PEER_ISN, 78).raw_options(&option);
                        flow.expect(&answer, &AS_IT_CAME, NOTHING);
                        passes_as_it_came(flow, 77, &option);
                    }
                },
            ),
            case(
                "S7: the host's SYN-ACK answers a signed SYN, signed itself or not (15)",
                |flow| {
                    for (port, option) in (6000..).zip(signatures()) {
                        for (port, answer) in [
                            (port, host_syn_ack(1000, PEER_ISN + 1)),
                            (
                                port + 1000,
                                host_syn_ack(1000, PEER_ISN + 1).raw_options(&option),
                            ),
                        ] {
                            flow.carrier = flow.carrier.clone().from_port(port);
                            flow.closed_connection(5_000_000, 5_065_535);
                            let syn = peer_syn(PEER_ISN).raw_options(&option);
                            flow.expect(&syn, &AS_IT_CAME, NOTHING);
                            flow.expect(&answer, &AS_IT_CAME, SIGNED);
                            passes_as_it_came(flow, 1000, &option);
                        }
                    }
                },
            ),
        ],
    );
}

#[test]
fn what_is_no_signature() {
    play(
        &both_families(),
        &[case(
            "S7: the octets of a signature behind the end of the list, or inside another option, sign nothing (15)",
            |flow| {
                let md5 = [&[19, 18], &[7; 16][..]].concat();
                for (port, option) in (6000..).zip([
                    [&[0][..], &md5].concat(),
                    [&[200, 20], &md5[..]].concat(),
                    // Longer than what is left of the header: malformed, and the walk ends.
                    vec![19, 18, 7, 7],
                ]) {
                    flow.carrier = flow.carrier.clone().from_port(port);
                    flow.closed_connection(5_000_000, 5_065_535);
                    let wire = flow.rewritten(&host_syn(1000).raw_options(&option), REWRITTEN);
                    flow.handshake(1000, wire);
                }
            },
        )],
    );
}

#[test]
fn signatures_that_appear_later() {
    play(
        &both_families(),
        &[
            case(
                "S7: a signature on a segment of a flow with an offset is counted, not silently broken (15)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let offset = wire.wrapping_sub(1001);
                    let open = flow.worlds.state().clone();
                    for option in signatures() {
                        for tcp in [
                            host_ack(1001, PEER_ISN + 1),
                            host_data(1001, PEER_ISN + 1, b"x"),
                            host_fin(1001, PEER_ISN + 1),
                            host_rst(1001),
                            peer_ack(PEER_ISN + 1, wire),
                            peer_data(PEER_ISN + 1, wire, b"x"),
                            peer_syn_ack(PEER_ISN, wire),
                            peer_rst_ack(PEER_ISN + 1, wire),
                        ] {
                            flow.worlds.put(open.clone()).expect("the maps");
                            let events = [(Counter::SignedTranslated, 1)];
                            flow.moved_by(offset, &tcp.clone().raw_options(&option), &events);
                            flow.moved_by(offset, &tcp, NOTHING);
                        }
                    }
                },
            ),
            case(
                "S7: a signed SYN on an open flow, and a signed copy of a SYN that was not (S5, S6, 15)",
                |flow| {
                    for (port, option) in (6000..).zip(signatures()) {
                        flow.carrier = flow.carrier.clone().from_port(port);
                        flow.closed_connection(5_000_000, 5_065_535);
                        let wire = flow.rewritten(&host_syn(1000), REWRITTEN);
                        let signed = host_syn(1000).raw_options(&option);
                        let broken =
                            |events: &Events| [events, &[(Counter::SignedTranslated, 1)]].concat();
                        flow.expect(&signed, &Seq(wire), &broken(RETRANSMIT));
                        flow.handshake(1000, wire);
                        flow.expect(&signed, &Seq(wire), &broken(LIVE));
                    }
                },
            ),
            case(
                "S7: a signature on what is not translated breaks nothing, and is not counted (15)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    for option in signatures() {
                        for tcp in [
                            peer_rst(PEER_ISN + 900_000),
                            peer_rst_ack(PEER_ISN + 900_000, 0),
                        ] {
                            flow.expect(&tcp.raw_options(&option), &NOTHING_IN_IT, NOTHING);
                        }
                    }
                    flow.expect(&peer_ack(PEER_ISN + 1, wire), &ack(1001), NOTHING);
                },
            ),
            case(
                "S7: an Authentication Header on a segment of a flow with an offset: it passes, counted (15)",
                |flow| {
                    let wire = flow.translated(1000).wrapping_add(1);
                    let signed = with_authentication_header(&flow.carrier);
                    let of_both = [
                        host_data(1001, PEER_ISN + 1, b"x"),
                        host_syn(77),
                        host_rst(1001),
                        peer_ack(PEER_ISN + 1, wire),
                        peer_rst(PEER_ISN + 1),
                    ];
                    let before = flow.worlds.state().clone();
                    for tcp in of_both {
                        let frame = signed(&tcp);
                        let why = PassReason::IpAuthentication;
                        flow.expect_untouched(tcp.direction, &frame, why, NOTHING);
                    }
                    flow.require(
                        flow.worlds.state() == &before,
                        "what passed by an Authentication Header changed the flow",
                    );
                    flow.expect(&host_data(1001, PEER_ISN + 1, b"x"), &Seq(wire), NOTHING);
                },
            ),
        ],
    );
}

/// Frames of this carrier with an Authentication Header between IP and TCP.
fn with_authentication_header(carrier: &Carrier) -> impl Fn(&Tcp) -> Vec<u8> + use<> {
    let plain = carrier.clone();
    move |tcp| {
        if plain.key6().is_some() {
            return plain
                .clone()
                .extension(Extension::authentication())
                .frame(tcp);
        }
        let mut header = Extension::authentication().octets;
        header[0] = 6;
        let mut frame = plain.frame(tcp);
        let (network, at) = (plain.network_at(), plain.tcp_at());
        frame[network + 9] = AUTHENTICATION;
        let length = u16::try_from(frame.len() - network + header.len()).expect("short");
        frame[network + 2..network + 4].copy_from_slice(&length.to_be_bytes());
        frame.splice(at..at, header);
        frame
    }
}
