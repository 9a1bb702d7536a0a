//! See `noctule_fuzz::fuzz_segmentation`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| noctule_fuzz::fuzz_segmentation(data));
