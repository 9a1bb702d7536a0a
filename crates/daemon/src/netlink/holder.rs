//! Whether somebody else in this network namespace carries a mesh on an interface already: two nodes there would use one
//! originator address.
//!
//! The kernel lists all packet sockets with the ethertype and the interface they are bound to; no second node can hide,
//! and nobody without the right to open such sockets can pretend to be one.

use super::{Links, MESH_ALIAS};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// The ethertype of the mesh, as the list has it.
const MESH_PROTOCOL: u16 = 0x4305;

/// How often, and after which pause, a turn is asked for. A node needs one for as long as it takes to open its sockets.
const TURN_TRIES: u32 = 50;
const TURN_PAUSE: Duration = Duration::from_millis(10);

/// The turn to look for holders and to become one, which one node in a network namespace has at a time: of two that start
/// together the second sees the first. It is a lock on the namespace itself, and ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _lock: Option<Flock<File>>,
}

impl Turn {
    /// Waits for the turn. Anybody can hold that lock, so it is not waited for without end: half a second later this node
    /// goes on without.
    pub(crate) fn take() -> Self {
        for _ in 0..TURN_TRIES {
            let Ok(namespace) = File::open("/proc/thread-self/ns/net") else { break };
            if let Ok(lock) = Flock::lock(namespace, FlockArg::LockExclusiveNonblock) {
                return Self { _lock: Some(lock) };
            }
            std::thread::sleep(TURN_PAUSE);
        }
        Self { _lock: None }
    }
}

/// The mesh interfaces of other nodes like this one, for a sentence; `own` is this node's, if it has one already.
pub(crate) fn other_meshes(links: &Links, own: Option<u32>) -> String {
    let others = links
        .iter()
        .filter(|link| link.alias.as_deref() == Some(MESH_ALIAS) && Some(link.index) != own);
    let names: Vec<&str> = others.map(|link| link.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(" or ")) }
}

/// Whether another process has mesh sockets on the interface. Where the list cannot be read nothing is said.
pub(crate) fn is_held_by_another(ifindex: u32) -> bool {
    let Ok(list) = fs::read_to_string("/proc/thread-self/net/packet") else { return false };
    holders(&list, ifindex).any(|inode| !is_own(inode))
}

/// Inodes of the mesh sockets on an interface.
fn holders(list: &str, ifindex: u32) -> impl Iterator<Item = u64> {
    list.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace().skip(3);
        let protocol = u16::from_str_radix(fields.next()?, 16).ok()?;
        let interface: u32 = fields.next()?.parse().ok()?;
        let inode = fields.nth(3)?.parse().ok()?;
        (protocol == MESH_PROTOCOL && interface == ifindex).then_some(inode)
    })
}

/// Whether this process has the socket open.
fn is_own(inode: u64) -> bool {
    let Ok(files) = fs::read_dir("/proc/self/fd") else { return false };
    files.flatten().any(|file| fs::metadata(file.path()).is_ok_and(|found| found.ino() == inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_node_at_a_time_has_the_turn() {
        let namespace = || File::open("/proc/thread-self/ns/net").unwrap();
        let free = || Flock::lock(namespace(), FlockArg::LockExclusiveNonblock).is_ok();
        let turn = Turn::take();
        assert!(turn._lock.is_some() && !free());
        drop(turn);
        assert!(free());
    }

    #[test]
    fn mesh_sockets_of_the_interface_are_found() {
        let list = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n\
                    0000000000000000 3      3    4305   2     1 0      0      41\n\
                    0000000000000000 3      3    0003   2     1 0      0      42\n\
                    0000000000000000 3      3    4305   3     1 0      0      43\n\
                    rubbish\n\
                    0000000000000000 3      2    4305   2     1 0      1000   44\n";
        assert_eq!(holders(list, 2).collect::<Vec<_>>(), [41, 44]);
        assert_eq!(holders(list, 3).collect::<Vec<_>>(), [43]);
        assert_eq!(holders("", 3).count(), 0);
    }
}
