//! Control bits of the TCP header (RFC 9293 section 3.1).

/// The octet with CWR, ECE, URG, ACK, PSH, RST, SYN and FIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgment field is significant.
    pub const ACK: u8 = 0x10;

    /// Whether FIN is set.
    #[must_use]
    pub const fn fin(self) -> bool {
        self.0 & Self::FIN != 0
    }

    /// Whether SYN is set.
    #[must_use]
    pub const fn syn(self) -> bool {
        self.0 & Self::SYN != 0
    }

    /// Whether RST is set.
    #[must_use]
    pub const fn rst(self) -> bool {
        self.0 & Self::RST != 0
    }

    /// Whether ACK is set.
    #[must_use]
    pub const fn ack(self) -> bool {
        self.0 & Self::ACK != 0
    }

    /// Whether the segment opens an incarnation: SYN, and not RST, which would make it nonsense.
    #[must_use]
    pub const fn opens(self) -> bool {
        self.0 & (Self::SYN | Self::RST) == Self::SYN
    }

    /// Sequence numbers that the flags themselves occupy: one each for SYN and FIN.
    #[must_use]
    pub const fn sequence_length(self) -> u32 {
        (self.syn() as u32).wrapping_add(self.fin() as u32)
    }
}
