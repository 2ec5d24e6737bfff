//! Layouts of the headers below TCP, one header a file: offsets and checks, no decisions.

pub mod ethernet;
pub mod extent;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod tcp;
