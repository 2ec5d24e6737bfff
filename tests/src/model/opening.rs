//! What a SYN of the host decides (S1 to S8): which case it is, and what the new incarnation then remembers.

use std::time::Duration;

use super::{
    flow::{Flow, Grant, Marks, Phase, Previous, Table, Translation},
    guard::Mode,
    sequence::{ahead, later},
};

/// The furthest that the right edge counts beyond the high-water mark, and the longest jump beyond it.
const FURTHEST: i64 = 1 << 30;

/// The host's SYN or SYN-ACK.
#[derive(Clone, Copy, Debug)]
pub struct Syn {
    /// The host's number.
    pub isn: u32,
    /// Numbers it takes up.
    pub length: u32,
    /// Whether it is a SYN-ACK.
    pub answers: bool,
    /// Whether it offers a window scale.
    pub scales: bool,
    /// Whether TCP-MD5 or TCP-AO signs it.
    pub signed: bool,
    /// Its `TSval`.
    pub stamp: Option<u32>,
}

/// What applies when the SYN comes.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// The policy of the service port.
    pub mode: Option<Mode>,
    /// No new offsets.
    pub draining: bool,
    /// The table of translated flows takes no more.
    pub full: bool,
    /// For so long a flow is remembered.
    pub history: Duration,
    /// When the SYN came.
    pub now: Duration,
    /// What the flow has by itself: nothing, unless the mode is keyed.
    pub by_itself: Translation,
    /// The lower six bits of the key's generation, if the mode is keyed.
    pub keyed: Option<u8>,
}

/// The cases of a known flow, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// 1: established or closing.
    Live,
    /// 2: a retransmission.
    Repeated,
    /// 3: not guarded any more.
    Unguarded,
    /// 4: signed.
    Signed,
    /// 5: idle, or only the peer's SYN was seen.
    Forgotten,
    /// 6: another ISN while half-open.
    Again,
    /// 7: safe.
    Safe,
    /// 8: the peer was not seen before.
    OneWay,
    /// 9: unsafe.
    Unsafe,
}

impl Case {
    /// The first that applies.
    #[must_use]
    pub fn of(flow: &Flow, syn: &Syn, given: &Circumstances) -> Self {
        let phase = flow.phase();
        let idle = given.now.saturating_sub(flow.last_packet) >= given.history;
        let live = matches!(phase, Phase::Established | Phase::Closing);
        let half_open = phase == Phase::HalfOpen;
        if live && !(idle && flow.translation.is_none() && !flow.own) {
            Self::Live
        } else if half_open && !idle && syn.isn == flow.host_isn {
            Self::Repeated
        } else if given.mode.is_none() {
            Self::Unguarded
        } else if syn.signed || (syn.answers && flow.marks.peer_signs) {
            Self::Signed
        } else if idle || phase == Phase::Opening {
            Self::Forgotten
        } else if half_open {
            Self::Again
        } else if is_safe(flow, syn.isn.wrapping_add(given.by_itself.sequence)) {
            Self::Safe
        } else if !flow.marks.peer_seen && given.mode != Some(Mode::Observe) {
            Self::OneWay
        } else {
            Self::Unsafe
        }
    }
}

/// Right edge - high-water mark, as far as it counts.
fn edge(flow: &Flow) -> i64 {
    ahead(flow.edge, flow.high).clamp(0, FURTHEST)
}

fn is_safe(flow: &Flow, isn: u32) -> bool {
    ahead(isn, flow.high) > edge(flow)
}

/// Whether an unsafe SYN may become this number (S2).
#[must_use]
pub fn is_jump(flow: &Flow, wire: u32) -> bool {
    let beyond = ahead(wire, flow.high);
    // A distance of 2^31 is no distance ahead: signed, it lies behind.
    beyond > edge(flow) && beyond <= edge(flow) + FURTHEST
}

/// Takes note of a retransmission.
pub fn repeat(flow: &mut Flow, syn: &Syn) {
    flow.marks.host_scales = syn.scales;
    let end = flow.wire_isn().wrapping_add(syn.length);
    flow.high = later(flow.high, end);
    super::host::note_stamp(flow, syn.stamp);
}

/// The incarnation that a SYN begins; `case` is `None` if nothing was remembered and `before` is empty.
#[must_use]
pub fn incarnation(
    before: &Flow,
    syn: &Syn,
    case: Option<Case>,
    grant: Grant,
    now: Duration,
) -> Flow {
    let translation = grant.translation;
    let again = case == Some(Case::Again);
    let end = syn
        .isn
        .wrapping_add(translation.sequence)
        .wrapping_add(syn.length);
    let high = if again { later(before.high, end) } else { end };
    let mut flow = Flow {
        host_isn: syn.isn,
        translation,
        own: grant.own,
        keyed: grant.keyed,
        high,
        edge: high,
        peer_next: before.peer_next,
        latest_stamp: before.latest_stamp.filter(|_| again),
        marks: marks(&before.marks, syn, syn.answers || again),
        last_packet: now,
        previous: previous(before, case, translation, now),
        table: match before.table {
            Table::History if grant.own => Table::HalfOpen,
            table => table,
        },
    };
    super::host::note_stamp(&mut flow, syn.stamp);
    flow
}

fn marks(before: &Marks, syn: &Syn, keeps_peer: bool) -> Marks {
    let kept = if keeps_peer {
        *before
    } else {
        Marks::default()
    };
    Marks {
        host_syn: true,
        passive: syn.answers,
        host_scales: syn.scales,
        peer_seen: kept.peer_seen,
        peer_signs: kept.peer_signs,
        peer_scale: kept.peer_scale,
        ..Marks::default()
    }
}

fn previous(
    before: &Flow,
    case: Option<Case>,
    translation: Translation,
    since: Duration,
) -> Option<Previous> {
    if case == Some(Case::Again) {
        return before.previous;
    }
    let told = !matches!(case, None | Some(Case::Forgotten));
    (told && before.translation != translation).then_some(Previous {
        translation: before.translation,
        high: before.high,
        since,
    })
}
