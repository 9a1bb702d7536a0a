//! The Linux side of a node.
//!
//! [`settings`] says what a node can run on, [`run`] runs one. [`api`] and [`Client`] are for tools that talk to a running
//! node. Nothing here decides anything about the mesh: the engine and the pipeline do.

pub mod api;
mod clock;
pub mod settings;
mod wake;
