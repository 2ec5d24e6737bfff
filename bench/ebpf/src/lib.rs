//! What benchmark and programs say to each other. The programs are in the binary, which only the BPF target builds.
#![no_std]

/// What a frame is made to say before each run, since the program that is measured changes it. Numbers of packets are as they
/// lie in memory, so in network order.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Stimulus {
    /// Where the random numbers stand (a linear congruential generator).
    pub state: u64,
    /// Flows less one, a power of two less one: each run takes one of them at random.
    pub mask: u32,
    /// Offset of the port in which the low 16 bits of a flow's number stand.
    pub port_at: u32,
    /// Offset of the octet in which the next 8 bits stand, the last of an address.
    pub address_at: u32,
    /// Offset of the TCP header.
    pub tcp_at: u32,
    /// Sequence number, host order.
    pub sequence: u32,
    /// Acknowledgment number, host order.
    pub acknowledgment: u32,
}

/// Words of 8 octets that headers of Ethernet, IPv4 and TCP take, with 10 octets of options, data or padding.
pub const HEADER_WORDS: usize = 8;
/// The same for IPv6, with 6 octets.
pub const HEADER_WORDS_V6: usize = 10;

/// What is sent to a gateway.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Traffic {
    /// Where the random numbers stand, or the number of the next new flow.
    pub state: u64,
    /// What every frame begins with; IPv4 needs [`HEADER_WORDS`] of it.
    pub header: [u64; HEADER_WORDS_V6],
    /// Flows less one, a power of two less one.
    pub mask: u32,
    /// The course of the first of them.
    pub first: u32,
    /// Segments of a flow in succession less one, where they come in trains.
    pub train: u32,
    /// Octets of data in each of these.
    pub step: u32,
}

/// What sets the segments of an open flow apart, each as it lies in the frame.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Course {
    /// The host's address, its last 32 bits.
    pub address: u32,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgment number.
    pub acknowledgment: u32,
    /// The host's port.
    pub port: u16,
    /// Of the header of IPv4; that of IPv6 has none.
    pub ip_checksum: u16,
    /// Of the TCP header.
    pub tcp_checksum: u16,
    /// Fills it up.
    pub padding: u16,
}

/// What a new flow adds to the lower halves of the addresses and to the port that stand in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// To the host's address.
    pub host: u16,
    /// To the peer's address.
    pub peer: u16,
    /// To the host's port.
    pub port: u16,
}

/// The new flow of a number, below 2^31. Sixteen thousand hosts take turns, and no two flows to one peer have the same port, whatever
/// hosts they belong to: behind a masquerade they need not be told apart.
#[must_use]
pub const fn fresh(number: u32) -> Fresh {
    Fresh {
        host: (number & 0x3fff) as u16,
        peer: ((number >> 15) & 0xffff) as u16,
        port: (number & 0x7fff) as u16,
    }
}
