//! See `noctule_fuzz::fuzz_capture_file`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| noctule_fuzz::fuzz_capture_file(data));
