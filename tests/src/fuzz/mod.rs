//! Sequences of packets from chance, through the data plane in the kernel and in memory and through the reference model: all
//! must agree on every octet, every counter and every record.
//!
//! An [`episode`] is plain data with a readable [`text`]. [`generate`] writes one from a seed: conversations (`opening`,
//! `exchange`, under the rules of `ruling`) between ends that know what they say, disturbed, then damaged by [`mutate`]. [`arena`] plays it in all worlds (`stage`, `circumstances`),
//! [`shrink`] makes it as short as it can be while it still fails, and [`campaign`] does all that millions of times.

pub mod arena;
pub mod author;
pub mod bpf;
pub mod campaign;
pub mod carriers;
pub mod checksum;
mod circumstances;
pub mod conversation;
pub mod corpus;
pub mod draft;
pub mod episode;
mod exchange;
pub mod generate;
pub mod judge;
pub mod mutate;
mod opening;
mod parse;
pub mod relocation;
mod ruling;
pub mod seeds;
pub mod shrink;
mod stage;
pub mod stencil;
pub mod text;
pub mod world;
