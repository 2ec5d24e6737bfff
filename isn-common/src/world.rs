//! What the data plane reaches besides the packet: tables, policy, settings, time and counters.
//!
//! In the kernel these are BPF maps and helpers; in tests, ordinary collections and given values.

use core::ops::Deref;

use crate::{
    abi::{
        flow::{Control, Flow, Previous, Record, Word, unpack},
        policy::{Mode, Policy},
        sample::Told,
        settings::Settings,
    },
    counter::Counter,
    expiry::Place,
    flow::{Address, FlowKey as _},
    keyed::{self, Generation},
    newcomer,
    opening::Syn,
    previous::{self, Numbers},
    promotion, recompute, remember,
    room::{Admission, Share},
    sample,
    settle::{self, Settled},
    storm::Cell,
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
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

    /// A cell of those that tell acknowledgments in circles ([`crate::storm`]), by its index; there are
    /// [`crate::abi::maps::STORMS_LENGTH`].
    fn storm(&self, cell: u32) -> Option<&Cell<Self::Word>>;

    /// A cell of those that count what hosts have used of their shares ([`crate::room`]), by its index; there are
    /// [`crate::abi::maps::SHARES_LENGTH`].
    fn share(&self, cell: u32) -> Option<&Self::Word>;
}

/// A flow and the table that it lies in.
pub struct Held<F> {
    /// The table.
    pub place: Place,
    /// The entry.
    pub flow: F,
}

/// The tables of one address family.
pub trait Tables<A: Address>: World + Sized {
    /// Whether a table may have flows of this host: false only where it is certain that none has ([`crate::filter`]).
    fn may_be_guarded(&self, host: A) -> bool {
        let _ = host;
        true
    }

    /// Notes that a table is to have flows of this host, whether the policy guards it or not any more.
    fn note_flows_of(&self, host: A) {
        let _ = host;
    }

    /// Hears that the SYN of a flow is about to be settled, as long before as can be.
    fn expect(&self, key: &A::Key) {
        let _ = key;
    }

    /// A flow in the table of translated ones, which nothing evicts.
    fn translated(&self, key: &A::Key) -> Option<Self::Found>;

    /// A flow among the half-open ones: may be evicted any time.
    fn half_open(&self, key: &A::Key) -> Option<Self::Found>;

    /// A flow in the history: may be evicted any time.
    fn history(&self, key: &A::Key) -> Option<Self::Found>;

    /// Whether what was read of a flow, found just before, is that flow's: nothing was evicted meanwhile and another flow put in its place.
    fn is_intact(&self, flow: &Self::Found) -> bool {
        let _ = flow;
        true
    }

    /// Whether a flow, found some time ago, still lies where it was found. A world may know that in another way.
    #[inline(always)]
    fn is_there(&self, key: &A::Key, held: &Held<Self::Found>) -> bool {
        let before: &Flow<Self::Word> = &held.flow;
        self.entry(key, held.place).is_some_and(|now| {
            let now: &Flow<Self::Word> = &now;
            core::ptr::eq(now, before)
        })
    }

    /// A flow whose handshake is over: in the table of translated ones, or else in the history.
    #[inline(always)]
    fn settled(&self, key: &A::Key) -> Option<Self::Found> {
        self.translated(key).or_else(|| self.history(key))
    }

    /// Adds a translated flow unless there is one under `key`.
    fn insert_translated(&self, key: &A::Key, record: &Record) -> Insertion;

    /// Adds a half-open flow unless there is one under `key`.
    fn insert_half_open(&self, key: &A::Key, record: &Record) -> Insertion;

    /// Puts a flow among the half-open ones, whatever lay there under `key`; false without room.
    fn replace_half_open(&self, key: &A::Key, record: &Record) -> bool;

    /// Adds a flow to the history unless there is one under `key`.
    fn insert_history(&self, key: &A::Key, record: &Record) -> Insertion;

    /// Puts a flow into the history, whatever lay there under `key`; false without room.
    fn replace_history(&self, key: &A::Key, record: &Record) -> bool;

    /// Removes a flow from a table; false if it was not there.
    fn remove(&self, key: &A::Key, place: Place) -> bool;

    /// Whether the host may have another flow with an offset.
    fn admission(&self, key: &A::Key) -> Admission;

    /// Notes that the table of translated flows has one more of the host, or one less.
    fn account(&self, key: &A::Key, more: bool);

    /// Counts another entry of the host in a table of memory, or another sample; false if it has its share. A world may do
    /// this in a function of its own.
    fn takes_share(&self, key: &A::Key, of: Share) -> bool {
        remember::takes_share(self, key, of)
    }

    /// What lies under `key` in a table.
    #[inline(always)]
    fn entry(&self, key: &A::Key, place: Place) -> Option<Self::Found> {
        match place {
            Place::Translated => self.translated(key),
            Place::HalfOpen => self.half_open(key),
            Place::History => self.history(key),
        }
    }

    /// The entry of a flow that counts.
    ///
    /// A leftover in the history still tells of the incarnation before, so it is what is found where nothing else is; a
    /// leftover among the half-open ones tells nothing, and only an opening wants it, to put another in its place.
    #[inline(always)]
    fn find(&self, key: &A::Key) -> Option<Held<Self::Found>> {
        let held = |place| move |flow| Held { place, flow };
        let is_left = |flow: &Self::Found| Control(unpack(flow.life.load()).0).has(Control::MOVED);
        let among_translated = || self.translated(key).map(held(Place::Translated));
        let in_history = |flow: Option<_>| flow.map(held(Place::History));
        let translated = among_translated();
        if translated.is_some() {
            return translated;
        }
        let remembered = self.history(key);
        if remembered.as_ref().is_some_and(|flow| !is_left(flow)) {
            return in_history(remembered);
        }
        let Some(flow) = self.half_open(key) else {
            return in_history(remembered);
        };
        if !is_left(&flow) {
            return Some(held(Place::HalfOpen)(flow));
        }
        // It has moved, maybe while it was looked for: it was put in there before it was marked here.
        among_translated().or_else(|| in_history(self.history(key)))
    }

    /// The same for a key that a function was given. A world may copy it where it needs it.
    #[inline(always)]
    fn find_given(&self, key: &A::Key) -> Option<Held<Self::Found>> {
        self.find(key)
    }

    /// [`Self::find`], and what the entry says: nothing, if another CPU has evicted it while it was read.
    #[inline(always)]
    fn known(&self, key: &A::Key) -> Option<(Held<Self::Found>, Record)> {
        let held = self.find(key)?;
        let record = held.flow.record();
        self.is_intact(&held.flow).then_some((held, record))
    }

    /// [`promotion::promote`]. A world may do this in a function of its own.
    fn promote(&self, key: &A::Key) {
        promotion::promote(self, key);
    }

    /// The incarnation before the one in the flow's record, if it was translated otherwise.
    fn previous(&self, key: &A::Key) -> Option<Previous>;

    /// Remembers the incarnation before, whatever was remembered.
    fn set_previous(&self, key: &A::Key, previous: &Previous);

    /// The policy of the longest guarded prefix that covers `host`.
    fn policy(&self, host: A) -> Option<&Policy>;

    /// How SYNs of the flow's host are treated; `None` if it is not guarded. The service port is the one that the connection
    /// is opened to: the host's own where it is `passive`. A world may do this in a function of its own.
    fn mode(&self, key: &A::Key, passive: bool) -> Option<Mode> {
        let port = u16::from_be_bytes;
        let (host, peer) = (port(key.host().port), port(key.peer().port));
        let (service, other) = if passive { (host, peer) } else { (peer, host) };
        self.policy(key.host().address)?.mode_of(service, other)
    }

    /// [`keyed::offset_of`]. A world may do this in a function of its own.
    fn keyed_offset(&self, key: &A::Key, generation: Generation) -> Offset {
        keyed::offset_of(self, key, generation)
    }

    /// [`recompute::offset`]. A world may do this in a function of its own.
    fn recomputed(&self, key: &A::Key) -> Option<Offset> {
        recompute::offset(self, key)
    }

    /// [`recompute::remember`]. A world may do this in a function of its own.
    fn remember_segment(&self, key: &A::Key, segment: &Numbers, offset: Offset) -> u32 {
        recompute::remember(self, key, segment, offset)
    }

    /// Hears of a SYN that leaves with other numbers than the host's, once an opening.
    fn rewrote(&self, key: &A::Key, host_isn: Seq, wire_isn: Seq) {
        let _ = (key, host_isn, wire_isn);
    }

    /// [`sample::glimpse`]. A world may do this in a function of its own.
    fn glimpse(&self, key: &A::Key, syn: &mut Syn) {
        sample::glimpse(self, key, syn);
    }

    /// [`sample::take`]. A world may do this in a function of its own.
    fn sample(&self, key: &A::Key, isn: Seq, offset: Offset, syn: &Syn) {
        sample::take(self, key, isn, offset, syn);
    }

    /// Hears a decision; false if there is no room for it.
    fn tell(&self, key: &A::Key, told: &Told) -> bool;

    /// [`sample::learnt`]. A world may do this in a function of its own.
    fn learnt(&self, key: &A::Key, sequence: Seq, offset: Offset, reason: u32) {
        sample::learnt(self, key, sequence, offset, reason);
    }

    /// [`newcomer::settle`]. A world may do this in a function of its own, and change the numbers of a SYN that is settled.
    fn newcomer(&self, key: &A::Key, syn: &mut Syn) -> Option<Settled> {
        newcomer::settle(self, key, syn)
    }

    /// [`settle::attempt`]. A world may do this in a function of its own, and change the SYN if the attempt comes to an end.
    fn attempt(&self, key: &A::Key, syn: &mut Syn) -> Option<Settled> {
        settle::attempt(self, key, syn)
    }

    /// [`settle::unpredictable`]. A world may do this in a function of its own.
    fn unpredictable(&self, key: &A::Key, marks: [u64; 2]) -> u64 {
        settle::unpredictable(self, key, marks)
    }

    /// [`previous::late_translation`]. A world may do this in a function of its own.
    fn late_translation(&self, key: &A::Key, segment: &Numbers) -> Option<Translation> {
        previous::late_translation(self, key, segment)
    }

    /// [`remember::await_answer`]. A world may do this in a function of its own.
    fn await_answer(&self, key: &A::Key, peer_next: Seq, options: SynOptions) {
        remember::await_answer(self, key, peer_next, options);
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

impl Insertion {
    /// As a number: what a BPF function can return.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The inverse of [`Insertion::code`].
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Done,
            1 => Self::Exists,
            _ => Self::Full,
        }
    }
}
