//! The data plane's own code over one flow as it is now, with nothing written: what it makes of the flow, and what it would
//! make of a packet.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use isn_common::{
    abi::{
        flow::{Flow, Previous, Record, Word},
        maps::SHARES_LENGTH,
        policy::Policy,
        sample::Told,
        settings::Settings,
    },
    counter::Counter,
    expiry::Place,
    flow::{Address, FlowKey as _},
    room::{self, Admission, Share},
    storm,
    tick::Tick,
    world::{Insertion, Tables, World},
};

/// A word that nobody shares.
#[derive(Debug, Default)]
pub struct Own(Cell<u64>);

impl Own {
    pub const fn new(value: u64) -> Self {
        Self(Cell::new(value))
    }
}

impl Word for Own {
    fn load(&self) -> u64 {
        self.0.get()
    }

    fn store(&self, value: u64) {
        self.0.set(value);
    }

    fn compare_exchange(&self, current: u64, new: u64) -> bool {
        let same = self.0.get() == current;
        if same {
            self.0.set(new);
        }
        same
    }
}

/// What is known of one flow and of its host. Whatever the data plane writes stays in here.
pub struct Outlook<A: Address> {
    /// The flow; what is asked about others is answered for this one.
    pub key: A::Key,
    /// The instance's settings.
    pub settings: Settings,
    /// Of the longest prefix that covers the host.
    pub policy: Option<Policy>,
    /// What lies in the tables, in the order of [`Place::ALL`].
    pub entries: RefCell<[Option<Rc<Flow<Own>>>; 3]>,
    /// The incarnation before.
    pub previous: Option<Previous>,
    /// Whether the host may have another flow that is translated.
    pub admission: Admission,
    /// What the host has used of its shares, in the order of [`Share::ALL`].
    pub shares: [Own; 4],
    /// What was counted.
    pub counted: RefCell<[u64; Counter::COUNT]>,
    /// Now.
    pub now: Tick,
}

/// A record as a flow in a table.
pub fn entry(record: &Record) -> Rc<Flow<Own>> {
    Rc::new(Flow {
        identity: Own::new(record.identity),
        sent: Own::new(record.sent),
        received: Own::new(record.received),
        stamps: Own::new(record.stamps),
        life: Own::new(record.life),
    })
}

impl<A: Address> Outlook<A> {
    /// How often something was counted.
    pub fn count_of(&self, counter: Counter) -> u64 {
        self.counted.borrow()[counter.index()]
    }

    fn get(&self, place: Place) -> Option<Rc<Flow<Own>>> {
        self.entries.borrow()[place as usize].clone()
    }

    fn put(&self, place: Place, record: &Record, replace: bool) -> Insertion {
        let slot = &mut self.entries.borrow_mut()[place as usize];
        if slot.is_some() && !replace {
            return Insertion::Exists;
        }
        *slot = Some(entry(record));
        Insertion::Done
    }
}

impl<A: Address> World for Outlook<A> {
    type Word = Own;
    type Found = Rc<Flow<Own>>;

    fn now(&self) -> Tick {
        self.now
    }

    fn settings(&self) -> Option<&Settings> {
        Some(&self.settings)
    }

    fn count(&self, counter: Counter, by: u64) {
        self.counted.borrow_mut()[counter.index()] += by;
    }

    fn storm(&self, _: u32) -> Option<&storm::Cell<Own>> {
        None
    }

    fn share(&self, cell: u32) -> Option<&Own> {
        let host = self.key.fold_host();
        let of = |share: &Share| room::cell(host, *share, SHARES_LENGTH) == cell;
        let nth = Share::ALL.iter().position(of)?;
        self.shares.get(nth)
    }
}

impl<A: Address> Tables<A> for Outlook<A> {
    fn translated(&self, _: &A::Key) -> Option<Self::Found> {
        self.get(Place::Translated)
    }

    fn half_open(&self, _: &A::Key) -> Option<Self::Found> {
        self.get(Place::HalfOpen)
    }

    fn history(&self, _: &A::Key) -> Option<Self::Found> {
        self.get(Place::History)
    }

    fn insert_translated(&self, _: &A::Key, record: &Record) -> Insertion {
        self.put(Place::Translated, record, false)
    }

    fn insert_half_open(&self, _: &A::Key, record: &Record) -> Insertion {
        self.put(Place::HalfOpen, record, false)
    }

    fn replace_half_open(&self, _: &A::Key, record: &Record) -> bool {
        self.put(Place::HalfOpen, record, true) == Insertion::Done
    }

    fn insert_history(&self, _: &A::Key, record: &Record) -> Insertion {
        self.put(Place::History, record, false)
    }

    fn replace_history(&self, _: &A::Key, record: &Record) -> bool {
        self.put(Place::History, record, true) == Insertion::Done
    }

    fn remove(&self, _: &A::Key, place: Place) -> bool {
        self.entries.borrow_mut()[place as usize].take().is_some()
    }

    fn admission(&self, _: &A::Key) -> Admission {
        self.admission
    }

    fn account(&self, _: &A::Key, _: bool) {
        // What is admitted here takes no place.
    }

    fn previous(&self, _: &A::Key) -> Option<Previous> {
        self.previous
    }

    fn set_previous(&self, _: &A::Key, _: &Previous) {
        // No late segment is asked about after a SYN.
    }

    fn policy(&self, _: A) -> Option<&Policy> {
        self.policy.as_ref()
    }

    fn tell(&self, _: &A::Key, _: &Told) -> bool {
        false
    }
}
