//! Flows of which no entry tells, in keyed mode: their translation follows from the packet, the policy and the key alone (S3),
//! so that an entry that was lost, overwritten or never shared breaks nothing.
//!
//! For a time after keyed mode or another key has come into use ("adopting"), such a flow is taken for one of before (S15):
//! it has no offset, or that by the older key, and a place among the flows that nothing evicts.

use crate::{
    abi::flow::{Control, Reason, Record, pack},
    counter::Counter,
    flow::{Address, FlowKey as _},
    keyed::Generation,
    previous::Numbers,
    remember::joins_endpoints,
    room::{Admission, Share},
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    world::{Insertion, Tables},
};

/// The offset of a flow without an entry; `None` if it is not keyed.
#[inline(always)]
pub fn offset<A: Address, W: Tables<A>>(world: &W, key: &A::Key) -> Option<Offset> {
    let keyed = &world.settings()?.keyed;
    let (host, peer) = (key.host(), key.peer());
    let port = u16::from_be_bytes;
    if !keyed.is_in_use()
        || !world
            .policy(host.address)?
            .is_keyed(port(peer.port), port(host.port))
    {
        return None;
    }
    Some(if !keyed.is_adopting(world.now()) {
        world.keyed_offset(key, Generation::Current)
    } else if keyed.key_before().is_some() {
        world.keyed_offset(key, Generation::Before)
    } else {
        Offset(0)
    })
}

/// Remembers a flow by a segment of the host, no SYN and no reset, that came without an entry and has this offset. The number of
/// the reason if it is remembered now, which is not 0.
#[inline(always)]
pub fn remember<A: Address, W: Tables<A>>(
    world: &W,
    key: &A::Key,
    segment: &Numbers,
    offset: Offset,
) -> u32 {
    let Some(settings) = world.settings() else {
        return 0;
    };
    if !joins_endpoints::<A>(key) {
        return 0;
    }
    let adopting = settings.keyed.is_adopting(world.now());
    let reason = if adopting {
        Reason::Adopted
    } else {
        Reason::Recomputed
    };
    let control = Control(Control::HOST_SYN | Control::ANSWERED)
        .with_generation(settings.keyed.generation)
        .with_reason(reason);
    let record = learnt(control, segment, offset, world.now().0);
    let inserted = if adopting {
        adopt(world, key, &record)
    } else {
        put_back(world, key, &record)
    };
    if !inserted {
        return 0;
    }
    world.count(reason.counter(), 1);
    reason as u32
}

#[inline(always)]
fn adopt<A: Address, W: Tables<A>>(world: &W, key: &A::Key, record: &Record) -> bool {
    if world.admission(key) == Admission::Admitted {
        match world.insert_translated(key, record) {
            Insertion::Done => {
                world.account(key, true);
                return true;
            }
            Insertion::Exists => return false,
            Insertion::Full => {}
        }
    }
    world.count(Counter::AdoptionFull, 1);
    false
}

#[inline(always)]
fn put_back<A: Address, W: Tables<A>>(world: &W, key: &A::Key, record: &Record) -> bool {
    if !world.takes_share(key, Share::History) {
        world.count(Counter::MemoryShareExceeded, 1);
        return false;
    }
    let inserted = world.insert_history(key, record) == Insertion::Done;
    if inserted {
        world.count(Counter::HistoryInserted, 1);
    }
    inserted
}

/// The peer's window may be scaled by this much, which is the most there is (RFC 7323 section 2.3): of a flow whose SYNs were
/// not seen, no window must be taken for smaller than it is, or a number could be taken for safe that is not.
const WIDEST: SynOptions = SynOptions {
    stamp: Seq(0),
    stamped: false,
    scales: true,
    shift: SynOptions::LARGEST_SHIFT,
    authenticated: false,
};

/// The entry of an open flow of which this segment of the host is all that is known.
fn learnt(control: Control, segment: &Numbers, offset: Offset, now: u32) -> Record {
    let mut control = control.with_peer_scale(&WIDEST).with(Control::HOST_SCALES);
    if control.reason() == Some(Reason::Adopted) {
        control = control.with(Control::OWN);
    }
    if segment.flags.fin() {
        control = control.with(Control::HOST_FIN);
    }
    let end = segment.sequence.to_wire(offset).advanced(segment.length);
    let peer_next = if segment.flags.ack() {
        segment.acknowledgment.0
    } else {
        0
    };
    Record {
        identity: pack(offset.0, segment.sequence.0),
        sent: pack(end.0, now),
        received: pack(end.0, peer_next),
        stamps: 0,
        life: pack(control.0, now),
    }
}
