//! What user space asks the data plane to do to the tables: remove what may go, put in what was saved (S8, S16).
//!
//! User space could write the tables itself, but not while a SYN may be deciding on the same flow: here the entry is
//! claimed, looked at again, and removed, as one CPU among several. One request carries many flows, as the octets of a
//! packet that never was: a [`Header`], then keys, or keys and records.

use crate::{
    abi::{
        flow::{Control, Phase, Record, Word, unpack},
        maps::{SWEPT_HALF_OPEN, SWEPT_HISTORY, SWEPT_TRANSLATED},
    },
    claim::{PATIENCE, claim, unclaim},
    expiry::{self, Place},
    flow::{Address, FlowKey as _},
    promotion,
    room::Admission,
    tick::Tick,
    world::{Insertion, Tables},
};

/// What is to be done to flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Task {
    /// Keys follow: remove what may go.
    Expire = 1,
    /// Keys follow, each with a record: put them in where nothing is known.
    Restore = 2,
    /// Keys follow: see to it that nothing evicts them, since their translation will be none that could be computed again.
    Pin = 3,
}

/// The first octets of a request: as many as an Ethernet header has, since the kernel makes a packet of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is to be done.
    pub task: Task,
    /// In which table.
    pub place: Place,
    /// Whether the keys are of IPv6.
    pub is_v6: bool,
}

impl Header {
    /// Octets of a header; flows follow.
    pub const LENGTH: usize = 14;
    /// Most flows in one request: with keys of IPv6 and records they fit into a page.
    pub const MOST_FLOWS: usize = 32;

    /// As octets.
    #[must_use]
    pub const fn to_octets(self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        octets[0] = self.task as u8;
        octets[1] = self.place as u8;
        octets[2] = self.is_v6 as u8;
        octets
    }

    /// The inverse of [`Header::to_octets`], from the first four octets.
    #[must_use]
    pub const fn from_octets(octets: [u8; 4]) -> Option<Self> {
        let task = match octets[0] {
            1 => Task::Expire,
            2 => Task::Restore,
            3 => Task::Pin,
            _ => return None,
        };
        let Some(place) = Place::from_number(octets[1]) else {
            return None;
        };
        let is_v6 = match octets[2] {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { task, place, is_v6 })
    }
}

/// Where flows that were removed from a table are counted.
#[must_use]
#[inline(always)]
pub const fn swept(place: Place) -> u32 {
    match place {
        Place::Translated => SWEPT_TRANSLATED,
        Place::HalfOpen => SWEPT_HALF_OPEN,
        Place::History => SWEPT_HISTORY,
    }
}

/// Removes a flow from a table if it may go; whether it went.
#[inline(always)]
pub fn expire<A: Address, W: Tables<A>>(world: &W, key: &A::Key, place: Place) -> bool {
    let (Some(flow), Some(settings)) = (world.entry(key, place), world.settings()) else {
        return false;
    };
    // A SYN that is being decided on has shown that the flow lives.
    let Some(life) = claim(&*flow, 1) else {
        return false;
    };
    if !world.is_intact(&flow) {
        unclaim(&*flow);
        return false;
    }
    let record = Record {
        life,
        ..flow.record()
    };
    if !expiry::is_over(place, &record, settings, world.now()) {
        flow.life.store(life);
        return false;
    }
    // The claim goes with the entry.
    let removed = world.remove(key, place);
    if removed && place == Place::Translated {
        world.account(key, false);
    }
    removed
}

/// After this silence a closed connection has no late segments: the maximum segment lifetime (RFC 9293 section 3.4.2).
const LATE: u32 = Tick::in_seconds(120);

/// Whether somebody may still speak on a flow, so that its translation is needed.
#[must_use]
#[inline(always)]
pub const fn may_speak(record: &Record, now: Tick) -> bool {
    let control = record.control();
    !control.has(Control::MOVED)
        && (!matches!(control.phase(), Phase::Closed) || now.since(record.last_seen()) < LATE)
}

/// Sees to it that nothing evicts a flow of the history: it goes among the translated ones if they have room. One whose
/// handshake is not complete will go there. Whether it was done.
#[inline(always)]
pub fn pin<A: Address, W: Tables<A>>(world: &W, key: &A::Key, place: Place) -> bool {
    let Some(flow) = world.entry(key, place) else {
        return false;
    };
    let Some(life) = claim(&*flow, PATIENCE) else {
        return false;
    };
    if !world.is_intact(&flow) {
        unclaim(&*flow);
        return false;
    }
    let owned = life | u64::from(Control::OWN);
    let record = Record {
        life: owned,
        ..flow.record()
    };
    let pinned = may_speak(&record, world.now())
        && (place != Place::History || move_among_translated(world, key, &record));
    if !pinned {
        flow.life.store(life);
    } else if place == Place::History {
        promotion::hand_over(world, key, &*flow, life);
        world.remove(key, Place::History);
    } else {
        flow.life.store(owned);
    }
    pinned
}

#[inline(always)]
fn move_among_translated<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    record: &Record,
) -> bool {
    let done = world.admission(key) == Admission::Admitted
        && world.insert_translated(key, record) == Insertion::Done;
    if done {
        world.account(key, true);
    }
    done
}

/// Puts a flow into a table unless something is known of it already; whether it is there now. A claim or a mark in the
/// record, left by a CPU that was busy when it was read, does not count.
#[inline(always)]
pub fn restore<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    place: Place,
    mut record: Record,
) -> bool {
    if world.find(key).is_some() {
        return false;
    }
    let (bits, _) = unpack(record.life);
    record.life &= !u64::from(Control::CLAIMED);
    if bits & Control::MOVED != 0 {
        return false;
    }
    world.note_flows_of(key.host().address);
    let inserted = match place {
        Place::Translated => world.insert_translated(key, &record),
        Place::HalfOpen => world.insert_half_open(key, &record),
        Place::History => world.insert_history(key, &record),
    };
    let done = inserted == Insertion::Done;
    if done && place == Place::Translated {
        world.account(key, true);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_way_through_octets() {
        for task in [Task::Expire, Task::Restore, Task::Pin] {
            for place in Place::ALL {
                for is_v6 in [false, true] {
                    let header = Header { task, place, is_v6 };
                    let [a, b, c, d, ..] = header.to_octets();
                    assert_eq!(Header::from_octets([a, b, c, d]), Some(header));
                }
            }
        }
        for octets in [[0, 0, 0, 0], [4, 0, 0, 0], [1, 3, 0, 0], [1, 0, 2, 0]] {
            assert_eq!(Header::from_octets(octets), None);
        }
    }
}
