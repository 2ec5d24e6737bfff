//! Addresses that no endpoint has, and those of one family within the other (S13; RFC 1122 section 3.2.1.3, RFC 4291 section 2.5).

use isn_tests::two_worlds::prelude::*;

#[test]
fn addresses_that_no_endpoint_has() {
    let between = |host: [u8; 4], peer: [u8; 4]| {
        let mut carrier = Carrier::v4();
        carrier.network = Network::V4 {
            host,
            peer,
            options: Vec::new(),
            fragment: 0,
        };
        carrier
    };
    play(
        &[Carrier::v4()],
        &[case(
            "S13: land, unspecified, loopback, multicast and broadcast are ignored (68)",
            move |flow| {
                flow.worlds
                    .guard4([0; 4], 0, &everywhere(Mode::Monotonic))
                    .expect("the policy can be written");
                let host = [192, 0, 2, 10];
                for (host, peer) in [
                    (host, host),
                    (host, [0; 4]),
                    (host, [127, 0, 0, 1]),
                    (host, [224, 0, 0, 1]),
                    (host, [239, 255, 255, 255]),
                    (host, [255; 4]),
                    ([0; 4], host),
                    ([127, 0, 0, 1], host),
                    ([224, 0, 0, 1], host),
                ] {
                    flow.carrier = between(host, peer);
                    flow.expect(
                        &host_syn(1000),
                        &Leaves::Unchanged(PassReason::OddAddress),
                        NOTHING,
                    );
                    flow.expect(&peer_syn(1000), &NOT_FOLLOWED, NOTHING);
                    flow.require(flow.record().is_none(), "an entry was made");
                }
            },
        )],
    );
    play(
        &[Carrier::v4()],
        &[case(
            "S13: an IPv4-mapped IPv6 flow is another one than the IPv4 flow (68)",
            |flow| {
                flow.closed_connection(5_000_000, 5_065_535);
                let mapped = |address: [u8; 4]| {
                    let mut whole = [0; 16];
                    whole[10..12].fill(0xff);
                    whole[12..].copy_from_slice(&address);
                    whole
                };
                let (host, peer) = (mapped([192, 0, 2, 10]), mapped([198, 51, 100, 20]));
                flow.carrier.network = Network::V6 {
                    host,
                    peer,
                    extensions: Vec::new(),
                };
                flow.expect(
                    &host_syn(1000),
                    &Leaves::Unchanged(PassReason::NotGuarded),
                    NOTHING,
                );
            },
        )],
    );
}

#[test]
fn ipv6_addresses_that_no_endpoint_has() {
    const HOST: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
    let number = |last: u8| {
        let mut address = [0; 16];
        address[15] = last;
        address
    };
    let mut multicast = HOST;
    multicast[..2].copy_from_slice(&[0xff, 2]);
    play(
        &[Carrier::v6()],
        &[case(
            "S13: IPv6 land, unspecified, loopback and multicast are ignored (68)",
            move |flow| {
                for peer in [HOST, number(0), number(1), multicast] {
                    flow.carrier.network = Network::V6 {
                        host: HOST,
                        peer,
                        extensions: Vec::new(),
                    };
                    let odd = Leaves::Unchanged(PassReason::OddAddress);
                    flow.expect(&host_syn(1000), &odd, NOTHING);
                    flow.expect(&host_syn_ack(1000, 8), &odd, NOTHING);
                    flow.expect(&peer_syn(1000), &NOT_FOLLOWED, NOTHING);
                    flow.require(flow.record().is_none(), "an entry was made");
                }
                // One that differs from a multicast address in its first octet alone.
                multicast_neighbour(flow, multicast);
            },
        )],
    );
}

fn multicast_neighbour(flow: &mut Flow<'_>, mut peer: [u8; 16]) {
    peer[0] = 0xfe;
    if let Network::V6 { peer: place, .. } = &mut flow.carrier.network {
        *place = peer;
    }
    flow.expect(&host_syn(1000), &AS_IT_CAME, FIRST_SYN);
}
