//! The pinned maps with their types, and the check that this version understands them (S19).

use std::sync::Arc;

use aya::maps::{Array, LpmTrie, Map, MapData, MapError, PerCpuArray, lpm_trie::Key as Prefix};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use isn_common::{
    abi::{ABI_VERSION, Counters, maps as names, policy::Policy, settings::Settings},
    counter::Counter,
    expiry::Place,
    filter,
    flow::{Key4, Key6},
};

use super::{
    filter::Filter,
    pins::Pins,
    slots::Unmapped,
    table::{Beside, Table},
    upkeep::Key,
};
use crate::{
    failure::{Explain as _, Failure},
    settings::{PolicyTable, Step},
};

/// All maps in the order in which they are opened.
pub const ALL: [&str; 26] = [
    names::SETTINGS,
    names::SPREAD,
    names::SLOTS_V4,
    names::SLOTS_V6,
    names::PRINTS_V4,
    names::PRINTS_V6,
    names::TRANSLATED_V4,
    names::TRANSLATED_V6,
    names::PREVIOUS_V4,
    names::PREVIOUS_V6,
    names::POLICY_V4,
    names::POLICY_V6,
    names::FILTER_V4,
    names::FILTER_V6,
    names::COUNTERS,
    names::LOAD,
    names::HOSTS_V4,
    names::HOSTS_V6,
    names::SHARES,
    names::SAMPLES,
    names::STORMS,
    names::SWEPT,
    names::PORTS,
    names::TO_HOSTS,
    names::TO_PEERS,
    names::NEIGHBOURS,
];

/// The maps of an instance.
pub struct Maps {
    /// IPv4 flows that may have an offset.
    pub translated_v4: Table<Key4>,
    /// IPv6 flows that may have an offset.
    pub translated_v6: Table<Key6>,
    /// IPv4 flows whose handshake is not complete.
    pub half_open_v4: Table<Key4>,
    /// IPv6 flows whose handshake is not complete.
    pub half_open_v6: Table<Key6>,
    /// IPv4 flows with offset 0.
    pub history_v4: Table<Key4>,
    /// IPv6 flows with offset 0.
    pub history_v6: Table<Key6>,
    policy_v4: LpmTrie<MapData, [u8; 4], Policy>,
    policy_v6: LpmTrie<MapData, [u8; 16], Policy>,
    filter_v4: Filter,
    filter_v6: Filter,
    settings: Array<MapData, Settings>,
    counters: PerCpuArray<MapData, Counters>,
    swept: Array<MapData, u64>,
}

impl Maps {
    /// Opens the pinned maps of an instance; refuses those of another layout.
    pub fn open(pins: &Pins) -> Result<Self, Failure> {
        let settings = open::<Array<MapData, Settings>>(pins, names::SETTINGS)?;
        // The map has more places: for handshakes that were admitted before it was full.
        let most = settings
            .get(&0, 0)
            .explain("cannot read the settings", AS_ROOT)?
            .limits
            .max_flows;
        let spread = super::slots::spread(pins)?;
        let v4 = Arc::new(slots(pins, [names::SLOTS_V4, names::PRINTS_V4])?);
        let v6 = Arc::new(slots(pins, [names::SLOTS_V6, names::PRINTS_V6])?);
        let maps = Self {
            settings,
            translated_v4: Table::new("TRANSLATED_V4", Place::Translated, v4.clone(), spread)
                .with(beside(pins, names::TRANSLATED_V4)?, most),
            translated_v6: Table::new("TRANSLATED_V6", Place::Translated, v6.clone(), spread)
                .with(beside(pins, names::TRANSLATED_V6)?, most),
            half_open_v4: Table::new("HALF_OPEN_V4", Place::HalfOpen, v4.clone(), spread),
            half_open_v6: Table::new("HALF_OPEN_V6", Place::HalfOpen, v6.clone(), spread),
            history_v4: Table::new("HISTORY_V4", Place::History, v4, spread),
            history_v6: Table::new("HISTORY_V6", Place::History, v6, spread),
            policy_v4: open(pins, names::POLICY_V4)?,
            policy_v6: open(pins, names::POLICY_V6)?,
            filter_v4: filter(pins, names::FILTER_V4)?,
            filter_v6: filter(pins, names::FILTER_V6)?,
            counters: open(pins, names::COUNTERS)?,
            swept: open(pins, names::SWEPT)?,
        };
        Ok(maps)
    }

    /// The settings, refused if another version wrote them.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let settings = self
            .settings
            .get(&0, 0)
            .explain("cannot read the settings", AS_ROOT)?;
        check_version(settings.abi_version)?;
        Ok(settings)
    }

    /// Replaces the settings.
    pub fn write_settings(&mut self, settings: &Settings) -> Result<(), Failure> {
        self.settings
            .set(0, settings, 0)
            .explain("cannot write the settings", AS_ROOT)
    }

    /// The guarded prefixes.
    pub fn policy(&self) -> Result<PolicyTable, Failure> {
        let v4 = self.policy_v4.iter().map(|entry| {
            let (key, policy) = entry?;
            let length = u8::try_from(key.prefix_len()).unwrap_or(32);
            Ok((
                IpNet::V4(Ipv4Net::new_assert(key.data().into(), length)),
                policy,
            ))
        });
        let v6 = self.policy_v6.iter().map(|entry| {
            let (key, policy) = entry?;
            let length = u8::try_from(key.prefix_len()).unwrap_or(128);
            Ok((
                IpNet::V6(Ipv6Net::new_assert(key.data().into(), length)),
                policy,
            ))
        });
        let all: Result<_, MapError> = v4.chain(v6).collect();
        all.map(PolicyTable)
            .explain("cannot read the guarded prefixes", AS_ROOT)
    }

    /// Replaces the guarded prefixes, in an order in which every host is treated as before or as wanted, and killed in
    /// between, too; to be called again then.
    pub fn write_policy(&mut self, wanted: &PolicyTable) -> Result<(), Failure> {
        for step in wanted.steps_from(&self.policy()?) {
            match step {
                Step::Put(prefix, policy) => self.guard(&prefix, &policy).explain(
                    format!("cannot guard `{prefix}`"),
                    "guard fewer and larger prefixes: each family has room for 4096",
                )?,
                Step::Remove(prefix) => self
                    .unguard(&prefix)
                    .explain(format!("cannot remove `{prefix}`"), AS_ROOT)?,
            }
        }
        Ok(())
    }

    /// Guards a prefix. Its bits are set first: without them its hosts' packets would pass by the tables.
    fn guard(&mut self, prefix: &IpNet, policy: &Policy) -> Result<(), MapError> {
        match prefix {
            IpNet::V4(prefix) => {
                let bits = filter::of_prefix_v4(prefix.network().octets(), prefix.prefix_len());
                self.filter_v4.set(bits)?;
                self.policy_v4.insert(&key4(*prefix), policy, 0)
            }
            IpNet::V6(prefix) => {
                let bits = filter::of_prefix_v6(prefix.network().octets(), prefix.prefix_len());
                self.filter_v6.set(bits)?;
                self.policy_v6.insert(&key6(*prefix), policy, 0)
            }
        }
    }

    fn unguard(&mut self, prefix: &IpNet) -> Result<(), MapError> {
        match prefix {
            IpNet::V4(prefix) => self.policy_v4.remove(&key4(*prefix)),
            IpNet::V6(prefix) => self.policy_v6.remove(&key6(*prefix)),
        }
    }

    /// The counters, summed over all CPUs, indexed by [`Counter::index`].
    pub fn counters(&self) -> Result<[u64; Counter::COUNT], Failure> {
        let mut sums = [0u64; Counter::COUNT];
        let values = self
            .counters
            .get(&0, 0)
            .explain("cannot read the counters", AS_ROOT)?;
        for cpu in values.iter() {
            for (sum, value) in sums.iter_mut().zip(cpu.0) {
                *sum = sum.wrapping_add(value);
            }
        }
        Ok(sums)
    }

    /// Flows removed after their time: [`names::SWEPT_TRANSLATED`] and the others.
    pub fn swept(&self, which: u32) -> Result<u64, Failure> {
        self.swept
            .get(&which, 0)
            .explain("cannot read the count of removed flows", AS_ROOT)
    }
}

const AS_ROOT: &str = "run it as root";

fn key4(prefix: Ipv4Net) -> Prefix<[u8; 4]> {
    Prefix::new(prefix.prefix_len().into(), prefix.addr().octets())
}

fn key6(prefix: Ipv6Net) -> Prefix<[u8; 16]> {
    Prefix::new(prefix.prefix_len().into(), prefix.addr().octets())
}

/// The layout version that the pinned settings tell, whatever their layout; `None` if no settings
/// are pinned.
pub fn version(pins: &Pins) -> Result<Option<u32>, Failure> {
    if !pins.map(names::SETTINGS).exists() {
        return Ok(None);
    }
    let settings: Array<MapData, Settings> = open(pins, names::SETTINGS)?;
    let settings = settings
        .get(&0, 0)
        .explain("cannot read the settings", AS_ROOT)?;
    Ok(Some(settings.abi_version))
}

/// Refuses a layout that is not this version's.
pub fn check_version(version: u32) -> Result<(), Failure> {
    if version == ABI_VERSION {
        return Ok(());
    }
    Err(other_version(format!(
        "their layout is version {version}, this program's {ABI_VERSION}"
    )))
}

fn other_version(why: String) -> Failure {
    Failure::new(
        "cannot use the pinned maps",
        why,
        "nothing was changed. With the isnguard version that made them, run `isnguard detach \
         --drain`; then attach with this one",
    )
}

pub(super) fn open<T: TryFrom<Map, Error = MapError>>(
    pins: &Pins,
    name: &str,
) -> Result<T, Failure> {
    let path = pins.map(name);
    let remedy = if path.exists() {
        AS_ROOT
    } else {
        "the instance is incomplete: `isnguard detach --force` removes what is left of it"
    };
    let map = MapData::from_pin(&path)
        .and_then(Map::from_map_data)
        .explain(format!("cannot open {}", path.display()), remedy)?;
    T::try_from(map).map_err(|error| other_version(format!("{name}: {error}")))
}

fn filter(pins: &Pins, name: &'static str) -> Result<Filter, Failure> {
    let mapped = || Filter::of(&MapData::from_pin(pins.map(name))?);
    mapped().explain(format!("cannot map {name} into memory"), AS_ROOT)
}

/// The slots of a family, by the names of their maps.
fn slots<K: Key>(pins: &Pins, names: [&str; 2]) -> Result<Unmapped<K>, Failure> {
    let [sets, prints] = names.map(|name| MapData::from_pin(pins.map(name)));
    let [first, second] = names;
    let what = || format!("cannot open {first} and {second}");
    Ok(Unmapped::new(
        sets.explain(what(), AS_ROOT)?,
        prints.explain(what(), AS_ROOT)?,
    ))
}

/// The hash table beside the slots of translated flows.
fn beside<K: Key>(pins: &Pins, name: &str) -> Result<Beside<K>, Failure> {
    let map = open(pins, name)?;
    let data = MapData::from_pin(pins.map(name)).explain(format!("cannot open {name}"), AS_ROOT)?;
    Ok(Beside { map, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_refused_with_the_way_out() {
        assert!(check_version(ABI_VERSION).is_ok());
        let failure = check_version(ABI_VERSION + 1).unwrap_err();
        assert!(
            failure
                .to_string()
                .contains(&format!("version {}", ABI_VERSION + 1))
        );
        assert!(failure.remedy().contains("isnguard detach --drain"));
    }
}
