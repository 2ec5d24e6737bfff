//! Pictures of every kind of host, looked into.

mod contents;
mod gallery;
mod generators;

pub use generators::{kinds, samples};
