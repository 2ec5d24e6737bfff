//! An array map in this process's memory: the very words that the programs in the kernel read and write, without a call for each.

use std::{marker::PhantomData, os::fd::AsFd as _, sync::atomic::AtomicU64};

use aya::maps::{MapData, MapError};
use isn_common::{flow::FlowKey, slots::Set};
use memmap2::{MmapOptions, MmapRaw};

/// A value that consists of atomic 64-bit words alone, so that any octets are one, and others may write it at any time.
///
/// # Safety
///
/// That is so, and the value's size is a multiple of 8 and that of the map's values.
#[allow(unsafe_code, reason = "memory that is shared with the kernel")]
pub unsafe trait Shared {}

// SAFETY: one such word.
#[allow(unsafe_code, reason = "memory that is shared with the kernel")]
unsafe impl Shared for AtomicU64 {}

// SAFETY: slots of tags, keys and records, all made of such words.
#[allow(unsafe_code, reason = "memory that is shared with the kernel")]
unsafe impl<K: FlowKey> Shared for Set<AtomicU64, K> {}

/// The values of a map that allows it (`BPF_F_MMAPABLE`, Linux 5.5).
pub struct Mapped<T> {
    memory: MmapRaw,
    length: usize,
    value: PhantomData<T>,
}

impl<T: Shared> Mapped<T> {
    /// Maps an array map whose values these are.
    pub fn of(map: &MapData) -> Result<Self, MapError> {
        let info = map.info()?;
        let (there, wanted) = (info.value_size() as usize, size_of::<T>());
        if there != wanted {
            return Err(MapError::InvalidValueSize {
                size: there,
                expected: wanted,
            });
        }
        let length = info.max_entries() as usize;
        let memory = MmapOptions::new()
            .len(length.saturating_mul(wanted))
            .map_raw(&map.fd().as_fd())
            .map_err(MapError::IoError)?;
        Ok(Self {
            memory,
            length,
            value: PhantomData,
        })
    }

    /// The values, while others go on changing them.
    #[must_use]
    #[allow(unsafe_code, reason = "memory that is shared with the kernel")]
    pub fn values(&self) -> &[T] {
        // SAFETY: the mapping begins at a page, has this length, and stays as long as `self`; what the values are, `Shared` promises.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast(), self.length) }
    }
}
