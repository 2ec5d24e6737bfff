//! What several files of cases say of a flow.

use std::collections::HashMap;

use isn_common::{
    abi::flow::{Control, Phase, Record},
    flow::{Key4, Key6},
    verdict::PassReason,
};

use super::{connections::PEER_ISN, flow::Flow, leaves::Leaves::Seq};
use crate::{
    expected_counters::NOTHING,
    packet_builder::{host_data, host_syn, peer_ack},
};

/// Right edge < wire < high-water mark + 2^31.
pub fn beyond(flow: &Flow<'_>, wire: u32, high_water: u32, right_edge: u32) {
    let window = right_edge.wrapping_sub(high_water);
    let ahead = wire.wrapping_sub(high_water);
    flow.require(
        window < ahead && ahead < 1 << 31,
        format!("wire ISN {wire} after high-water mark {high_water} and right edge {right_edge}"),
    );
}

/// Frames of a translated connection, each damaged, both ways.
pub fn damaged(flow: &mut Flow<'_>, reason: PassReason, damage: impl Fn(&mut Vec<u8>)) {
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

/// Blocks as the peer sends them, relative to a number.
#[must_use]
pub fn blocks(base: u32, count: usize) -> Vec<(u32, u32)> {
    let block = |at: u32| {
        (
            base.wrapping_add(1000 + 3000 * at),
            base.wrapping_add(2777 + 3001 * at),
        )
    };
    (0..4).map(block).take(count).collect()
}

/// The flow's record, which must be there.
#[must_use]
pub fn record(flow: &Flow<'_>) -> Record {
    flow.record().unwrap_or_else(|| flow.fail("no entry"))
}

/// The marks and the phase, which forged segments must not move.
#[must_use]
pub fn marks(flow: &Flow<'_>) -> (u32, u32, Phase) {
    let record = record(flow);
    (
        record.high_water().0,
        record.right_edge().0,
        record.control().phase(),
    )
}

/// The marks and the phase are still these.
pub fn unmoved(flow: &Flow<'_>, before: (u32, u32, Phase), what: &str) {
    let after = marks(flow);
    flow.require(
        after == before,
        format!("{what}: high-water mark, right edge and phase {after:?}, before {before:?}"),
    );
}

/// Where the flow's entry lies, leftovers aside.
#[must_use]
pub fn table(flow: &Flow<'_>) -> &'static str {
    let state = flow.worlds.state();
    let counts = |record: Option<&Record>| {
        record.is_some_and(|record| !record.control().has(Control::MOVED))
    };
    let (v4, v6) = (flow.carrier.key4(), flow.carrier.key6());
    let is_in = |four: &HashMap<Key4, Record>, six: &HashMap<Key6, Record>| {
        counts(v4.as_ref().and_then(|key| four.get(key)))
            || counts(v6.as_ref().and_then(|key| six.get(key)))
    };
    if is_in(&state.translated_v4, &state.translated_v6) {
        "translated"
    } else if is_in(&state.history_v4, &state.history_v6) {
        "history"
    } else if is_in(&state.half_open_v4, &state.half_open_v6) {
        "half-open"
    } else {
        "none"
    }
}

/// Its entry lies in this table.
pub fn lies_in(flow: &Flow<'_>, wanted: &str) {
    let found = table(flow);
    flow.require(found == wanted, format!("in {found}, not in {wanted}"));
}
