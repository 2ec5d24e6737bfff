//! Descriptors that the event loop waits on until something can be read.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Something with a descriptor of its own.
pub struct Descriptor<T>(pub T);

impl<T: AsFd> AsRawFd for Descriptor<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// What can be waited on.
pub type Readable<T> = AsyncFd<Descriptor<T>>;

/// Registers a descriptor with the event loop. `T` must keep one descriptor for its whole life.
pub fn register<T: AsFd>(inner: T) -> io::Result<Readable<T>> {
    // SAFETY: `AsFd` lends a descriptor that is open as long as `inner`, which the result owns; the
    // sockets, inotify instances and ring buffers that this module is used with never change theirs.
    let registered =
        unsafe { AsyncFd::register_with_interest(Descriptor(inner), Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}
