//! What is graded: initial sequence numbers as they were seen, in whatever order and from wherever.

use std::{net::IpAddr, time::Duration};

/// An ISN that a host chose, as seen on the wire. One per incarnation: repeated SYNs are left out by whoever makes samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since any fixed moment; that of a capture: since the Unix epoch.
    pub at: Duration,
    /// The peer's address: with the ports and the host itself, the 4-tuple.
    pub peer: IpAddr,
    /// The peer's port.
    pub peer_port: u16,
    /// The host's port.
    pub host_port: u16,
    /// The initial sequence number of the SYN or SYN-ACK.
    pub isn: u32,
    /// Signed distance of `isn` from the end of what the host had sent in the previous incarnation of the same 4-tuple (its
    /// high-water mark), where one was seen; 0 or less is a regression (RFC 9293 section 3.4.1, RFC 6528 section 3).
    pub ahead: Option<i32>,
}
