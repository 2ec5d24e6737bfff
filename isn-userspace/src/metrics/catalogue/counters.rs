//! What the data plane counts. A reason to pass or to drop that it learns appears here by itself.

use isn_common::counter::Counter;

use super::{Counted, Kind, Metric, Sample, Source, beginning_with, count};
use crate::metrics::reading::Reading;

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    source: Source,
) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        labels,
        help,
        source,
    }
}

const fn counted(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    counters: &'static [Counted],
) -> Metric {
    counter(name, labels, help, Source::Counters(counters))
}

pub(super) const METRICS: &[Metric] = &[
    counter(
        "isnguard_packets_total",
        &["direction", "verdict"],
        "Packets by what became of them; those that passed or were dropped, and ICMP errors, are not told apart by direction.",
        Source::Elsewhere(packets),
    ),
    counter(
        "isnguard_passed_total",
        &["reason"],
        "Packets that passed untouched, by reason.",
        Source::Prefix(PASS),
    ),
    counter(
        "isnguard_dropped_total",
        &["reason"],
        "Packets that were dropped, by reason.",
        Source::Prefix(DROPPED),
    ),
    counted(
        "isnguard_forwarded_total",
        &["direction"],
        "Packets that were forwarded in XDP.",
        &[
            (&["out"], Counter::ForwardedOut),
            (&["in"], Counter::ForwardedIn),
        ],
    ),
    counter(
        "isnguard_left_total",
        &["reason"],
        "Packets that were not forwarded in XDP but left to the kernel, by reason.",
        Source::Prefix(LEFT),
    ),
    counted(
        "isnguard_syn_seen_total",
        &[],
        "SYNs and SYN-ACKs of guarded hosts.",
        &[(&[], Counter::SynSeen)],
    ),
    counted(
        "isnguard_syn_total",
        &["verdict"],
        "SYNs and SYN-ACKs of guarded hosts, by what was decided.",
        &[
            (&["safe"], Counter::SynSafe),
            (&["rewritten"], Counter::SynRewritten),
            (&["keyed"], Counter::SynKeyed),
            (&["retransmit"], Counter::SynRetransmit),
            (&["would_rewrite"], Counter::SynWouldRewrite),
            (&["on_live_flow"], Counter::SynOnLiveFlow),
            (&["tcp_auth"], Counter::BypassTcpAuth),
            (&["one_way"], Counter::BypassOneWay),
            (&["table_full"], Counter::TableFull),
        ],
    ),
    counted(
        "isnguard_unprotected_syn_total",
        &["reason"],
        "SYNs of guarded hosts that needed protection and got none, by reason.",
        &[
            (&["table_full"], Counter::TableFull),
            (&["one_way"], Counter::BypassOneWay),
            (&["tcp_auth"], Counter::BypassTcpAuth),
            (&["would_rewrite"], Counter::SynWouldRewrite),
        ],
    ),
    counted(
        "isnguard_share_exceeded_total",
        &["table"],
        "Connections that found no room because their host holds its share: of the translated flows, or of what is remembered.",
        &[
            (&["translated"], Counter::ShareExceeded),
            (&["memory"], Counter::MemoryShareExceeded),
        ],
    ),
    counted(
        "isnguard_paws_syn_total",
        &["verdict"],
        "SYNs whose timestamp a peer in TIME-WAIT would refuse as older than the last one, and those of them that were repaired.",
        &[
            (&["risk"], Counter::PawsRisk),
            (&["repaired"], Counter::PawsRepaired),
        ],
    ),
    counted(
        "isnguard_sack_edges_translated_total",
        &[],
        "SACK edges that were translated, two for each block.",
        &[(&[], Counter::SackEdgesTranslated)],
    ),
    counted(
        "isnguard_previous_incarnation_total",
        &[],
        "Late segments of a connection that was followed by another one, translated as it was.",
        &[(&[], Counter::PreviousIncarnation)],
    ),
    counted(
        "isnguard_signed_translated_total",
        &[],
        "Segments that were translated although TCP-MD5 or TCP-AO signs them: their receiver refuses them.",
        &[(&[], Counter::SignedTranslated)],
    ),
    counted(
        "isnguard_table_inserted_total",
        &["table"],
        "Flows that were put into a table.",
        &[
            (&["half_open"], Counter::HalfOpenInserted),
            (&["history"], Counter::HistoryInserted),
        ],
    ),
    counted(
        "isnguard_promoted_total",
        &[],
        "Flows whose handshake was completed.",
        &[(&[], Counter::Promoted)],
    ),
    counted(
        "isnguard_keyed_recomputed_total",
        &[],
        "Packets of keyed flows without an entry, whose offset was computed again.",
        &[(&[], Counter::KeyedRecomputed)],
    ),
    counted(
        "isnguard_keyed_remembered_total",
        &[],
        "Keyed flows without an entry that were remembered again.",
        &[(&[], Counter::KeyedRemembered)],
    ),
    counted(
        "isnguard_flows_adopted_total",
        &[],
        "Flows open before keyed mode or its key was in use that were adopted.",
        &[(&[], Counter::FlowsAdopted)],
    ),
    counted(
        "isnguard_adoption_full_total",
        &[],
        "Segments of flows that could not be adopted for want of room: those flows break when adopting ends.",
        &[(&[], Counter::AdoptionFull)],
    ),
    counted(
        "isnguard_samples_total",
        &["outcome"],
        "Samples of initial sequence numbers: taken, not taken since the host had given its share, lost for want of a reader.",
        &[
            (&["taken"], Counter::SamplesTaken),
            (&["limited"], Counter::SamplesLimited),
            (&["lost"], Counter::SamplesLost),
        ],
    ),
];

const PASS: &str = "pass_";
const LEFT: &str = "left_";
const DROPPED: &str = "dropped_";

/// Outcomes that are told beside the sums of all others.
pub(super) const WITH_SUMS: [Counter; 3] = [
    Counter::PacketsTranslatedOut,
    Counter::PacketsTranslatedIn,
    Counter::IcmpTranslated,
];

fn packets(reading: &Reading) -> Vec<Sample> {
    let all = |prefix| beginning_with(prefix).map(|(_, it)| reading.get(it)).sum();
    let [out, back, icmp] = WITH_SUMS.map(|counter| reading.get(counter));
    vec![
        count(&["out", "translated"], out),
        count(&["in", "translated"], back),
        count(&["any", "icmp_translated"], icmp),
        count(&["any", "passed"], all(PASS)),
        count(&["any", "dropped"], all(DROPPED)),
    ]
}
