//! IPv6 extension headers as octets (RFC 8200 section 4).

/// Hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Routing.
pub const ROUTING: u8 = 43;
/// Fragment.
pub const FRAGMENT: u8 = 44;
/// Authentication Header.
pub const AUTHENTICATION: u8 = 51;
/// Destination options.
pub const DESTINATION: u8 = 60;
/// Mobility (RFC 6275).
pub const MOBILITY: u8 = 135;

/// One extension header: its number, and its octets with the number of the next header left 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Protocol number.
    pub number: u8,
    /// Octets; the first will be the number of the header behind it.
    pub octets: Vec<u8>,
}

impl Extension {
    /// A header that is `8 + 8 * units` octets long and filled with padding.
    #[must_use]
    pub fn padded(number: u8, units: u8) -> Self {
        let mut octets = vec![0; 8 + 8 * usize::from(units)];
        octets[1] = units;
        // PadN over the rest (RFC 8200 section 4.2), in pieces of at most 257 octets.
        let mut at = 2;
        while at < octets.len() {
            let rest = (octets.len() - at).min(257);
            if rest > 1 {
                octets[at] = 1;
                octets[at + 1] = u8::try_from(rest - 2).unwrap_or(0);
            }
            at += rest;
        }
        Self { number, octets }
    }

    /// A fragment header; `offset` in octets, a multiple of 8.
    #[must_use]
    pub fn fragment(offset: u16, more: bool) -> Self {
        let [high, low] = (offset | u16::from(more)).to_be_bytes();
        Self {
            number: FRAGMENT,
            octets: vec![0, 0, high, low, 0, 0, 0, 7],
        }
    }

    /// An Authentication Header of 24 octets (RFC 4302).
    #[must_use]
    pub fn authentication() -> Self {
        let mut octets = vec![0x5a; 24];
        octets[..4].copy_from_slice(&[0, 4, 0, 0]);
        Self {
            number: AUTHENTICATION,
            octets,
        }
    }
}
