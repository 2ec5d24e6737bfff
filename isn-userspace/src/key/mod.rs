//! The key of keyed mode on this side of the kernel (S3): drawn, kept in a file, compared, and shown to nobody.
//!
//! What tells keys apart is their [`Fingerprint`]. The key itself leaves this module as a value of the settings map alone;
//! [`Secret`] cannot be printed, its memory is cleared, and a process that has seen it leaves no core dump.

mod boot;
mod file;
mod line;
mod memory;
mod secret;
#[cfg(test)]
mod tests;

pub use boot::Boot;
pub use file::{KeyFile, Settled};
pub use line::Stored;
pub use memory::keep_out_of_dumps;
pub use secret::{Fingerprint, Secret};
