//! Keyed mode: where there is no entry, the offset follows from the key and the packet.

use isn_common::{counter::Counter, flow::Direction::Outbound};
use isn_tests::test_run::Hook;

use super::{
    super::{
        frames::{Frame, KEPT, LOST, NEW, PLAIN, Shape},
        lab::Subject,
    },
    Case, at, into, out,
};

/// Paths of keyed mode: flows of which there is an entry, flows of which there is none any more, and such as open.
pub fn all(hook: Hook) -> Vec<Case> {
    let shape = |service, from_host| Shape {
        from_host,
        service,
        ..PLAIN
    };
    let v6 = Shape {
        is_v6: true,
        ..shape(LOST, false)
    };
    let mut lost = [
        into(
            "keyed-lost-in",
            "keyed, inbound, no entry: recomputed",
            shape(LOST, false),
            false,
            0,
        ),
        into(
            "keyed-lost-in-v6",
            "keyed, inbound, no entry: recomputed, IPv6",
            v6,
            false,
            0,
        ),
    ];
    for case in &mut lost {
        case.outcome = Counter::KeyedRecomputed;
    }
    let syn = Frame::new(shape(NEW + 3, true), |tcp| tcp.syn = true);
    let mut cases = vec![
        out(
            "keyed-out",
            "keyed, outbound acknowledgment",
            shape(KEPT, true),
            false,
        ),
        into(
            "keyed-in",
            "keyed, inbound acknowledgment, old",
            shape(KEPT, false),
            false,
            0,
        ),
    ];
    cases.extend(lost.map(Case::restored));
    cases.extend([
        out(
            "keyed-lost-out",
            "keyed, outbound, no entry: recomputed and remembered",
            shape(LOST, true),
            false,
        )
        .ever_new(),
        Case::new(
            "keyed-syn",
            "keyed, SYN of a host, new flow among a million",
            Subject::Isnguard(Outbound),
            syn,
            Counter::PacketsTranslatedOut,
        )
        .ever_new(),
    ]);
    at(hook, cases)
}
