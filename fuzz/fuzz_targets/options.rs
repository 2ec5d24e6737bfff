//! Any TCP options through the walks over them.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isn_fuzz::options::run(input));
