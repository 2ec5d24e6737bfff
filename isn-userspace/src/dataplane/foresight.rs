//! One flow, looked up by its ends: what is known of it, and what would become of its packets if nothing is.

use std::net::{IpAddr, SocketAddr};

use aya::{
    Pod,
    maps::{Array, HashMap, MapData, MapError},
};
use ipnet::IpNet;
use isn_common::{
    abi::{
        flow::{Control, Phase, Previous, Reason},
        maps::{self as names, SHARES_LENGTH},
        policy::Mode,
    },
    counter::Counter,
    expiry::Place,
    flow::{Address, FlowKey as _, Key4, Key6, Vlan},
    opening::Syn,
    recompute,
    room::{self, Admission, Share},
    settle::{self, Settled},
    tcp::{
        options::SynOptions,
        seq::{Offset, Seq},
    },
    world::Tables,
};

use super::{
    Flow, Table,
    instance::Instance,
    maps::{Maps, open},
    outlook::{Outlook, Own, entry},
    upkeep::Key,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{Guarded, Ports},
};

/// The ends of a flow, the guarded host's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The guarded host's.
    pub host: SocketAddr,
    /// The peer's, of the same family.
    pub peer: SocketAddr,
    /// The VLAN.
    pub vlan: Vlan,
}

/// A flow that is known.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The flow.
    pub flow: Flow,
    /// Whether its entry was overwritten, so that its segments are dropped until its SYN comes again (S13).
    pub is_lost: bool,
    /// The incarnation before, while its late segments are told apart (S14).
    pub previous: Option<Previous>,
    /// The rule that applies to it now: of the port that it was opened to.
    pub guarded: Option<Guarded>,
}

/// What would become of a flow of which nothing is known.
#[derive(Clone, Copy, Debug)]
pub struct Foreseen {
    /// Its ends.
    pub ends: Ends,
    /// Of the host's SYN.
    pub host_opens: FirstSyn,
    /// Of the host's SYN-ACK, where the peer opens.
    pub peer_opens: FirstSyn,
    /// Of a segment in mid-flow.
    pub mid_flow: MidFlow,
    /// Whether the host may have another flow that is translated.
    pub admission: Admission,
}

/// What would become of the first SYN.
#[derive(Clone, Copy, Debug)]
pub struct FirstSyn {
    /// The rule that applies.
    pub guarded: Option<Guarded>,
    /// The mode; `None` where the host is not guarded.
    pub mode: Option<Mode>,
    /// What it would be settled as.
    pub settled: Settled,
    /// Why; `None` where the flow is not followed.
    pub reason: Option<Reason>,
    /// Whether it would be remembered: its host has some of its share left.
    pub is_remembered: bool,
}

/// What would become of a segment in mid-flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MidFlow {
    /// It passes as it is: what was open before passes untouched (S15), and nothing of it is remembered.
    Passes,
    /// It is taken for one of a keyed flow, by the key in use (S3).
    Keyed,
    /// It is taken for one of a flow of before keyed mode, which has no offset, and adopted.
    AdoptedUntouched,
    /// It is taken for one of a flow of the key before, and adopted.
    AdoptedOlderKey,
}

/// What differs between the families.
trait Family: Address<Key: Key> + Pod {
    const LOAD: u32;
    const HOSTS: &'static str;
    const PREVIOUS: &'static str;

    fn key(ends: &Ends) -> Option<Self::Key>;
    fn tables(maps: &Maps) -> [&Table<Self::Key>; 3];
    fn flow(key: &Self::Key) -> Ends;
}

macro_rules! family {
    ($address:ty, $key:ident, $ip:path, $load:ident, $hosts:ident, $previous:ident, $tables:expr) => {
        impl Family for $address {
            const LOAD: u32 = names::$load;
            const HOSTS: &'static str = names::$hosts;
            const PREVIOUS: &'static str = names::$previous;

            fn key(ends: &Ends) -> Option<$key> {
                let ($ip(host), $ip(peer)) = (ends.host.ip(), ends.peer.ip()) else {
                    return None;
                };
                Some($key {
                    host: host.octets(),
                    peer: peer.octets(),
                    host_port: ends.host.port().to_be_bytes(),
                    peer_port: ends.peer.port().to_be_bytes(),
                    vlan: ends.vlan.0,
                })
            }

            fn tables(maps: &Maps) -> [&Table<$key>; 3] {
                let tables: fn(&Maps) -> [&Table<$key>; 3] = $tables;
                tables(maps)
            }

            fn flow(key: &$key) -> Ends {
                let at = |address: $address, port| {
                    SocketAddr::new(address.into(), u16::from_be_bytes(port))
                };
                Ends {
                    host: at(key.host, key.host_port),
                    peer: at(key.peer, key.peer_port),
                    vlan: Vlan(key.vlan),
                }
            }
        }
    };
}

family!(
    [u8; 4],
    Key4,
    IpAddr::V4,
    LOAD_V4,
    HOSTS_V4,
    PREVIOUS_V4,
    |maps| { [&maps.translated_v4, &maps.half_open_v4, &maps.history_v4] }
);
family!(
    [u8; 16],
    Key6,
    IpAddr::V6,
    LOAD_V6,
    HOSTS_V6,
    PREVIOUS_V6,
    |maps| { [&maps.translated_v6, &maps.half_open_v6, &maps.history_v6] }
);

impl Ends {
    /// The same flow, were the other end the host.
    #[must_use]
    pub const fn turned(self) -> Self {
        Self {
            host: self.peer,
            peer: self.host,
            vlan: self.vlan,
        }
    }
}

impl Instance {
    /// What is known of a flow.
    pub fn known(&self, ends: &Ends) -> Result<Option<Known>, Failure> {
        match ends.host {
            SocketAddr::V4(_) => self.known_of::<[u8; 4]>(ends),
            SocketAddr::V6(_) => self.known_of::<[u8; 16]>(ends),
        }
    }

    /// What would become of a flow of which nothing is known.
    pub fn foresee(&self, ends: &Ends) -> Result<Option<Foreseen>, Failure> {
        match ends.host {
            SocketAddr::V4(_) => self.foresee_of::<[u8; 4]>(ends),
            SocketAddr::V6(_) => self.foresee_of::<[u8; 16]>(ends),
        }
    }

    /// The VLANs in which there is a flow with these ends, either of them the host. Reads all tables of the family.
    pub fn elsewhere(&self, ends: &Ends) -> Result<Vec<Ends>, Failure> {
        match ends.host {
            SocketAddr::V4(_) => self.elsewhere_of::<[u8; 4]>(ends),
            SocketAddr::V6(_) => self.elsewhere_of::<[u8; 16]>(ends),
        }
    }

    fn elsewhere_of<A: Family>(&self, ends: &Ends) -> Result<Vec<Ends>, Failure> {
        let mut found = Vec::new();
        for table in A::tables(&self.maps) {
            table.for_each(|key, record| {
                let other = A::flow(key);
                let is_it = |ends: Ends| (ends.host, ends.peer) == (other.host, other.peer);
                let moved = record.control().has(Control::MOVED);
                if !moved && (is_it(*ends) || is_it(ends.turned())) && !found.contains(&other) {
                    found.push(other);
                }
                Ok(())
            })?;
        }
        Ok(found)
    }

    fn known_of<A: Family>(&self, ends: &Ends) -> Result<Option<Known>, Failure> {
        let Some(key) = A::key(ends) else {
            return Ok(None);
        };
        let outlook = self.outlook::<A>(key)?;
        let Some(held) = outlook.find(&key) else {
            return Ok(None);
        };
        let record = held.flow.record();
        let control = record.control();
        let service = if control.has(Control::PASSIVE) || control.phase() == Phase::Opening {
            [ends.host, ends.peer]
        } else {
            [ends.peer, ends.host]
        };
        Ok(Some(Known {
            flow: Flow {
                host: ends.host.ip(),
                host_port: ends.host.port(),
                peer: ends.peer.ip(),
                peer_port: ends.peer.port(),
                vlan: ends.vlan,
                record,
                place: held.place,
            },
            is_lost: held.place == Place::History && control.has(Control::MOVED),
            previous: outlook.previous.filter(|_| control.has(Control::PREVIOUS)),
            guarded: self.guarded(ends.host.ip(), service.map(|end| end.port()))?,
        }))
    }

    fn foresee_of<A: Family>(&self, ends: &Ends) -> Result<Option<Foreseen>, Failure> {
        let Some(key) = A::key(ends) else {
            return Ok(None);
        };
        let outlook = self.outlook::<A>(key)?;
        let is_keyed = recompute::offset(&outlook, &key).is_some();
        let keyed = &self.settings.keyed;
        let mid_flow = match (is_keyed, keyed.is_adopting(outlook.now)) {
            (false, _) => MidFlow::Passes,
            (true, false) => MidFlow::Keyed,
            (true, true) if keyed.key_before().is_some() => MidFlow::AdoptedOlderKey,
            (true, true) => MidFlow::AdoptedUntouched,
        };
        Ok(Some(Foreseen {
            ends: *ends,
            mid_flow,
            admission: outlook.admission,
            host_opens: self.first_syn(&outlook, ends, false)?,
            peer_opens: self.first_syn(&self.outlook::<A>(key)?, ends, true)?,
        }))
    }

    /// Lets the data plane settle on a SYN of which nothing is said but where it goes.
    fn first_syn<A: Family>(
        &self,
        outlook: &Outlook<A>,
        ends: &Ends,
        passive: bool,
    ) -> Result<FirstSyn, Failure> {
        let key = outlook.key;
        let mut syn = Syn {
            isn: Seq(0),
            length: 1,
            options: SynOptions::default(),
            offset: Offset(0),
            passive,
            mode: 0,
            sample: 0,
            padding: false,
            host_mark: Seq(0),
            wire_mark: Seq(0),
        };
        let settled = settle::settle(outlook, &key, &mut syn);
        let kept = outlook.find(&key).map(|held| held.flow.record());
        let reason = match (kept, settled) {
            (_, Settled::Pass(_)) => None,
            (Some(record), _) => record.control().reason(),
            (None, _) => UNREMEMBERED
                .into_iter()
                .find(|reason| outlook.count_of(reason.counter()) > 0),
        };
        let ports = if passive {
            [ends.host.port(), ends.peer.port()]
        } else {
            [ends.peer.port(), ends.host.port()]
        };
        Ok(FirstSyn {
            guarded: self.guarded(ends.host.ip(), ports)?,
            mode: syn.mode(),
            settled,
            reason,
            is_remembered: kept.is_some() && outlook.count_of(Counter::MemoryShareExceeded) == 0,
        })
    }

    /// The rule that makes the mode of a host's connection between two ports, of which the first is the service's.
    fn guarded(
        &self,
        host: IpAddr,
        [service, other]: [u16; 2],
    ) -> Result<Option<Guarded>, Failure> {
        let table = self.maps.policy()?;
        let covering = table.0.iter().filter(|(prefix, _)| prefix.contains(&host));
        let Some((prefix, policy)) = covering.max_by_key(|(prefix, _)| prefix.prefix_len()) else {
            return Ok(None);
        };
        let mode = policy.mode_of(service, other);
        let covers = |ports: Ports, port: u16| ports.first <= port && port <= ports.last;
        let mut rules = table.rules().filter(|rule| rule.prefix == *prefix);
        Ok(rules.find(|rule| {
            rule.mode.mode() == mode && (covers(rule.ports, service) || covers(rule.ports, other))
        }))
    }

    /// What is known of a flow and its host, copied out of the maps.
    fn outlook<A: Family>(&self, key: A::Key) -> Result<Outlook<A>, Failure> {
        let host = key.host().address;
        let mut entries = [None, None, None];
        for (slot, table) in entries.iter_mut().zip(A::tables(&self.maps)) {
            *slot = table.get(&key)?.as_ref().map(entry);
        }
        let shares: Array<MapData, u64> = open(&self.pins, names::SHARES)?;
        let mut used = [0; 4];
        for (used, share) in used.iter_mut().zip(Share::ALL) {
            let cell = room::cell(key.fold_host(), share, SHARES_LENGTH);
            *used = found(names::SHARES, shares.get(&cell, 0))?.unwrap_or(0);
        }
        let load: Array<MapData, u64> = open(&self.pins, names::LOAD)?;
        let hosts: HashMap<MapData, A, u64> = open(&self.pins, A::HOSTS)?;
        let previous: HashMap<MapData, A::Key, Previous> = open(&self.pins, A::PREVIOUS)?;
        let all = found(names::LOAD, load.get(&A::LOAD, 0))?.unwrap_or(0);
        let of_host = found(A::HOSTS, hosts.get(&host, 0))?.unwrap_or(0);
        let most = self.settings.limits.max_flows;
        let policy = self.maps.policy()?;
        let address = A::flow(&key).host.ip();
        let covering = policy.0.iter().filter(|(it, _)| it.contains(&address));
        Ok(Outlook {
            key,
            settings: self.settings,
            policy: covering
                .max_by_key(|(prefix, _): &(&IpNet, _)| prefix.prefix_len())
                .map(|(_, policy)| *policy),
            entries: entries.into(),
            previous: found(A::PREVIOUS, previous.get(&key, 0))?,
            admission: Admission::of(all, of_host, most),
            shares: used.map(Own::new),
            counted: [0; Counter::COUNT].into(),
            now: super::now(),
        })
    }
}

/// Why a first SYN is treated as it is where nothing of it is remembered.
const UNREMEMBERED: [Reason; 5] = [
    Reason::TableFull,
    Reason::TcpAuth,
    Reason::Keyed,
    Reason::Draining,
    Reason::New,
];

fn found<T>(name: &str, got: Result<T, MapError>) -> Result<Option<T>, Failure> {
    match got {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(error).explain(format!("cannot read {name}"), "run it as root"),
    }
}
