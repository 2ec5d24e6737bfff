//! The ring of samples that the data plane fills, and the lock that gives it one reader at a time: two would take each other's
//! samples away.

use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{MapData, RingBuf};
use isn_common::abi::{maps as names, sample::Sample};

use super::{
    lock::{self, Lock},
    maps,
    pins::Pins,
};
use crate::failure::Failure;

/// The ring, held by this process.
pub struct Ring {
    ring: RingBuf<MapData>,
    _only_one: Lock,
}

/// What became of an attempt to take the ring.
pub enum Taken {
    /// It is this process's now.
    Ours(Ring),
    /// This process reads it, as far as can be seen.
    By(Option<u32>),
}

impl Ring {
    /// Takes the ring of an instance, unless another process has it.
    pub fn take(pins: &Pins) -> Result<Taken, Failure> {
        // Of the directories of an instance, the one that nobody else locks.
        let dir = pins.notes();
        let Some(only_one) = lock::try_lock(&dir)? else {
            return Ok(Taken::By(lock::holder(&dir)));
        };
        Ok(Taken::Ours(Self {
            ring: maps::open(pins, names::SAMPLES)?,
            _only_one: only_one,
        }))
    }

    /// Takes out what is there, at most so many; how many there were.
    pub fn drain(&mut self, most: usize, mut each: impl FnMut(&Sample)) -> usize {
        let mut taken = 0;
        while taken < most {
            let Some(octets) = self.ring.next() else {
                break;
            };
            taken += 1;
            if let Some(octets) = octets.first_chunk() {
                each(&Sample::from_octets(octets));
            }
        }
        taken
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
