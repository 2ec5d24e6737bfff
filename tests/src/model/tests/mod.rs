//! Hand-made cases: that the model itself says what the rules say. Numbers in brackets are those of the packet cases.

mod bench;
mod closing;
mod data;
mod errors;
mod frames;
mod garbage;
mod keyed;
mod late;
mod opening;
mod reopening;
mod stamps;
