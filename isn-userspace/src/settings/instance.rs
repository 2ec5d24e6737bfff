//! Names of instances: they become names of directories on a BPF file system.

use std::{fmt, str::FromStr};

/// A checked instance name: 1 to 32 of `A`-`Z`, `a`-`z`, `0`-`9`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceName(String);

impl InstanceName {
    const LONGEST: usize = 32;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        // A BPF file system takes no dots, and a path component no slashes.
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > Self::LONGEST || !name.chars().all(allowed) {
            return Err(format!(
                "an instance name has 1 to {} letters, digits, `_` or `-`",
                Self::LONGEST
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_can_be_a_directory_on_bpffs() {
        for name in ["default", "a", "plant-2_B", &"x".repeat(32)] {
            assert_eq!(name.parse::<InstanceName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_what_cannot() {
        for name in ["", ".", "..", "a.b", "a/b", "a b", "ä", &"x".repeat(33)] {
            assert!(name.parse::<InstanceName>().is_err(), "{name:?}");
        }
    }
}
