//! See `noctule_fuzz::fuzz_fragment`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| noctule_fuzz::fuzz_fragment(data));
