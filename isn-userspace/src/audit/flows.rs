//! Who began which connection at which number: SYNs told from their repetitions, and each measured against where the same 4-tuple
//! ended before (RFC 9293 section 3.4.1).
//!
//! The memory is bounded: two generations of flows, of which the older one is forgotten when the younger is full. Whoever speaks
//! moves to the younger.

use std::{
    collections::HashMap,
    mem,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use isn_common::{abi::settings::Settings, tcp::seq::Seq};

use super::{
    frame::Spoken,
    side::{Side, same_incarnation},
};

/// Silence after which a flow is no longer known: as long as isnguard remembers one by default.
pub const HORIZON: Duration = Duration::from_secs(Settings::DEFAULT_HISTORY_SECONDS as u64);
/// Flows of a generation: what fills a table of 2^19 places.
const GENERATION: usize = (1 << 19) / 8 * 7;

/// A 4-tuple, the same for both directions: the lower end first, IPv4 as mapped into IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Tuple {
    addresses: [[u8; 16]; 2],
    ports: [u16; 2],
}

/// What is known of a 4-tuple.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    last: Duration,
    sides: [Side; 2],
    /// A segment without SYN was seen in this incarnation.
    established: bool,
    /// And then a reset.
    reset: bool,
}

/// What a SYN was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// No SYN.
    None,
    /// The same SYN again.
    Repeated,
    /// A number that its sender chose, with its distance from the end of the incarnation before.
    Chosen(Option<i32>),
}

/// All flows.
pub struct Flows {
    young: HashMap<Tuple, Flow>,
    old: HashMap<Tuple, Flow>,
    generation: usize,
    forgotten: u64,
}

impl Default for Flows {
    fn default() -> Self {
        Self::with_room(GENERATION)
    }
}

impl Flows {
    /// With room for so many in each generation.
    fn with_room(generation: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation,
            forgotten: 0,
        }
    }

    /// How many flows were forgotten before the horizon, for want of room.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Learns from a segment.
    pub fn hear(&mut self, spoken: &Spoken) -> Choice {
        let (tuple, me) = Tuple::of(spoken.from, spoken.to);
        if !self.young.contains_key(&tuple) {
            let known = self.old.remove(&tuple).unwrap_or_default();
            self.make_room(spoken.at);
            self.young.insert(tuple, known);
        }
        let flow = self.young.entry(tuple).or_default();
        if spoken.at.saturating_sub(flow.last) >= HORIZON {
            *flow = Flow::default();
        }
        flow.last = flow.last.max(spoken.at);
        if spoken.flags.opens() {
            flow.syn(me, spoken)
        } else {
            flow.segment(me, spoken);
            Choice::None
        }
    }

    fn make_room(&mut self, now: Duration) {
        if self.young.len() < self.generation {
            return;
        }
        let lost = mem::replace(&mut self.old, mem::take(&mut self.young));
        let alive = |flow: &&Flow| now.saturating_sub(flow.last) < HORIZON;
        self.forgotten += lost.values().filter(alive).count() as u64;
    }
}

impl Tuple {
    /// And which of its sides speaks.
    fn of(from: SocketAddr, to: SocketAddr) -> (Self, usize) {
        let end = |end: SocketAddr| {
            let address = match end.ip() {
                IpAddr::V4(address) => address.to_ipv6_mapped(),
                IpAddr::V6(address) => address,
            };
            (address.octets(), end.port())
        };
        let (a, b) = (end(from), end(to));
        let me = usize::from(a > b);
        let (low, high) = if me == 0 { (a, b) } else { (b, a) };
        let tuple = Self {
            addresses: [low.0, high.0],
            ports: [low.1, high.1],
        };
        (tuple, me)
    }
}

impl Flow {
    /// Whether the incarnation has ended, so that the same number again is a new choice.
    fn is_over(&self) -> bool {
        let [a, b] = &self.sides;
        let closed = |x: &Side, y: &Side| x.has(Side::FIN) && (y.has(Side::FIN) || !y.is_known());
        (self.established && self.reset) || closed(a, b) || closed(b, a)
    }

    fn syn(&mut self, me: usize, spoken: &Spoken) -> Choice {
        let over = self.is_over();
        let (mine, theirs) = (self.sides[me], self.sides[1 - me]);
        if mine.has(Side::CURRENT) && mine.isn == spoken.sequence && !over {
            return Choice::Repeated;
        }
        let answers = spoken.acknowledgment.is_some();
        let joins = !over && same_incarnation(&mine, &theirs, answers);
        let again = joins && mine.has(Side::CURRENT);
        let measured = mine.is_known() && mine.has(Side::ANSWERED) && !again;
        if !joins {
            self.sides[1 - me].clear(Side::CURRENT | Side::PROGRESSED | Side::FIN);
            (self.established, self.reset) = (false, false);
        }
        self.sides[me] = Side::opened(spoken.sequence, spoken.end, joins);
        if joins {
            // The other side has its answer.
            self.sides[1 - me].set(Side::ANSWERED);
        }
        Choice::Chosen(measured.then(|| spoken.sequence.distance_from(mine.high_water)))
    }

    fn segment(&mut self, me: usize, spoken: &Spoken) {
        let theirs = self.sides[1 - me];
        let mine = &mut self.sides[me];
        let converses =
            mine.has(Side::CURRENT) || !theirs.has(Side::CURRENT) || theirs.has(Side::PROGRESSED);
        if spoken.flags.rst() {
            self.reset |= self.established && converses;
            return;
        }
        mine.reach(spoken.end);
        if !converses {
            return;
        }
        mine.set(Side::ANSWERED | Side::PROGRESSED);
        if spoken.flags.fin() {
            mine.set(Side::FIN);
        }
        self.established = true;
        if let Some(acknowledgment) = spoken.acknowledgment {
            self.acknowledged(1 - me, acknowledgment);
        }
    }

    /// What was acknowledged was sent, even if the capture has missed it.
    fn acknowledged(&mut self, side: usize, number: Seq) {
        let theirs = &mut self.sides[side];
        if theirs.has(Side::CURRENT) {
            theirs.set(Side::ANSWERED);
        }
        if theirs.is_known() {
            theirs.reach(number);
        }
    }
}

#[cfg(test)]
mod tests;
