//! A frame's way through the node.
//!
//! [`pipeline`] is pure: it takes a frame and the time, looks things up in the [`noctule_fib`] tables, and puts what comes
//! of it into an [`Outlet`]. The I/O backends ([`packet`] and [`xdp`] behind [`link`], [`tap`]) know nothing of the protocol.
//! [`offload`] lets the kernel do the plain part of it.

#[cfg(target_os = "linux")]
pub mod link;
#[cfg(target_os = "linux")]
pub mod offload;
pub mod outlet;
#[cfg(target_os = "linux")]
pub mod packet;
pub mod pipeline;
#[cfg(target_os = "linux")]
mod rule;
pub mod segmentation;
#[cfg(target_os = "linux")]
pub mod tap;
#[cfg(target_os = "linux")]
pub mod xdp;

pub use outlet::{Hint, Outlet};
pub use pipeline::Pipeline;
