//! Many mesh nodes in one process, in virtual time, from one seed.
//!
//! Each node is the real [`noctule_control::Engine`] and the real [`noctule_dataplane::Pipeline`]; only links, clock and
//! randomness are made up. So a run of an hour takes seconds, is the same each time for the same seed, and what goes wrong
//! in it can be looked at again.
//!
//! ```
//! use noctule_sim::{Mesh, Link, secs};
//!
//! let mut mesh = Mesh::seeded(7);
//! let nodes = mesh.chain(4, Link::wired());
//! mesh.run(secs(10));
//! assert_eq!(mesh.path(nodes[0], nodes[3]), Some(vec![nodes[1], nodes[2], nodes[3]]));
//! ```

mod audience;
mod crowd;
mod host;
mod link;
mod mesh;
mod node;
mod outside;
mod probe;
mod topology;

pub use audience::Heard;
pub use crowd::{Crowd, CrowdSize};
pub use link::Link;
pub use mesh::{Mesh, NodeId, secs};
pub use probe::Fault;
