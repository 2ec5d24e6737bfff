//! The laboratory of isnguard: network namespaces with real TCP at both ends, and what is needed to watch them.
//!
//! `namespace` and `process` are guards that leave nothing behind; `topology` lays out host – gateway – peer; `chosen_isn` opens
//! connections that start at a given number and `server` ends them so that the peer keeps TIME-WAIT; `unmodified` lets other programs'
//! connections regress; `transfer` moves digested bytes;
//! `crowd` is thousands of connections at once, `flood` is SYNs by the ten thousands;
//! `capture`, `segment` and `comparison` say what was on the wire; `relay` loses and reorders; `gateway` drives the `isnguard` binary, `hooks` counts
//! what sits where, `pseudo_terminal` has a program draw.
//!
//! `load` and `datagrams` keep connections and datagrams going while something happens; `interrupted` kills a program before a chosen
//! system call; `holdings` tells what an instance has in the kernel, `kernel_log` what the
//! kernel complains about, `resident` is `run` as a child; `soak` plays all of it for a long time.
//!
//! The programs alone: `packet_builder` says frames, `test_run` runs them in the kernel, `two_worlds` compares that with the same code in
//! memory and plays tables of cases, `expected_counters` holds what each case must count.

pub mod capture;
pub mod chosen_isn;
pub mod comparison;
pub mod crowd;
pub mod datagrams;
pub mod device;
pub mod expected_counters;
pub mod family;
pub mod flood;
pub mod fuzz;
pub mod gateway;
pub mod holdings;
pub mod hooks;
pub mod http;
pub mod interrupted;
pub mod kernel_log;
pub mod keys;
pub mod line;
pub mod load;
pub mod model;
pub mod namespace;
pub mod packet_builder;
pub mod packet_socket;
pub mod pass;
pub mod process;
pub mod pseudo_terminal;
pub mod relay;
pub mod resident;
pub mod scenario;
pub mod schema;
pub mod segment;
pub mod server;
pub mod service;
pub mod setup;
pub mod soak;
pub mod socket_option;
pub mod super_packets;
pub mod test_run;
pub mod topology;
pub mod transfer;
pub mod two_worlds;
pub mod unmodified;
mod urgent;
pub mod wait;
