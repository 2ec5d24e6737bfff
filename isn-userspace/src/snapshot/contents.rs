//! What is in a snapshot: shapes that say what they mean, with ages in place of ticks, so that the file does not depend on how
//! a boot of the machine counts time. Change anything here, and [`super::envelope::FORMAT`] must change too.

#[cfg(test)]
pub(super) mod tests;

use std::{collections::BTreeMap, net::IpAddr, path::Path, time::Duration};

use ipnet::IpNet;
use isn_common::{
    abi::{
        flow::{Control, Previous, Record, pack},
        policy::{Policy, Rule},
        settings::{OnFull, Settings},
    },
    flow::{Key4, Key6},
    siphash::Key,
    tick::Tick,
};
use serde::{Deserialize, Serialize};

use super::{
    Moment,
    age::{age, tick},
    keyed::SavedKeyed,
};
use crate::{
    dataplane::{Capacities, Family, Remembered, Seed},
    failure::Failure,
    settings::PolicyTable,
};

/// A whole snapshot.
#[derive(Deserialize, Serialize)]
pub struct Contents {
    /// When it was saved: time since the Unix epoch.
    saved_at: Duration,
    settings: SavedSettings,
    capacities: [u32; 3],
    policy: Vec<SavedPolicy>,
    v4: SavedFamily<[u8; 4]>,
    v6: SavedFamily<[u8; 16]>,
}

/// Spans are in ticks.
#[derive(Deserialize, Serialize)]
struct SavedSettings {
    history: u32,
    drops_when_full: bool,
    secret: [u64; 2],
    idle: u32,
    closing: u32,
    /// Keyed mode, where it was in use. Of its key, the fingerprint.
    keyed: Option<SavedKeyed>,
}

#[derive(Deserialize, Serialize)]
struct SavedPolicy {
    address: IpAddr,
    length: u8,
    /// First port, last port, mode as a number.
    rules: Vec<(u16, u16, u16)>,
}

#[derive(Deserialize, Serialize)]
struct SavedFamily<A> {
    translated: Vec<SavedFlow<A>>,
    half_open: Vec<SavedFlow<A>>,
    history: Vec<SavedFlow<A>>,
    previous: Vec<SavedPrevious<A>>,
}

/// Who talks to whom: host, peer, their ports in network order, VLAN.
#[derive(Deserialize, Serialize)]
struct SavedKey<A>(A, A, [u8; 2], [u8; 2], u32);

#[derive(Deserialize, Serialize)]
struct SavedFlow<A> {
    key: SavedKey<A>,
    offset: u32,
    host_isn: u32,
    high_water: u32,
    right_edge: u32,
    peer_next: u32,
    timestamp_offset: u32,
    latest_stamp: u32,
    control: u32,
    opened: u32,
    last_seen: u32,
}

#[derive(Deserialize, Serialize)]
struct SavedPrevious<A> {
    key: SavedKey<A>,
    offset: u32,
    high_water: u32,
    timestamp_offset: u32,
    ended: u32,
}

/// A key that can be taken apart and put together.
trait Parts: Copy {
    type Address;
    fn parts(&self) -> SavedKey<Self::Address>;
    fn whole(parts: SavedKey<Self::Address>) -> Self;
}

macro_rules! parts {
    ($($key:ident: $address:ty),+) => {$(
        impl Parts for $key {
            type Address = $address;

            fn parts(&self) -> SavedKey<$address> {
                SavedKey(self.host, self.peer, self.host_port, self.peer_port, self.vlan)
            }

            fn whole(SavedKey(host, peer, host_port, peer_port, vlan): SavedKey<$address>) -> Self {
                Self { host, peer, host_port, peer_port, vlan }
            }
        }
    )+};
}
parts!(Key4: [u8; 4], Key6: [u8; 16]);

impl Contents {
    /// What is saved of an instance at a moment.
    pub fn new(seed: &Seed, remembered: Remembered, at: Moment) -> Self {
        let Seed {
            settings,
            policy,
            capacities,
            ..
        } = seed;
        Self {
            saved_at: at.wall,
            settings: SavedSettings {
                history: settings.history,
                drops_when_full: settings.on_full() == OnFull::Drop,
                secret: settings.secret.0,
                idle: settings.limits.idle,
                closing: settings.limits.closing,
                keyed: SavedKeyed::of(&settings.keyed, at.tick),
            },
            capacities: [capacities.flows, capacities.half_open, capacities.history],
            policy: policy.0.iter().map(saved_policy).collect(),
            v4: SavedFamily::new(remembered.v4, at.tick),
            v6: SavedFamily::new(remembered.v6, at.tick),
        }
    }

    /// When it was saved, since the Unix epoch.
    pub const fn saved_at(&self) -> Duration {
        self.saved_at
    }

    /// What an instance is made of when this was saved `elapsed` ago; `path` is for the complaint.
    pub fn seed(&self, path: &Path, elapsed: Duration) -> Result<Seed, Failure> {
        let SavedSettings {
            history,
            drops_when_full,
            secret,
            idle,
            closing,
            keyed,
        } = self.settings;
        let on_full = if drops_when_full {
            OnFull::Drop
        } else {
            OnFull::Pass
        };
        let mut settings = Settings::new(history, on_full, 0, Key(secret));
        (settings.limits.idle, settings.limits.closing) = (idle, closing);
        let [flows, half_open, history] = self.capacities;
        let policy: Option<BTreeMap<_, _>> = self.policy.iter().map(policy).collect();
        match policy {
            Some(policy) if ![flows, half_open, history].contains(&0) => Ok(Seed {
                settings,
                policy: PolicyTable(policy),
                keyed: keyed.map(|it| it.keyed_before(elapsed)),
                capacities: Capacities {
                    flows,
                    half_open,
                    history,
                },
            }),
            _ => Err(super::envelope::damaged(path, "its settings make no sense")),
        }
    }

    /// The flows, as they are at `now` when it was saved `elapsed` ago.
    pub fn remembered(self, now: Tick, elapsed: Duration) -> Remembered {
        Remembered {
            v4: self.v4.family(now, elapsed),
            v6: self.v6.family(now, elapsed),
        }
    }
}

fn saved_policy((prefix, policy): (&IpNet, &Policy)) -> SavedPolicy {
    let rules = policy.rules.iter().take_while(|rule| rule.is_some());
    SavedPolicy {
        address: prefix.addr(),
        length: prefix.prefix_len(),
        rules: rules
            .map(|rule| (rule.first_port, rule.last_port, rule.mode))
            .collect(),
    }
}

fn policy(saved: &SavedPolicy) -> Option<(IpNet, Policy)> {
    let prefix = IpNet::new(saved.address, saved.length).ok()?;
    let mut rules = [Rule::NONE; Policy::MOST_RULES];
    if saved.rules.len() > rules.len() || prefix != prefix.trunc() {
        return None;
    }
    for (slot, (first, last, mode)) in rules.iter_mut().zip(&saved.rules) {
        let rule = Rule {
            mode: *mode,
            ..Rule::exempt(*first, *last)
        };
        *slot = Some(rule).filter(Rule::is_some)?;
    }
    Some((prefix, Policy { rules }))
}

impl<A> SavedFamily<A> {
    fn new<K: Parts<Address = A>>(family: Family<K>, now: Tick) -> Self {
        let saved = |flows: Vec<(K, Record)>| {
            let flow = |(key, record): &(K, Record)| SavedFlow::new(key.parts(), record, now);
            flows.iter().map(flow).collect()
        };
        Self {
            translated: saved(family.translated),
            half_open: saved(family.half_open),
            history: saved(family.history),
            previous: family
                .previous
                .iter()
                .map(|(key, previous)| SavedPrevious::new(key.parts(), previous, now))
                .collect(),
        }
    }

    fn family<K: Parts<Address = A>>(self, now: Tick, elapsed: Duration) -> Family<K> {
        let flows = |saved: Vec<SavedFlow<A>>| {
            let flow = |saved: SavedFlow<A>| {
                let record = saved.record(now, elapsed);
                (K::whole(saved.key), record)
            };
            saved.into_iter().map(flow).collect()
        };
        Family {
            translated: flows(self.translated),
            half_open: flows(self.half_open),
            history: flows(self.history),
            previous: self
                .previous
                .into_iter()
                .map(|saved| {
                    let previous = saved.previous(now, elapsed);
                    (K::whole(saved.key), previous)
                })
                .collect(),
        }
    }
}

impl<A> SavedFlow<A> {
    const fn new(key: SavedKey<A>, record: &Record, now: Tick) -> Self {
        Self {
            key,
            offset: record.offset().0,
            host_isn: record.host_isn().0,
            high_water: record.high_water().0,
            right_edge: record.right_edge().0,
            peer_next: record.peer_next().0,
            timestamp_offset: record.timestamp_offset().0,
            latest_stamp: record.latest_stamp().0,
            // A claim is a moment's.
            control: record.control().without(Control::CLAIMED).0,
            opened: age(record.opened(), now),
            last_seen: age(record.last_seen(), now),
        }
    }

    fn record(&self, now: Tick, elapsed: Duration) -> Record {
        Record {
            identity: pack(self.offset, self.host_isn),
            sent: pack(self.high_water, tick(self.opened, now, elapsed).0),
            received: pack(self.right_edge, self.peer_next),
            stamps: pack(self.timestamp_offset, self.latest_stamp),
            life: pack(self.control, tick(self.last_seen, now, elapsed).0),
        }
    }
}

impl<A> SavedPrevious<A> {
    const fn new(key: SavedKey<A>, previous: &Previous, now: Tick) -> Self {
        Self {
            key,
            offset: previous.offset,
            high_water: previous.high_water,
            timestamp_offset: previous.timestamp_offset,
            ended: age(Tick(previous.ended), now),
        }
    }

    fn previous(&self, now: Tick, elapsed: Duration) -> Previous {
        Previous {
            offset: self.offset,
            high_water: self.high_water,
            ended: tick(self.ended, now, elapsed).0,
            timestamp_offset: self.timestamp_offset,
        }
    }
}
