//! `isnguard doctor`: everything that decides whether an instance works, or would: what was read, what it means, what to do.
//!
//! [`gather`] reads facts, and a fact that cannot be read is one that says why; [`judge`] makes findings of them and touches
//! nothing. What `attach` would refuse is judged by the code that refuses it, so both say the same words.

mod check;
mod examination;
mod gather;
mod judge;
#[cfg(test)]
mod tests;

pub use check::{Check, Finding, Fix, Verdict};
pub use examination::{Examination, examine};
pub(crate) use gather::{forward, joins, rp_filter};
pub(crate) use judge::forward::refusal as forward_refusal;

/// A fact, or why it could not be found out.
pub type Known<T> = Result<T, String>;
