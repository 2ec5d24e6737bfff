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
