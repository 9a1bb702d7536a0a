//! The Linux side of a node.
//!
//! [`settings`] says what a node can run on, [`run()`] runs one, and [`api`] is what tools and a running node say to each
//! other. Nothing here decides anything about the mesh: the engine and the pipeline do.

pub mod api;
mod backends;
mod clock;
mod control_socket;
mod entropy;
mod instance;
mod log;
pub mod netlink;
mod node;
mod offload;
mod port;
mod power;
mod rights;
mod run;
pub mod settings;
mod wake;
mod worker;

pub use run::{Failure, run};
