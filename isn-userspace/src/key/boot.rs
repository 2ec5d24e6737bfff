//! Which boot of the machine this is.

use std::fs;

/// The kernel's identifier of a boot: 36 letters of a UUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot(String);

impl Boot {
    /// This one; `None` where the kernel does not tell.
    #[must_use]
    pub fn current() -> Option<Self> {
        let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Self::parse(text.trim_end())
    }

    /// The boot of this identifier; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_hex = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        let fits = |(at, letter): (usize, u8)| match at {
            8 | 13 | 18 | 23 => letter == b'-',
            _ => is_hex(letter),
        };
        (text.len() == 36 && text.bytes().enumerate().all(fits)).then(|| Self(text.to_owned()))
    }

    /// The identifier.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
