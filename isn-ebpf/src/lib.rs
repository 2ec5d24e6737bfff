//! Empty: this crate is a BPF object. Cargo wants a library to depend on, so that user space is
//! built again when the programs change.
#![no_std]
