//! Hosts as they pass by: samples of the data plane, kept by `isnguard run`, asked for and graded by `isnguard hosts`.
//!
//! ```text
//! SYN ─► data plane ─► SAMPLES, a ring in the kernel ─► keeper, a thread of `run` ─► socket ─► `hosts`: numbers, grades
//!        share a host                                    │ bounded by collector        as kept, not as graded
//!                                                        └─► followers ─► socket ─► `monitor`: decisions, as they happen
//!                                                            bounded queues
//! ```
//!
//! The keeper does nothing but keep: whoever asks gets the samples themselves and does the arithmetic, so that no question
//! slows down the next one or the process that stays. What was kept lives as long as that process; it begins anew with the
//! next one, which says since when it has been listening. Without `run`, `hosts` reads the ring itself: what queued since
//! somebody last did, up to the ring's size.
//!
//! The ring has one reader at a time, by a lock on a directory of pins.

mod collector;
mod followers;
mod keeper;
mod numbers;
mod protocol;
mod rewrites;
mod socket;
mod watching;

pub use collector::{Collector, HostId, Kept};
pub use keeper::Keeper;
pub use numbers::{Numbers, numbers};
pub use protocol::{Greeting, Told, follow::Event};
pub use rewrites::Rewrites;
pub use socket::{Answer, ask, forget};
pub use watching::{From, Watching};

use crate::grading::Sample;

/// What is known of a host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Which one.
    pub id: HostId,
    /// SYNs and SYN-ACKs that were sampled, those that are not kept any more included.
    pub syns: u64,
    /// Those of them that left with another number.
    pub rewritten: u64,
    /// What is kept, in order of time.
    pub samples: Vec<Kept>,
}

/// Samples in order of time.
pub type Samples = Vec<Sample>;
