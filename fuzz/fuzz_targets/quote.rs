//! Any quotes in ICMP and ICMPv6 errors about translated flows.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| isn_fuzz::quote::run(input));
