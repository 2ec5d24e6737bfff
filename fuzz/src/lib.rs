//! What libFuzzer does with its octets, and what must hold then: a panic is a find. The laboratory's tests run the same over the
//! corpora in `fuzz/corpus`, so that every test run does.

pub mod frame;
pub mod options;
pub mod quote;
mod sum;
mod world;
