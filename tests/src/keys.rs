//! Keys of keyed mode in files, as an operator has them, and what they make of a 4-tuple.

#![allow(
    deprecated,
    reason = "the standard library's own SipHash-2-4, written by others"
)]
use std::{
    fs::OpenOptions,
    hash::{Hasher as _, SipHasher},
    io::Write as _,
    net::{IpAddr, SocketAddr},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::setup::Setup;

/// A key and the file that it lies in, which goes with the value.
#[derive(Debug)]
pub struct KeyFile {
    octets: [u8; 16],
    path: PathBuf,
    _dir: TempDir,
}

impl KeyFile {
    /// A key of these octets, in a file that only its owner can read.
    pub fn new(octets: [u8; 16]) -> Result<Self> {
        let dir = TempDir::new()?;
        let path = dir.path().join("isnguard.key");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        writeln!(file, "{:032x}", u128::from_be_bytes(octets))?;
        Ok(Self {
            octets,
            path,
            _dir: dir,
        })
    }

    /// Any key.
    pub fn random() -> Result<Self> {
        Self::new(std::array::from_fn(|_| fastrand::u8(1..)))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `setup` in keyed mode with this key; existing connections are adopted for so many seconds.
    pub fn keyed(&self, setup: Setup, adopt: u32) -> Result<Setup> {
        let path = self.path.to_str().context("the path is no text")?;
        let adopt = adopt.to_string();
        Ok(setup
            .in_mode("keyed")
            .with(&["--key-file", path, "--adopt", &adopt]))
    }

    /// F of a host's end and a peer's end (S3), by this key: SipHash-2-4 of the standard library, so that nothing is taken
    /// from what is tested.
    #[must_use]
    pub fn offset(&self, host: SocketAddr, peer: SocketAddr) -> u32 {
        let [first, second] = [0, 8].map(|from| {
            let half = self.octets[from..].first_chunk();
            half.map_or(0, |half| u64::from_le_bytes(*half))
        });
        let mut hasher = SipHasher::new_with_keys(first, second);
        for end in [host, peer] {
            match end.ip() {
                IpAddr::V4(address) => hasher.write(&address.octets()),
                IpAddr::V6(address) => hasher.write(&address.octets()),
            }
        }
        hasher.write(&host.port().to_be_bytes());
        hasher.write(&peer.port().to_be_bytes());
        hasher.write(&[0; 4]);
        lower_half(hasher.finish())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half")]
const fn lower_half(number: u64) -> u32 {
    number as u32
}
