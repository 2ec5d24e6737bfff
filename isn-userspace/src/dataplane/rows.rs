//! Keys of the hash that spreads flows over sets, chosen so that flows in a row spread evenly.
//!
//! Clients take ports in a row, networks have addresses in a row, and the hash of such flows moves along a line that meets all sets evenly or, by the
//! chance of its keys, few of them again and again. Half-open flows and the history have no room beside their sets: there, flows would be
//! forgotten long before a table is full.

use std::net::Ipv4Addr;

use isn_common::{
    expiry::Place,
    flow::{FlowKey, Key4, Key6},
    slots::{Spread, WAYS},
};

/// Flows in a row.
const MOST: u64 = 60_000;
/// One of so many may find its set full.
const ONE_OF: u64 = 1_000;
/// Keys that are tried; nearly always the tenth or an earlier one does.
const TRIES: u32 = 64;

/// Ends of the flow of a number: what of the host's address, the peer's address and the host's port is in a row.
const ROWS: [fn(u32) -> [u32; 3]; 3] = [|it| [0, 0, it], |it| [0, it, 0], |it| [it, 0, 0]];

/// Of spreads that are drawn, the first that is even, or the one that is nearest to it.
pub fn choose<E>(mut draw: impl FnMut() -> Result<Spread, E>) -> Result<Spread, E> {
    let mut best = draw()?;
    let mut least = without_room(&best, u64::MAX);
    for _ in 1..TRIES {
        if least == 0 {
            break;
        }
        let spread = draw()?;
        let found = without_room(&spread, least);
        if found < least {
            (best, least) = (spread, found);
        }
    }
    Ok(best)
}

/// How many flows, of those that half-open flows and the history should have room for, find their set full, above the one of a thousand that may. Not
/// counted further where they are so `many`.
fn without_room(spread: &Spread, many: u64) -> u64 {
    let mut all = 0;
    for place in [Place::HalfOpen, Place::History] {
        let flows = spread.flows[place as usize].min(MOST);
        for row in ROWS {
            let v4 = beyond(spread, place, flows, |it| key4(row(it)));
            let v6 = beyond(spread, place, flows, |it| key6(row(it)));
            for found in [v4, v6] {
                all += found.saturating_sub(flows / ONE_OF);
            }
            if all >= many {
                return all;
            }
        }
    }
    all
}

fn beyond<K: FlowKey>(spread: &Spread, place: Place, flows: u64, key: impl Fn(u32) -> K) -> u64 {
    let start = spread.starts[place as usize];
    let sets = usize::try_from(spread.sets[place as usize]).unwrap_or(0);
    let mut held = vec![0u16; sets];
    let mut beyond = 0;
    for number in 0..u32::try_from(flows).unwrap_or(u32::MAX) {
        let spot = spread.spot(place, key(number).words().as_ref());
        let index = u64::from(spot.set).saturating_sub(start);
        let Some(held) = usize::try_from(index).ok().and_then(|it| held.get_mut(it)) else {
            continue;
        };
        *held = held.saturating_add(1);
        beyond += u64::from(u32::from(*held) > WAYS);
    }
    beyond
}

fn key4([host, peer, port]: [u32; 3]) -> Key4 {
    let [_, _, high, low] = port.wrapping_add(1024).to_be_bytes();
    Key4 {
        host: host
            .wrapping_add(Ipv4Addr::new(192, 0, 2, 0).to_bits())
            .to_be_bytes(),
        peer: peer
            .wrapping_add(Ipv4Addr::new(198, 51, 100, 0).to_bits())
            .to_be_bytes(),
        host_port: [high, low],
        peer_port: 80u16.to_be_bytes(),
        vlan: 0,
    }
}

fn key6(ends: [u32; 3]) -> Key6 {
    let Key4 {
        host_port,
        peer_port,
        vlan,
        ..
    } = key4(ends);
    let [host, peer, _] = ends;
    let net = 0x2001_0db8u128 << 96;
    Key6 {
        host: (net | u128::from(host)).to_be_bytes(),
        peer: (net | 1 << 80 | u128::from(peer)).to_be_bytes(),
        host_port,
        peer_port,
        vlan,
    }
}

#[cfg(test)]
mod tests {
    use isn_common::slots::KEYS;

    use super::*;
    use crate::dataplane::Capacities;

    #[test]
    fn flows_in_a_row_find_room_with_the_keys_that_are_chosen() {
        let layout = Capacities::default().layout();
        let mut random = fastrand::Rng::with_seed(1);
        let mut uneven = 0;
        for _ in 0..3 {
            let spread = choose(|| {
                let spread = layout.spread([(); KEYS].map(|()| random.u64(..)));
                uneven += u32::from(without_room(&spread, 1) != 0);
                Ok::<_, ()>(spread)
            });
            assert_eq!(spread.map(|it| without_room(&it, 1)), Ok(0));
        }
        // Or there would be nothing to choose.
        assert!(uneven > 0);
    }
}
