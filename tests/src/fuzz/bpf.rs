//! The two calls of bpf(2) that the fuzzer makes millions of times, without an allocation each: a test run, and a table
//! emptied in one go.

use std::{
    io,
    mem::size_of,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use anyhow::{Context as _, Result};
use aya::Pod;

const PROG_TEST_RUN: libc::c_int = 10;
const MAP_LOOKUP_AND_DELETE_BATCH: libc::c_int = 25;

/// `union bpf_attr` as `BPF_PROG_TEST_RUN` reads it.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    returned: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_size_in: u32,
    context_size_out: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch_size: u32,
    padding: u32,
}

/// `union bpf_attr` as the batch commands of maps read it.
#[repr(C)]
#[derive(Default)]
struct Batch {
    from: u64,
    to: u64,
    keys: u64,
    values: u64,
    count: u32,
    map: u32,
    elem_flags: u64,
    flags: u64,
}

/// What a program returned, and how many octets of the frame it left.
#[derive(Clone, Copy, Debug)]
pub struct Returned {
    /// The action.
    pub action: u32,
    /// Octets in the buffer.
    pub length: usize,
}

/// Runs a program over a frame. `out` must have room for what it makes of it; `None` if this kernel does not lay out such a
/// frame.
pub fn test_run(
    program: BorrowedFd<'_>,
    frame: &[u8],
    out: &mut [u8],
) -> io::Result<Option<Returned>> {
    repeated(program, frame, out, 1)
}

/// The same `times` times, each time over what the time before has left of the frame.
pub fn repeated(
    program: BorrowedFd<'_>,
    frame: &[u8],
    out: &mut [u8],
    times: u32,
) -> io::Result<Option<Returned>> {
    let mut attributes = TestRun {
        program: fd(program),
        size_in: length(frame),
        size_out: length(out),
        data_in: frame.as_ptr() as u64,
        data_out: out.as_mut_ptr() as u64,
        repeat: times,
        ..TestRun::default()
    };
    match bpf(PROG_TEST_RUN, &mut attributes) {
        Ok(()) => Ok(Some(Returned {
            action: attributes.returned,
            length: attributes.size_out as usize,
        })),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(None),
        Err(error) => Err(error),
    }
}

/// Entries that fit into one batch: more than an episode makes.
const MOST: usize = 512;

/// Takes all entries out of a hash table.
pub fn take_all<K: Pod, V: Pod>(map: BorrowedFd<'_>) -> Result<Vec<(K, V)>> {
    let mut taken = Vec::new();
    let mut position = 0u32;
    let mut keys: Vec<K> = Vec::with_capacity(MOST);
    let mut values: Vec<V> = Vec::with_capacity(MOST);
    let mut first = true;
    loop {
        let mut next = 0u32;
        let mut attributes = Batch {
            from: if first { 0 } else { &raw const position as u64 },
            to: &raw mut next as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: u32::try_from(MOST)?,
            map: fd(map),
            ..Batch::default()
        };
        let result = bpf(MAP_LOOKUP_AND_DELETE_BATCH, &mut attributes);
        let done = match result {
            Ok(()) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error).context("cannot take the entries out of a table"),
        };
        let count = attributes.count as usize;
        // SAFETY: the kernel has written `count` keys and values, which is at most their capacity; any octets are a `Pod`.
        unsafe {
            keys.set_len(count);
            values.set_len(count);
        }
        taken.extend(keys.iter().copied().zip(values.iter().copied()));
        if done {
            return Ok(taken);
        }
        (position, first) = (next, false);
    }
}

fn fd(fd: BorrowedFd<'_>) -> u32 {
    u32::try_from(fd.as_raw_fd()).expect("a borrowed descriptor is open")
}

fn length(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).expect("frames are short")
}

fn bpf<A>(command: libc::c_int, attributes: &mut A) -> io::Result<()> {
    let size = size_of::<A>();
    // SAFETY: `attributes` is what this command reads, of this size; the pointers in it lead to buffers that the callers
    // hold, of the sizes given beside them.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
