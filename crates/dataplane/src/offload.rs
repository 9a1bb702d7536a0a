//! Unicast in transit, forwarded inside the kernel by a BPF program on the hard interfaces.
//!
//! [`mirror`] copies what the program must know from the FIB into [`Tables`]; it is pure, like the pipeline. [`kernel`] is
//! the tables and the program as the kernel has them. The program itself is in `offload/bpf`, its object is checked in and
//! a test builds it anew.

pub mod kernel;
pub mod layout;
pub mod mirror;

pub use kernel::{Counted, Hook, OpenError, Transit};
pub use layout::{Arrival, Counts, HostCounts, HostEntry, NodeEntry, Route, RouteCounts, RouteKey};
pub use mirror::{HostTables, Inherited, Mirror, Tables};
