//! The benchmark's own BPF programs.

/// As an object file, to be loaded as often as somebody needs maps of his own.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/isn-bench-ebpf"));
