//! A table read in batches (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6): bucket by bucket, so that each entry comes once whatever
//! comes and goes meanwhile, and thousands with one call into the kernel.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya::Pod;
use nix::libc;

const LOOKUP_BATCH: libc::c_int = 24;
/// Entries asked for at a time; the largest bucket must fit.
const AT_A_TIME: usize = 4096;
/// Attempts with room for ever larger buckets.
const LARGEST: usize = 1 << 20;

/// `union bpf_attr` as the batch commands of maps read it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    element_flags: u64,
    flags: u64,
}

/// A walk through a hash table.
pub struct Batches<'a, K, V> {
    map: BorrowedFd<'a>,
    keys: Vec<K>,
    values: Vec<V>,
    room: usize,
    position: Option<u32>,
    done: bool,
}

/// Where a walk has come to.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    position: Option<u32>,
    room: usize,
    done: bool,
}

impl Default for Cursor {
    fn default() -> Self {
        Self {
            position: None,
            room: AT_A_TIME,
            done: false,
        }
    }
}

impl<'a, K: Pod, V: Pod> Batches<'a, K, V> {
    /// Where another walk through the same table has come to.
    pub fn from(map: BorrowedFd<'a>, cursor: Cursor) -> Self {
        let Cursor {
            position,
            room,
            done,
        } = cursor;
        Self {
            room,
            position,
            done,
            ..Self::of(map)
        }
    }

    /// Where this one has come to.
    pub const fn cursor(&self) -> Cursor {
        Cursor {
            position: self.position,
            room: self.room,
            done: self.done,
        }
    }

    /// At the beginning of a hash table whose keys and values are of these types.
    pub fn of(map: BorrowedFd<'a>) -> Self {
        Self {
            map,
            keys: Vec::new(),
            values: Vec::new(),
            room: AT_A_TIME,
            position: None,
            done: false,
        }
    }

    /// The next entries, `None` when the table has been walked through.
    pub fn next(&mut self) -> io::Result<Option<impl Iterator<Item = (&K, &V)>>> {
        while !self.done {
            match self.read() {
                Ok(()) => return Ok(Some(self.keys.iter().zip(&self.values))),
                // The bucket that comes next has more entries.
                Err(error) if is(&error, libc::ENOSPC) && self.room < LARGEST => self.room *= 2,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    #[allow(unsafe_code, reason = "bpf(2): aya has no batch operations")]
    fn read(&mut self) -> io::Result<()> {
        self.keys.clear();
        self.values.clear();
        self.keys.reserve(self.room);
        self.values.reserve(self.room);
        let (before, mut after) = (self.position.unwrap_or(0), 0u32);
        let mut attributes = Attributes {
            from: self.position.map_or(0, |_| &raw const before as u64),
            to: &raw mut after as u64,
            keys: self.keys.as_mut_ptr() as u64,
            values: self.values.as_mut_ptr() as u64,
            count: u32::try_from(self.room).unwrap_or(u32::MAX),
            map: self.map.as_raw_fd().cast_unsigned(),
            ..Attributes::default()
        };
        // SAFETY: the attributes are those of the command, and lead to buffers that have room for `count` keys and values.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                LOOKUP_BATCH,
                &raw mut attributes,
                size_of::<Attributes>(),
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            if !is(&error, libc::ENOENT) {
                return Err(error);
            }
            self.done = true;
        }
        self.position = Some(after);
        let count = (attributes.count as usize).min(self.room);
        // SAFETY: the kernel has written `count` keys and values; any octets are a value of a `Pod`.
        unsafe {
            self.keys.set_len(count);
            self.values.set_len(count);
        }
        Ok(())
    }
}

fn is(error: &io::Error, code: i32) -> bool {
    error.raw_os_error() == Some(code)
}
