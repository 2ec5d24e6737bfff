//! All counters at once: what a packet added to each, and what it should have added.

use std::fmt::Write as _;

use isn_common::{
    counter::{
        Counter,
        Counter::{
            BypassTcpAuth, HalfOpenInserted, HistoryInserted, Promoted, SynOnLiveFlow,
            SynRetransmit, SynRewritten, SynSafe, SynSeen, SynWouldRewrite, TableFull,
        },
    },
    verdict::Verdict,
};

/// Every counter's value, by index.
pub type Counters = [u64; Counter::COUNT];
/// Counters that an event adds to, and how much.
pub type Events = [(Counter, u64)];

/// No event: the outcome of the packet alone is counted.
pub const NOTHING: &Events = &[];
/// The first SYN of a flow.
pub const FIRST_SYN: &Events = &[(SynSeen, 1), (SynSafe, 1), (HalfOpenInserted, 1)];
/// A SYN that is safe as it came, of a flow with an entry.
pub const SAFE_SYN: &Events = &[(SynSeen, 1), (SynSafe, 1)];
/// A SYN that was moved ahead.
pub const REWRITTEN: &Events = &[(SynSeen, 1), (SynRewritten, 1)];
/// A retransmitted SYN.
pub const RETRANSMIT: &Events = &[(SynSeen, 1), (SynRetransmit, 1)];
/// A SYN of an open flow.
pub const LIVE: &Events = &[(SynSeen, 1), (SynOnLiveFlow, 1)];
/// An unsafe SYN in observe mode.
pub const OBSERVED: &Events = &[(SynSeen, 1), (SynWouldRewrite, 1)];
/// A SYN that is signed, of a flow with an entry.
pub const SIGNED: &Events = &[(SynSeen, 1), (BypassTcpAuth, 1)];
/// An unsafe SYN for which there is no room.
pub const FULL: &Events = &[(SynSeen, 1), (TableFull, 1)];
/// The first SYN of the peer: it makes an entry and is no SYN of a guarded host.
pub const AWAITED: &Events = &[(HalfOpenInserted, 1)];

/// What must be added by a packet with this outcome and these events: everything else not at all.
#[must_use]
pub fn expected(outcome: Verdict, events: &Events) -> Counters {
    let mut counters = [0; Counter::COUNT];
    counters[outcome.counter().index()] += 1;
    for (counter, by) in events {
        counters[counter.index()] += by;
    }
    counters
}

/// Counters of entries that move from table to table: bookkeeping beside what a rule says of a packet, so they count only
/// where they are named. That all worlds count them alike is checked anyway.
const MOVES: [Counter; 3] = [HalfOpenInserted, HistoryInserted, Promoted];

/// Where a packet with this outcome and these events has counted something else, or `None`.
#[must_use]
pub fn unlike(outcome: Verdict, events: &Events, got: &Counters) -> Option<String> {
    let mut wanted = expected(outcome, events);
    for counter in MOVES {
        if events.iter().all(|(named, _)| *named != counter) {
            wanted[counter.index()] = got[counter.index()];
        }
    }
    difference(&wanted, got)
}

/// What was added between two readings.
#[must_use]
pub fn added(before: &Counters, after: &Counters) -> Counters {
    std::array::from_fn(|index| after[index].wrapping_sub(before[index]))
}

/// The counters that are not 0, by name.
#[must_use]
pub fn spelled(counters: &Counters) -> String {
    let mut text = String::new();
    for counter in Counter::ALL
        .iter()
        .filter(|counter| counters[counter.index()] != 0)
    {
        let _ = write!(text, "{}+{} ", counter.name(), counters[counter.index()]);
    }
    if text.is_empty() {
        "none".to_owned()
    } else {
        text.trim_end().to_owned()
    }
}

/// Where two sets of counters differ, or `None`.
#[must_use]
pub fn difference(wanted: &Counters, got: &Counters) -> Option<String> {
    (wanted != got).then(|| format!("counted [{}], expected [{}]", spelled(got), spelled(wanted)))
}
