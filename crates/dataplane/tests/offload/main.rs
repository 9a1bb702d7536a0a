//! The BPF program for packets in transit: against the pipeline, on the same frames and tables; and its object against its
//! source.
#![expect(unsafe_code, reason = "a fork hook in `netns`, and one system call")]

#[path = "../netns/mod.rs"]
#[expect(dead_code, reason = "other test binaries use the rest")]
mod netns;

mod differential;
mod frames;
mod host;
mod links;
mod object;
mod speed;
mod test_run;
