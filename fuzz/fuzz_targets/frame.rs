//! Any frames, one after the other, through the whole data plane in memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isn_fuzz::frame::run(input));
