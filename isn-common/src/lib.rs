//! The data plane of isnguard as pure code: what a packet means, what is decided about it, what is
//! changed in it.
//!
//! Nothing here knows whether it runs in the kernel or in a test. Packets come through
//! [`packet::Packet`]; maps, time and counters through [`world::World`]; a run ends in a
//! [`verdict::Verdict`]. The rules are cited as S1 to S25 of the specification.
#![cfg_attr(not(any(test, feature = "host", feature = "user")), no_std)]
#![cfg_attr(
    not(any(test, feature = "host")),
    deny(clippy::arithmetic_side_effects)
)]
#![cfg_attr(not(feature = "user"), forbid(unsafe_code))]
#![allow(
    clippy::inline_always,
    reason = "in a call, the BPF verifier loses the bounds of a packet pointer, and the stack is short"
)]

pub mod abi;
pub mod checksum;
pub mod claim;
pub mod connection;
pub mod counter;
pub mod datapath;
pub mod expiry;
pub mod express;
pub mod filter;
pub mod flow;
pub mod forward;
pub mod headers;
#[cfg(any(test, feature = "host"))]
pub mod host;
pub mod icmp;
pub mod isn;
pub mod keyed;
pub mod newcomer;
pub mod opening;
pub mod packet;
pub mod previous;
pub mod promotion;
pub mod recompute;
pub mod remember;
pub mod room;
pub mod sample;
pub mod segment;
pub mod settle;
pub mod siphash;
pub mod slots;
pub mod storm;
pub mod tcp;
pub mod tick;
pub mod translate;
pub mod upkeep;
pub mod verdict;
pub mod world;
