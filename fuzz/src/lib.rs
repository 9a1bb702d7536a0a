//! What must hold for any bytes at all, as plain functions: `cargo fuzz` looks for bytes that break them, and the test
//! `replay` runs them over the committed corpora and simple mutations of these, on any compiler.
//!
//! A target is a function here, a row of [`TARGETS`], a file in `fuzz_targets`, a `[[bin]]` in `Cargo.toml` and a folder
//! below `corpus`. The seeds are frames of `crates/wire/tests/captures` and examples of `docs/protocol/01-wire.md`.

mod decode;
mod engine;
mod frames;
mod pipeline;
mod segmentation;
mod values;

pub use decode::{fuzz_capture_file, fuzz_describe};
pub use engine::fuzz_engine;
pub use frames::{fuzz_fragment, fuzz_icmp, fuzz_multicast, fuzz_ogm, fuzz_ogm2, fuzz_packet};
pub use pipeline::fuzz_pipeline;
pub use segmentation::fuzz_segmentation;
pub use values::{fuzz_claim, fuzz_payload, fuzz_tvlv};

/// One thing to try any bytes on; it panics if they break it.
pub type Target = fn(&[u8]);

/// All targets, by the name of their corpus.
pub const TARGETS: &[(&str, Target)] = &[
    // The parsers of `noctule-wire`.
    ("packet", fuzz_packet),
    ("ogm", fuzz_ogm),
    ("ogm2", fuzz_ogm2),
    ("tvlv", fuzz_tvlv),
    ("fragment", fuzz_fragment),
    ("icmp", fuzz_icmp),
    ("multicast", fuzz_multicast),
    ("claim", fuzz_claim),
    ("payload", fuzz_payload),
    // What people are shown.
    ("describe", fuzz_describe),
    ("capture_file", fuzz_capture_file),
    // What a network card would do.
    ("segmentation", fuzz_segmentation),
    // Whole machines: the pipeline of `noctule-dataplane`, the engine of `noctule-control`.
    ("pipeline", fuzz_pipeline),
    ("engine", fuzz_engine),
];
