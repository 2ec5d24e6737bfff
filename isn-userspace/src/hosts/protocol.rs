//! What goes over the socket: the word of a [`Request`], then, back, a greeting and what was asked for. For hosts that is each
//! host in a frame, then an empty frame, so that an answer that was cut off is known to be none; for decisions see [`follow`].
//! The machine's byte order: both ends are on one machine, and of one version or refused.
//!
//! | greeting, 48 octets | frame |
//! |---|---|
//! | 8 octets, the request; version of the layout of maps (u32); octets of a sample (u32) | samples in it (u32), 0 (u32) |
//! | inode of the instance's directory of pins (u64) | SYNs of the host in all (u64) |
//! | nanoseconds of the monotonic clock when listening began (u64) | those that left with another number (u64) |
//! | hosts forgotten (u64); 1 if there is no place for another one who follows (u64) | the samples |

pub mod follow;

use std::io::{self, Read};

use isn_common::abi::{ABI_VERSION, sample::Sample};

use super::{Host, HostId, Kept, collector::Room};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// The hosts, as they are kept.
    Hosts,
    /// Decisions, as they happen.
    Follow,
}

impl Request {
    /// Octets of a request.
    pub const SIZE: usize = 8;

    /// Its octets.
    #[must_use]
    pub const fn octets(self) -> [u8; Self::SIZE] {
        match self {
            Self::Hosts => *b"isnhosts",
            Self::Follow => *b"isnfollw",
        }
    }

    /// The inverse of [`Request::octets`].
    #[must_use]
    pub fn from_octets(octets: [u8; Self::SIZE]) -> Option<Self> {
        let all = [Self::Hosts, Self::Follow];
        all.into_iter().find(|it| it.octets() == octets)
    }
}

/// More hosts than may be answered with, which no honest answer reaches.
const MOST_FRAMES: usize = 2 * Room::DEFAULT.hosts;

/// How an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// What was asked for.
    pub request: Request,
    /// Inode of the directory of pins of the instance that is answered for.
    pub instance: u64,
    /// Nanoseconds of the monotonic clock when listening began.
    pub since: u64,
    /// Hosts that were forgotten for want of room.
    pub forgotten: u64,
    /// Whether there is no place for another one who follows: nothing comes behind this.
    pub is_full: bool,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Told {
    /// How it began.
    pub greeting: Greeting,
    /// The hosts.
    pub hosts: Vec<Host>,
}

impl Greeting {
    /// Octets of a greeting.
    pub const SIZE: usize = 48;

    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let sample = u32::try_from(Sample::SIZE).unwrap_or(u32::MAX);
        let mut octets = self.request.octets().to_vec();
        octets.extend(ABI_VERSION.to_ne_bytes());
        octets.extend(sample.to_ne_bytes());
        for number in [
            self.instance,
            self.since,
            self.forgotten,
            self.is_full.into(),
        ] {
            octets.extend(number.to_ne_bytes());
        }
        octets
    }

    /// The greeting behind a request, in these octets.
    pub fn from_octets(request: Request, octets: &[u8; Self::SIZE]) -> io::Result<Self> {
        let wanted = Self {
            request,
            instance: u64_at(octets, 16),
            since: u64_at(octets, 24),
            forgotten: u64_at(octets, 32),
            is_full: u64_at(octets, 40) != 0,
        };
        if octets[..16] != wanted.octets()[..16] {
            return Err(invalid("it is of another version of isnguard"));
        }
        Ok(wanted)
    }
}

/// The frame of a host. One without samples would end the answer: it has none.
#[must_use]
pub fn frame(host: &Host) -> Vec<u8> {
    let count = u32::try_from(host.samples.len()).unwrap_or(0);
    if count == 0 {
        return Vec::new();
    }
    let mut octets = header(count, host.syns, host.rewritten);
    octets.reserve_exact(host.samples.len() * Sample::SIZE);
    for kept in &host.samples {
        octets.extend(kept.sample(host.id).to_octets());
    }
    octets
}

/// The end of an answer.
#[must_use]
pub fn end() -> Vec<u8> {
    header(0, 0, 0)
}

const HEADER: usize = 24;

fn header(count: u32, syns: u64, rewritten: u64) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER);
    octets.extend(count.to_ne_bytes());
    octets.extend([0; 4]);
    octets.extend(syns.to_ne_bytes());
    octets.extend(rewritten.to_ne_bytes());
    octets
}

/// Reads an answer to its end, and no more of it than an honest one has.
pub fn read(mut from: impl Read) -> io::Result<Told> {
    let greeting = Greeting::from_octets(Request::Hosts, &take(&mut from)?)?;
    let mut hosts = Vec::new();
    loop {
        let octets: [u8; HEADER] = take(&mut from)?;
        let count = u32::from_ne_bytes([octets[0], octets[1], octets[2], octets[3]]) as usize;
        if count == 0 {
            return Ok(Told { greeting, hosts });
        }
        if count > Room::DEFAULT.of_a_host || hosts.len() >= MOST_FRAMES {
            return Err(invalid("it is longer than an answer can be"));
        }
        hosts.push(Host {
            syns: u64_at(&octets, 8),
            rewritten: u64_at(&octets, 16),
            ..samples(&mut from, count)?
        });
    }
}

/// A host with its samples, of which there is at least one.
fn samples(from: &mut impl Read, count: usize) -> io::Result<Host> {
    let mut id = None;
    let mut samples = Vec::with_capacity(count);
    for _ in 0..count {
        let sample = Sample::from_octets(&take(from)?);
        let host = HostId::of(&sample);
        if *id.get_or_insert(host) != host {
            return Err(invalid("a frame holds two hosts"));
        }
        samples.push(Kept::of(&sample));
    }
    Ok(Host {
        id: id.ok_or_else(|| invalid("a frame holds no host"))?,
        syns: 0,
        rewritten: 0,
        samples,
    })
}

fn take<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    from.read_exact(&mut octets)?;
    Ok(octets)
}

/// The number at an offset that the array has.
fn u64_at(octets: &[u8], at: usize) -> u64 {
    octets[at..]
        .first_chunk()
        .map_or(0, |number| u64::from_ne_bytes(*number))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::collector::{Collector, tests::sample};

    const GREETING: Greeting = Greeting {
        request: Request::Hosts,
        is_full: false,
        instance: 77,
        since: 5,
        forgotten: 3,
    };

    fn answer(hosts: &[Host]) -> Vec<u8> {
        let frames = hosts.iter().flat_map(frame);
        GREETING
            .octets()
            .into_iter()
            .chain(frames)
            .chain(end())
            .collect()
    }

    fn hosts() -> Vec<Host> {
        let mut collector = Collector::default();
        for at in 0..10 {
            collector.add(&sample(1, at));
            collector.add(&sample(2, at));
        }
        collector.hosts()
    }

    #[test]
    fn an_answer_comes_through_whole() {
        let told = read(&answer(&hosts())[..]).unwrap();
        assert_eq!(told.greeting, GREETING);
        assert_eq!(told.hosts.len(), 2);
        for (told, sent) in told.hosts.iter().zip(hosts()) {
            assert_eq!(told.samples.len(), 10);
            assert_eq!((told.syns, told.rewritten), (sent.syns, sent.rewritten));
        }
        assert_eq!(GREETING.octets().len(), Greeting::SIZE);
    }

    #[test]
    fn nobody_known_is_an_answer_too() {
        assert!(read(&answer(&[])[..]).unwrap().hosts.is_empty());
    }

    #[test]
    fn an_answer_that_is_cut_off_anywhere_is_none() {
        let whole = answer(&hosts());
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn another_version_is_refused() {
        let mut octets = answer(&[]);
        octets[8] ^= 1;
        let refused = read(&octets[..]).unwrap_err();
        assert!(refused.to_string().contains("another version"), "{refused}");
    }

    #[test]
    fn an_answer_without_end_is_not_read_for_ever() {
        let one = frame(&hosts()[0]);
        let greeting = GREETING.octets();
        let frames = one
            .iter()
            .copied()
            .cycle()
            .take(one.len() * (MOST_FRAMES + 1));
        let octets: Vec<u8> = greeting.into_iter().chain(frames).collect();
        assert!(
            read(&octets[..])
                .unwrap_err()
                .to_string()
                .contains("longer")
        );
        let mut large = GREETING.octets();
        large.extend(header(u32::MAX, 0, 0));
        assert!(read(&large[..]).unwrap_err().to_string().contains("longer"));
    }

    #[test]
    fn a_frame_is_of_one_host() {
        let mut octets = GREETING.octets();
        octets.extend(header(2, 2, 0));
        octets.extend(sample(1, 1).to_octets());
        octets.extend(sample(2, 1).to_octets());
        octets.extend(end());
        assert!(
            read(&octets[..])
                .unwrap_err()
                .to_string()
                .contains("two hosts")
        );
    }
}
