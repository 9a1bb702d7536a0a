//! See `noctule_fuzz::fuzz_multicast`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| noctule_fuzz::fuzz_multicast(data));
