//! What the data plane reaches besides the packet: tables, policy, settings, time and counters.
//!
//! In the kernel these are BPF maps and helpers; in tests, ordinary collections and given values.

use core::ops::Deref;

use crate::{
    abi::{
        flow::{Flow, Previous, Record, Word},
        policy::{Mode, Policy},
        settings::Settings,
    },
    counter::Counter,
    flow::{Address, FlowKey as _},
    opening::Syn,
    previous::{self, Numbers},
    settle::{self, Settled},
    tcp::{options::SynOptions, seq::Seq},
    tick::Tick,
    translate::Translation,
};

/// What does not depend on the address family.
pub trait World {
    /// A shared word of a flow.
    type Word: Word;
    /// A flow found in a table.
    type Found: Deref<Target = Flow<Self::Word>>;

    /// Monotonic time.
    fn now(&self) -> Tick;

    /// The instance's settings; `None` only if the map is missing.
    fn settings(&self) -> Option<&Settings>;

    /// Adds to a counter of this CPU.
    fn count(&self, counter: Counter, by: u64);
}

/// The tables of one address family.
pub trait Tables<A: Address>: World + Sized {
    /// A flow that has been translated: never evicted.
    fn translated(&self, key: &A::Key) -> Option<Self::Found>;

    /// A flow that is not translated: may be evicted any time.
    fn history(&self, key: &A::Key) -> Option<Self::Found>;

    /// Adds a translated flow unless there is one under `key`.
    fn insert_translated(&self, key: &A::Key, record: &Record) -> Insertion;

    /// Adds a flow that is not translated unless there is one under `key`.
    fn insert_history(&self, key: &A::Key, record: &Record) -> Insertion;

    /// The incarnation before the one in the flow's record, if it was translated otherwise.
    fn previous(&self, key: &A::Key) -> Option<Previous>;

    /// Remembers the incarnation before, whatever was remembered.
    fn set_previous(&self, key: &A::Key, previous: &Previous);

    /// The policy of the longest guarded prefix that covers `host`.
    fn policy(&self, host: A) -> Option<&Policy>;

    /// How SYNs of the flow's host are treated in a connection to `service` (a port, host order);
    /// `None` if it is not guarded there. A world may do this in a function of its own.
    fn mode(&self, key: &A::Key, service: u16) -> Option<Mode> {
        self.policy(key.host().address)?.mode_for(service)
    }

    /// Hears of a SYN that leaves with other numbers than the host's, once an opening.
    fn rewrote(&self, key: &A::Key, host_isn: Seq, wire_isn: Seq) {
        let _ = (key, host_isn, wire_isn);
    }

    /// [`settle::settle`]. A world may do this in a function of its own.
    fn settle(&self, key: &A::Key, syn: Syn) -> Settled {
        settle::settle(self, key, &syn)
    }

    /// [`settle::unpredictable`]. A world may do this in a function of its own.
    fn unpredictable(&self, key: &A::Key, marks: [u64; 2]) -> u64 {
        settle::unpredictable(self, key, marks)
    }

    /// [`previous::late_translation`]. A world may do this in a function of its own.
    fn late_translation(&self, key: &A::Key, segment: &Numbers) -> Option<Translation> {
        previous::late_translation(self, key, segment)
    }

    /// [`settle::await_answer`]. A world may do this in a function of its own.
    fn await_answer(&self, key: &A::Key, peer_next: Seq, options: SynOptions) {
        settle::await_answer(self, key, peer_next, options);
    }
}

/// What became of an insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    /// It is in the table.
    Done,
    /// Another one was there, and still is.
    Exists,
    /// No room.
    Full,
}
