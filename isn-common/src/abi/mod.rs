//! What lies in the maps, octet by octet: shared between the programs in the kernel and user space,
//! and between an old release and a new one that adopts its maps.
//!
//! Everything is `repr(C)`, explicitly padded and of asserted size. Change anything here, or the
//! meaning of a bit, and [`ABI_VERSION`] must change too.

pub mod control;
pub mod flow;
pub mod forward;
pub mod policy;
pub mod sample;
pub mod settings;

use crate::counter::Counter;

/// Version of all layouts in this module. User space refuses pinned maps of another one.
pub const ABI_VERSION: u32 = 9;

/// The counters of one CPU, indexed by [`Counter::index`].
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Counters(pub [u64; Counter::COUNT]);

/// Names of the maps, which are the names of their pins too.
pub mod maps {
    /// IPv4 flows of all tables: array of [`crate::slots::Set`], which user space may map.
    pub const SLOTS_V4: &str = "SLOTS_V4";
    /// IPv6 flows of all tables: array of [`crate::slots::Set`], which user space may map.
    pub const SLOTS_V6: &str = "SLOTS_V6";
    /// What is in each set of [`SLOTS_V4`]: array of words, see [`crate::slots::prints`].
    pub const PRINTS_V4: &str = "PRINTS_V4";
    /// What is in each set of [`SLOTS_V6`]: array of words, see [`crate::slots::prints`].
    pub const PRINTS_V6: &str = "PRINTS_V6";
    /// How flows are spread over sets: one [`crate::slots::Spreading`].
    pub const SPREAD: &str = "SPREAD";
    /// Translated IPv4 flows whose set is full: hash, [`crate::flow::Key4`] to [`super::flow::Record`].
    pub const TRANSLATED_V4: &str = "TRANSLATED_V4";
    /// Translated IPv6 flows whose set is full: hash, [`crate::flow::Key6`] to [`super::flow::Record`].
    pub const TRANSLATED_V6: &str = "TRANSLATED_V6";
    /// The incarnations before those in the records, IPv4: LRU hash, [`crate::flow::Key4`] to
    /// [`super::flow::Previous`].
    pub const PREVIOUS_V4: &str = "PREVIOUS_V4";
    /// The incarnations before those in the records, IPv6: LRU hash, [`crate::flow::Key6`] to
    /// [`super::flow::Previous`].
    pub const PREVIOUS_V6: &str = "PREVIOUS_V6";
    /// Guarded IPv4 prefixes: LPM trie, 4 octets of address to [`super::policy::Policy`].
    pub const POLICY_V4: &str = "POLICY_V4";
    /// Guarded IPv6 prefixes: LPM trie, 16 octets of address to [`super::policy::Policy`].
    pub const POLICY_V6: &str = "POLICY_V6";
    /// Which IPv4 addresses may be guarded hosts': array of [`crate::filter::WORDS_V4`] words.
    pub const FILTER_V4: &str = "FILTER_V4";
    /// Which IPv6 addresses may be guarded hosts': array of [`crate::filter::WORDS_V6`] words.
    pub const FILTER_V6: &str = "FILTER_V6";
    /// One [`super::settings::Settings`].
    pub const SETTINGS: &str = "SETTINGS";
    /// One [`super::Counters`] a CPU.
    pub const COUNTERS: &str = "COUNTERS";
    /// How many flows are in the tables of translated ones: array of `u64`, [`LOAD_V4`] and [`LOAD_V6`].
    pub const LOAD: &str = "LOAD";
    /// Index of IPv4 in [`LOAD`].
    pub const LOAD_V4: u32 = 0;
    /// Index of IPv6 in [`LOAD`].
    pub const LOAD_V6: u32 = 1;
    /// How many translated flows a host has: hash, 4 octets of address to `u64`.
    pub const HOSTS_V4: &str = "HOSTS_V4";
    /// How many translated flows a host has: hash, 16 octets of address to `u64`.
    pub const HOSTS_V6: &str = "HOSTS_V6";
    /// What hosts have put into the tables and told lately: array of [`SHARES_LENGTH`] words, see [`crate::room`].
    pub const SHARES: &str = "SHARES";
    /// Length of [`SHARES`]: a quarter for each [`crate::room::Share`].
    pub const SHARES_LENGTH: u32 = 8192;
    /// Samples of initial sequence numbers that nobody has read yet: ring buffer of [`super::sample::Sample`].
    pub const SAMPLES: &str = "SAMPLES";
    /// Octets of [`SAMPLES`]: 52,428 samples, with 8 octets before each. Whoever reads them may be kept from it for a second.
    pub const SAMPLES_SIZE: u32 = 1 << 22;
    /// Acknowledgments that may be going round in circles: array of [`STORMS_LENGTH`] pairs of words, see [`crate::storm`].
    pub const STORMS: &str = "STORMS";
    /// Length of [`STORMS`].
    pub const STORMS_LENGTH: u32 = 4096;
    /// Flows removed after their time: array of `u64`, indexed by [`SWEPT_TRANSLATED`] and the others.
    pub const SWEPT: &str = "SWEPT";
    /// Index of translated flows in [`SWEPT`].
    pub const SWEPT_TRANSLATED: u32 = 0;
    /// Index of flows with offset 0 in [`SWEPT`].
    pub const SWEPT_HISTORY: u32 = 1;
    /// Index of half-open flows in [`SWEPT`].
    pub const SWEPT_HALF_OPEN: u32 = 2;
    /// Interfaces whose frames are forwarded in XDP: hash, interface index to [`super::forward::Port`].
    pub const PORTS: &str = "PORTS";
    /// Interfaces that face the hosts, as frames of peers may leave by them in XDP: device map, by interface index.
    pub const TO_HOSTS: &str = "TO_HOSTS";
    /// Interfaces that face the peers, as frames of hosts may leave by them in XDP: device map, by interface index.
    pub const TO_PEERS: &str = "TO_PEERS";
    /// Most interfaces in [`PORTS`], [`TO_HOSTS`] and [`TO_PEERS`].
    pub const MOST_PORTS: u32 = 64;
    /// When neighbours were last used by the kernel itself: array of [`NEIGHBOURS_LENGTH`] words, see [`crate::forward::is_due`].
    pub const NEIGHBOURS: &str = "NEIGHBOURS";
    /// Length of [`NEIGHBOURS`].
    pub const NEIGHBOURS_LENGTH: u32 = 4096;
}

/// Names of the programs: hook type and direction seen from the host.
pub mod programs {
    /// A global of all of them, an octet: 1 where the processor may carry out reads in another order than the program's.
    pub const REORDERS_READS: &str = "REORDERS_READS";
    /// What it must be on this machine.
    pub const REORDERS_READS_HERE: u8 = cfg!(not(target_arch = "x86_64")) as u8;
    /// Another one: how flows are spread ([`crate::slots::Spread`]), as [`super::maps::SPREAD`] has it, so that no packet pays a lookup for it.
    pub const SPREAD_HERE: &str = "SPREAD_HERE";
    /// XDP, packets from hosts to peers.
    pub const XDP_OUT: &str = "isn_xdp_out";
    /// XDP, packets from peers to hosts.
    pub const XDP_IN: &str = "isn_xdp_in";
    /// TC, packets from hosts to peers.
    pub const TC_OUT: &str = "isn_tc_out";
    /// TC, packets from peers to hosts.
    pub const TC_IN: &str = "isn_tc_in";
    /// XDP, packets from hosts to peers, forwarded there where that can be done.
    pub const FORWARD_OUT: &str = "isn_forward_out";
    /// XDP, packets from peers to hosts that can be forwarded there; the kernel gets the others as they came.
    pub const FORWARD_IN: &str = "isn_forward_in";
    /// TC, attached nowhere: user space runs it over keys of flows that may go, or records that are to come (see [`crate::upkeep`]).
    pub const UPKEEP: &str = "isn_upkeep";
}

#[cfg(feature = "user")]
mod pod {
    //! The only `unsafe` of the crate: promises to aya that these types are plain octets.
    #![allow(unsafe_code)]
    use super::{
        Counters,
        flow::{Previous, Record},
        forward::Port,
        policy::Policy,
        sample::Sample,
        settings::Settings,
    };
    use crate::{
        flow::{Key4, Key6},
        slots::{Spread, Spreading},
    };

    macro_rules! pod {
        ($($type:ty),+) => {
            // SAFETY: `repr(C)`, made of integers only, every octet of padding a named field.
            $(unsafe impl aya::Pod for $type {})+
        };
    }
    pod!(
        Counters,
        Record,
        Previous,
        Port,
        Policy,
        Sample,
        Settings,
        Key4,
        Key6,
        Spread,
        Spreading<u64>
    );
}
