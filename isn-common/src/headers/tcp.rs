//! Layout of the TCP header (RFC 9293 section 3.1).

/// Protocol number of TCP in IPv4 and IPv6.
pub const PROTOCOL: u8 = 6;
/// Octets of a header without options.
pub const SHORTEST: usize = 20;
/// Offset of the sequence number in the header.
pub const SEQUENCE: usize = 4;
/// Offset of the acknowledgment number in the header.
pub const ACKNOWLEDGMENT: usize = 8;
/// Offset of the octet whose upper half is the header's length in 32-bit words.
pub const DATA_OFFSET: usize = 12;
/// Offset of the control bits in the header.
pub const FLAGS: usize = 13;
/// Offset of the checksum in the header.
pub const CHECKSUM: usize = 16;
