//! See `noctule_fuzz::fuzz_offload`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| noctule_fuzz::fuzz_offload(data));
