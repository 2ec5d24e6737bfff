//! The carriers of an episode's flows: every framing that must be understood, and some that must not be.

use crate::{
    fuzz::episode::{OTHER_HOST4, OTHER_HOST6},
    packet_builder::{
        Carrier, Network,
        carrier::{DOT1AD, DOT1Q},
        extension::{DESTINATION, Extension, HOP_BY_HOP, MOBILITY, ROUTING},
    },
};

/// All carriers; those that most flows have come first.
#[must_use]
pub fn carriers() -> Vec<Carrier> {
    let mut carriers = vec![Carrier::v4(), Carrier::v6()];
    carriers.extend(v4());
    carriers.extend(v6());
    carriers
}

/// So many of the carriers are plain.
pub const PLAIN: usize = 2;

fn v4() -> Vec<Carrier> {
    let plain = Carrier::v4;
    let mut lone = plain();
    lone.stripped = Some(0x2064);
    let mut outer = plain().tagged(DOT1Q, 0x0fff);
    outer.stripped = Some(7);
    let mut too_deep = plain().tagged(DOT1Q, 1).tagged(DOT1Q, 2);
    too_deep.stripped = Some(3);
    vec![
        plain().ip_options(&[1; 12]),
        plain().ip_options(&[1; 40]),
        plain().trailer(&[0xee; 5]),
        plain().tagged(DOT1Q, 0x6064),
        plain().tagged(DOT1Q, 0x6000),
        plain().tagged(DOT1AD, 0x0123).tagged(DOT1Q, 0x0456),
        plain().tagged(0x9100, 0x0123).tagged(DOT1AD, 0),
        plain().tagged(DOT1Q, 1).tagged(DOT1Q, 2).tagged(DOT1Q, 3),
        lone,
        outer,
        too_deep,
        between4(OTHER_HOST4, [198, 51, 100, 20]),
        between4([203, 0, 113, 9], [198, 51, 100, 20]),
        between4([192, 0, 2, 10], [192, 0, 2, 12]),
        between4([192, 0, 2, 10], [192, 0, 2, 10]),
        between4([192, 0, 2, 10], [224, 0, 0, 5]),
        between4([192, 0, 2, 10], [127, 0, 0, 1]),
        between4([192, 0, 2, 10], [0, 1, 2, 3]),
        between4([192, 0, 2, 10], [223, 255, 255, 255]),
    ]
}

fn v6() -> Vec<Carrier> {
    let plain = Carrier::v6;
    let chain = |kinds: &[u8]| {
        let headers = kinds.iter().map(|kind| Extension::padded(*kind, kind % 2));
        headers.fold(plain(), Carrier::extension)
    };
    vec![
        chain(&[DESTINATION]),
        chain(&[HOP_BY_HOP, ROUTING]),
        chain(&[
            HOP_BY_HOP,
            DESTINATION,
            ROUTING,
            DESTINATION,
            DESTINATION,
            DESTINATION,
        ]),
        chain(&[DESTINATION; 7]),
        chain(&[MOBILITY]),
        plain().extension(Extension::fragment(0, false)),
        plain().extension(Extension::authentication()),
        plain().tagged(DOT1AD, 9).tagged(DOT1Q, 8),
        plain().trailer(&[0x11; 3]),
        between6(
            OTHER_HOST6,
            [0x20, 1, 0xd, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20],
        ),
        between6(OTHER_HOST6, OTHER_HOST6),
        between6(OTHER_HOST6, [0xff; 16]),
        between6(OTHER_HOST6, [0; 16]),
    ]
}

fn between4(from: [u8; 4], to: [u8; 4]) -> Carrier {
    let mut carrier = Carrier::v4();
    if let Network::V4 { host, peer, .. } = &mut carrier.network {
        (*host, *peer) = (from, to);
    }
    carrier
}

fn between6(from: [u8; 16], to: [u8; 16]) -> Carrier {
    let mut carrier = Carrier::v6();
    if let Network::V6 { host, peer, .. } = &mut carrier.network {
        (*host, *peer) = (from, to);
    }
    carrier
}
