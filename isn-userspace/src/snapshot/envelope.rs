//! How a snapshot is told from other files, and a whole one from a damaged one: a preamble of 48 octets, the same in every
//! version, then the contents.
//!
//! | octets | what, little-endian |
//! |---|---|
//! | 0 to 7 | `ISNGSNAP` |
//! | 8 to 11 | [`FORMAT`] |
//! | 12 to 15 | [`ABI_VERSION`], since bits of the flows mean what they mean there |
//! | 16 to 23 | length of the contents |
//! | 24 to 27 | CRC-32 of the contents |
//! | 28 to 43 | version of the program that saved it, padded with zeros |
//! | 44 to 47 | CRC-32 of the octets before |

use std::path::Path;

use isn_common::abi::ABI_VERSION;

use super::contents::Contents;
use crate::failure::{Explain as _, Failure};

/// The first octets of every snapshot.
pub const MAGIC: [u8; 8] = *b"ISNGSNAP";
/// Version of the contents.
pub const FORMAT: u32 = 2;
const PREAMBLE: usize = 48;
const VERSION: std::ops::Range<usize> = 28..44;
const OWN_CHECKSUM: usize = 44;

/// A snapshot as a file has it.
pub fn seal(contents: &Contents) -> Result<Vec<u8>, Failure> {
    let octets = postcard::to_extend(contents, vec![0; PREAMBLE]).explain(
        "cannot save the flows",
        "this should not happen; report it with the version of isnguard",
    );
    let mut octets = octets?;
    let (preamble, body) = octets.split_at_mut(PREAMBLE);
    preamble[..8].copy_from_slice(&MAGIC);
    preamble[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    preamble[12..16].copy_from_slice(&ABI_VERSION.to_le_bytes());
    preamble[16..24].copy_from_slice(&(body.len() as u64).to_le_bytes());
    preamble[24..28].copy_from_slice(&crc32fast::hash(body).to_le_bytes());
    for (octet, letter) in preamble[VERSION].iter_mut().zip(OWN_VERSION.bytes()) {
        *octet = letter;
    }
    let checksum = crc32fast::hash(&preamble[..OWN_CHECKSUM]);
    preamble[OWN_CHECKSUM..].copy_from_slice(&checksum.to_le_bytes());
    Ok(octets)
}

const OWN_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The contents of a file, refused unless it is a whole snapshot of this version; `path` is for the complaint.
pub fn open(path: &Path, octets: &[u8]) -> Result<Contents, Failure> {
    if !octets.starts_with(&MAGIC) {
        return Err(refused(
            path,
            "it is no snapshot of isnguard",
            "name a file that `isnguard snapshot save` has made",
        ));
    }
    let Some((preamble, body)) = octets.split_at_checked(PREAMBLE) else {
        return Err(damaged(path, "it ends too early"));
    };
    if crc32fast::hash(&preamble[..OWN_CHECKSUM]) != number(preamble, OWN_CHECKSUM) {
        return Err(damaged(path, "its first octets were changed"));
    }
    check_versions(path, preamble)?;
    let length = u64::from(number(preamble, 16)) | u64::from(number(preamble, 20)) << 32;
    let there = body.len() as u64;
    if length != there {
        return Err(damaged(
            path,
            &format!("{there} octets of contents are there, {length} were saved"),
        ));
    }
    if crc32fast::hash(body) != number(preamble, 24) {
        return Err(damaged(path, "its checksum does not fit"));
    }
    match postcard::take_from_bytes(body) {
        Ok((contents, [])) => Ok(contents),
        Ok(_) => Err(damaged(path, "there is more in it than there should be")),
        Err(error) => Err(damaged(path, &error.to_string())),
    }
}

fn check_versions(path: &Path, preamble: &[u8]) -> Result<(), Failure> {
    let (format, abi) = (number(preamble, 8), number(preamble, 12));
    if (format, abi) == (FORMAT, ABI_VERSION) {
        return Ok(());
    }
    let by = String::from_utf8_lossy(&preamble[VERSION]);
    let by = by.trim_end_matches('\0');
    Err(refused(
        path,
        &format!(
            "isnguard {by} saved it in format {format} with layout version {abi}, and this is isnguard {OWN_VERSION} with \
             format {FORMAT} and layout version {ABI_VERSION}"
        ),
        &format!(
            "load it with isnguard {by}, or go on without it: connections that were translated break, all others are left \
             alone"
        ),
    ))
}

/// Refuses a file that is not as it was saved.
pub fn damaged(path: &Path, why: &str) -> Failure {
    refused(
        path,
        &format!("it is damaged: {why}"),
        "take another copy of it if there is one, or go on without it: connections that were translated break, all others are \
         left alone",
    )
}

fn refused(path: &Path, why: &str, remedy: &str) -> Failure {
    Failure::new(
        format!("cannot load {}", path.display()),
        why,
        format!("nothing was changed. {remedy}"),
    )
}

/// # Panics
///
/// If the octets end before the number.
fn number(octets: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&octets[at..at + 4]);
    u32::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::{
        super::contents::tests::{contents, remembered_again},
        *,
    };

    const PATH: &str = "/var/lib/isnguard/flows";

    fn sealed() -> Vec<u8> {
        seal(&contents()).unwrap()
    }

    fn refusal(octets: &[u8]) -> Failure {
        open(Path::new(PATH), octets).err().unwrap()
    }

    fn resealed(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut octets = sealed();
        change(&mut octets);
        let checksum = crc32fast::hash(&octets[..OWN_CHECKSUM]);
        octets[OWN_CHECKSUM..PREAMBLE].copy_from_slice(&checksum.to_le_bytes());
        octets
    }

    #[test]
    fn what_was_sealed_comes_out_again() {
        let opened = open(Path::new(PATH), &sealed()).unwrap();
        assert_eq!(remembered_again(opened), remembered_again(contents()));
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let octets = sealed();
        for length in 0..octets.len() {
            let failure = refusal(&octets[..length]);
            assert!(failure.remedy().starts_with("nothing was changed"));
            let why = failure.to_string();
            let expected = if length < MAGIC.len() {
                "it is no snapshot"
            } else {
                "it is damaged"
            };
            assert!(why.contains(expected) && why.contains(PATH), "{why}");
        }
    }

    #[test]
    fn a_bit_that_changed_anywhere_is_noticed() {
        let octets = sealed();
        for at in 0..octets.len() * 8 {
            let mut damaged = octets.clone();
            damaged[at / 8] ^= 1 << (at % 8);
            let why = refusal(&damaged).to_string();
            assert!(why.contains("damaged") || at < 64, "bit {at}: {why}");
        }
    }

    #[test]
    fn what_is_added_is_noticed() {
        let mut octets = sealed();
        octets.push(0);
        assert!(refusal(&octets).to_string().contains("damaged"));
    }

    #[test]
    fn another_version_is_refused_with_the_program_that_can() {
        for at in [8, 12] {
            let failure = refusal(&resealed(|octets| octets[at] += 1));
            assert!(
                failure.to_string().contains("saved it in format"),
                "{failure}"
            );
            let remedy = failure.remedy();
            assert!(
                remedy.contains(&format!("isnguard {OWN_VERSION}")),
                "{remedy}"
            );
        }
    }

    #[test]
    fn the_version_of_the_program_has_its_place() {
        assert!(OWN_VERSION.len() <= VERSION.len());
    }
}
