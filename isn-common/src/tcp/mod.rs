//! TCP's own vocabulary (RFC 9293): sequence numbers, flags, options.

pub mod flags;
pub mod options;
pub mod sack;
pub mod seq;
pub mod timestamps;
