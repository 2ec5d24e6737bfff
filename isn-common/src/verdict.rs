//! What becomes of a packet, in words that the operator reads too.

use crate::counter::Counter;

/// The outcome of one run of the data plane over one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The packet goes on, byte for byte as it came.
    Pass(PassReason),
    /// The host's sequence number was translated, and the packet goes on.
    TranslatedOut,
    /// Acknowledgments of the host's numbers were translated, and the packet goes on.
    TranslatedIn,
    /// The segment that an ICMP error quotes was translated back, and the error goes on.
    IcmpTranslated,
    /// The packet ends here.
    Drop(DropReason),
}

impl Verdict {
    /// The counter of this outcome. Every packet adds one to exactly one of them.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Self::Pass(reason) => reason.counter(),
            Self::TranslatedOut => Counter::PacketsTranslatedOut,
            Self::TranslatedIn => Counter::PacketsTranslatedIn,
            Self::IcmpTranslated => Counter::IcmpTranslated,
            Self::Drop(reason) => reason.counter(),
        }
    }
}

/// Why a packet passed untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassReason {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// More than two VLAN tags.
    VlanDepth,
    /// The frame ends before its headers do.
    Truncated,
    /// A header contradicts itself or the one before it.
    BadHeader,
    /// A fragment other than the first: it has no TCP header.
    Fragment,
    /// The first fragment of a segment, too short to hold the TCP header.
    ShortFragment,
    /// Not TCP, and no ICMP error either.
    NotTcp,
    /// ICMP that quotes no segment of a translated flow.
    Icmp,
    /// An ICMP error that is itself a fragment.
    IcmpFragment,
    /// More IPv6 extension headers than are walked.
    ExtensionHeaders,
    /// Signed by an IP Authentication Header.
    IpAuthentication,
    /// A segment that opens nothing, of a flow that is not followed.
    NoFlow,
    /// A SYN whose sender is not guarded.
    NotGuarded,
    /// A SYN from or to an address that no endpoint can have.
    OddAddress,
    /// A flow that is followed and needs no translation.
    OffsetZero,
    /// A reset for a closed port: its sequence number 0 stands for none.
    ClosedPort,
    /// An inbound segment of a translated flow that carries no number to translate.
    NothingToTranslate,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It belongs to a translated flow and cannot be translated completely.
    Untranslatable,
    /// A SYN for which there is no room, where the operator asked to refuse those.
    TableFull,
    /// One of two acknowledgments that went round in circles.
    AckStorm,
    /// A SYN of a flow that another CPU was deciding on for too long; its sender repeats it.
    Contended,
}

impl PassReason {
    /// The counter of this reason.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Self::NotIp => Counter::PassNotIp,
            Self::VlanDepth => Counter::PassVlanDepth,
            Self::Truncated => Counter::PassTruncated,
            Self::BadHeader => Counter::PassBadHeader,
            Self::Fragment => Counter::PassFragment,
            Self::ShortFragment => Counter::PassShortFragment,
            Self::NotTcp => Counter::PassNotTcp,
            Self::Icmp => Counter::PassIcmp,
            Self::IcmpFragment => Counter::PassIcmpFragment,
            Self::ExtensionHeaders => Counter::PassExtensionHeaders,
            Self::IpAuthentication => Counter::PassIpAuthentication,
            Self::NoFlow => Counter::PassNoFlow,
            Self::NotGuarded => Counter::PassNotGuarded,
            Self::OddAddress => Counter::PassOddAddress,
            Self::OffsetZero => Counter::PassOffsetZero,
            Self::ClosedPort => Counter::PassClosedPort,
            Self::NothingToTranslate => Counter::PassNothingToTranslate,
        }
    }
}

impl DropReason {
    /// The counter of this reason.
    #[must_use]
    pub const fn counter(self) -> Counter {
        match self {
            Self::Untranslatable => Counter::DroppedUntranslatable,
            Self::TableFull => Counter::DroppedTableFull,
            Self::AckStorm => Counter::DroppedAckStorm,
            Self::Contended => Counter::DroppedContended,
        }
    }
}
