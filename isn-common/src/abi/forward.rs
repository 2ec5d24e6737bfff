//! What the programs that forward must know of an interface.

/// An interface whose frames are forwarded in XDP; what is not in the map is left to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Port {
    /// Its own hardware address: frames for any other are not for this gateway to forward.
    pub address: [u8; 6],
    /// [`Port::SOURCE_KNOWN`] and [`Port::SOURCE_HERE`].
    pub flags: u16,
}

const _: () = assert!(size_of::<Port>() == 8 && align_of::<Port>() == 2);

impl Port {
    /// Sources of IPv4 must have a route (RFC 3704 section 2.4; `rp_filter` 2).
    pub const SOURCE_KNOWN: u16 = 1;
    /// Sources of IPv4 must have a route that leads back over this interface (RFC 3704 section 2.2; `rp_filter` 1).
    pub const SOURCE_HERE: u16 = 1 << 1;

    /// Whether sources of IPv4 are looked up at all.
    #[must_use]
    pub const fn looks_at_sources(&self) -> bool {
        self.flags & (Self::SOURCE_KNOWN | Self::SOURCE_HERE) != 0
    }

    /// Whether the route to a source may lead over this interface.
    #[must_use]
    pub const fn takes_source_over(&self, own: u32, route: u32) -> bool {
        self.flags & Self::SOURCE_HERE == 0 || own == route
    }
}
