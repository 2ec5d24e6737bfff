//! Pictures of every kind of host, looked into.

mod generators;
mod gallery;

pub use generators::{kinds, samples};
