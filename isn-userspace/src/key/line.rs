//! What stands in a key's file: one line, of the key as 32 hexadecimal digits, the number of its generation, and the boot of
//! the machine in which it was last in use. The latter two may be left away: the first generation, never in use.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::{boot::Boot, secret::Secret};

/// A key with what its file says of it.
pub struct Stored {
    /// The key.
    pub secret: Secret,
    /// How many keys there were before it.
    pub generation: u32,
    /// The boot of a machine in which it was last in use.
    pub used_in: Option<Boot>,
}

impl Stored {
    const DIGITS: usize = 2 * Secret::LENGTH;
    /// Octets of the longest line.
    pub const LONGEST: usize = Self::DIGITS + " 4294967295 ".len() + 36 + "\n".len();

    /// What a file's octets say, or why they say nothing. No reason repeats any of them.
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(octets).map_err(|_| "it is no text".to_owned())?;
        let line = text.strip_suffix('\n').unwrap_or(text);
        if line.is_empty() {
            return Err("it is empty".into());
        }
        if line.contains('\n') || octets.len() > Self::LONGEST {
            return Err("it has more than one line with a key".into());
        }
        let mut words = line.split(' ');
        let secret = secret(words.next().unwrap_or_default())?;
        let generation = words.next().map_or(Ok(0), |word| word.parse::<u32>());
        let generation = generation
            .map_err(|_| "what follows the key is no number of a generation".to_owned())?;
        let used_in = match words.next() {
            None => None,
            Some(word) => {
                let boot = Boot::parse(word);
                Some(boot.ok_or("what follows the generation is no identifier of a boot")?)
            }
        };
        match words.next() {
            None => Ok(Self {
                secret,
                generation,
                used_in,
            }),
            Some(_) => Err("there is more behind the key than belongs there".into()),
        }
    }

    /// The line of a file.
    #[must_use]
    pub fn line(&self) -> Zeroizing<String> {
        // Grown, a string would leave copies behind.
        let mut line = Zeroizing::new(String::with_capacity(Self::LONGEST));
        for octet in self.secret.octets().iter() {
            for digit in [octet >> 4, octet & 15] {
                line.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
            }
        }
        // Writing to a string does not fail.
        let _ = write!(line, " {}", self.generation);
        if let Some(boot) = &self.used_in {
            let _ = write!(line, " {}", boot.as_str());
        }
        line.push('\n');
        line
    }
}

fn secret(digits: &str) -> Result<Secret, String> {
    let there = digits.chars().count();
    if there != Stored::DIGITS {
        return Err(format!(
            "its key has {there} characters, and {} hexadecimal digits are a key",
            Stored::DIGITS
        ));
    }
    let mut octets = Zeroizing::new([0; Secret::LENGTH]);
    for (at, digit) in digits.chars().enumerate() {
        let digit = digit
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or("its key has something else than hexadecimal digits in it")?;
        octets[at / 2] = octets[at / 2] << 4 | digit;
    }
    Secret::from_octets(&octets).ok_or_else(|| "its key is zero, which protects nobody".to_owned())
}
