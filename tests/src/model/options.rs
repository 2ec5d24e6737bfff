//! The options of a TCP header (RFC 9293 section 3.2), as far as they are well formed.

/// SACK (RFC 2018).
pub const SACK: u8 = 5;
const END: u8 = 0;
const NOP: u8 = 1;
const WINDOW_SCALE: u8 = 3;
const TIMESTAMPS: u8 = 8;
const MD5: u8 = 19;
const AUTHENTICATION: u8 = 29;
/// RFC 7323 section 2.3: a larger shift counts as this one.
const MOST_SHIFT: u8 = 14;

/// Walks over options up to an END, a malformed one, or the end of the octets.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    octets: &'a [u8],
    at: usize,
}

/// One option.
#[derive(Clone, Copy, Debug)]
pub struct TcpOption<'a> {
    /// Kind.
    pub kind: u8,
    /// Where it begins, counted from the first option.
    pub at: usize,
    /// All of it, kind and length included.
    pub octets: &'a [u8],
}

impl<'a> Options<'a> {
    /// Over the octets behind the fixed header.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets, at: 0 }
    }

    /// The shift of the window scale option.
    #[must_use]
    pub fn window_scale(self) -> Option<u8> {
        self.filter(|option| option.kind == WINDOW_SCALE && option.octets.len() == 3)
            .last()
            .map(|option| option.octets[2].min(MOST_SHIFT))
    }

    /// Whether TCP-MD5 or TCP-AO signs the segment.
    #[must_use]
    pub fn signed(mut self) -> bool {
        self.any(|option| matches!(option.kind, MD5 | AUTHENTICATION))
    }

    /// The `TSval`.
    #[must_use]
    pub fn stamp(mut self) -> Option<u32> {
        self.find(TcpOption::is_timestamps)
            .map(|option| number(option.octets, 2))
    }
}

impl TcpOption<'_> {
    /// Whether it holds a `TSval` at its third octet and a `TSecr` at its seventh.
    #[must_use]
    pub fn is_timestamps(&self) -> bool {
        self.kind == TIMESTAMPS && self.octets.len() == 10
    }

    /// Where the edges of its SACK blocks begin, counted from the first option.
    pub fn edges(&self) -> impl Iterator<Item = usize> + use<> {
        let length = self.octets.len();
        let whole = self.kind == SACK && (length - 2).is_multiple_of(8);
        let edges = if whole { (length - 2) / 4 } else { 0 };
        let first = self.at + 2;
        (0..edges).map(move |edge| first + 4 * edge)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = TcpOption<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.octets.get(self.at) == Some(&NOP) {
            self.at += 1;
        }
        let at = self.at;
        let kind = *self.octets.get(at)?;
        let length = usize::from(*self.octets.get(at + 1)?);
        if kind == END || length < 2 {
            self.at = self.octets.len();
            return None;
        }
        self.at = at + length;
        let octets = self.octets.get(at..at + length)?;
        Some(TcpOption { kind, at, octets })
    }
}

/// Four octets as a number.
///
/// # Panics
///
/// If they are not there.
#[must_use]
pub fn number(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(octets[at..at + 4].try_into().expect("four octets"))
}
