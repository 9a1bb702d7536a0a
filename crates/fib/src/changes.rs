//! What has changed in the tables: for whoever keeps a copy of a part of them elsewhere, like in the kernel.

use noctule_wire::{Client, Mac};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What has changed since it was last asked for. It says where, not what: the tables have what is true now.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// The snapshot of this node.
    pub node: bool,
    /// Originators that came, went, or have another next hop or table version.
    pub originators: HashSet<Mac>,
    /// Clients of ours that have roamed away, or no longer count as such.
    pub departed: HashSet<Client>,
    /// Clients, ours or others', that came or went, or of which something else is known now.
    pub clients: HashSet<Client>,
    /// The version of our own client table.
    pub own_ttvn: bool,
}

impl Changes {
    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Collects changes for one reader, until it is dropped. What is collected is bounded by what the engine changes between
/// two calls of [`Self::take`]: ask after each of its turns.
#[derive(Debug, Default)]
pub struct Watch(Arc<Mutex<Changes>>);

impl Watch {
    /// What has changed since the last call.
    pub fn take(&self) -> Changes {
        core::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The writer's end. Only the writer's thread and the watcher's ever take the lock, and neither holds it for long.
#[derive(Debug, Default)]
pub(crate) struct Log(Weak<Mutex<Changes>>);

impl Log {
    /// From now on changes are collected for `watch`, and for nobody else.
    pub(crate) fn watch(&mut self) -> Watch {
        let watch = Watch::default();
        self.0 = Arc::downgrade(&watch.0);
        watch
    }

    /// Notes a change, if anybody wants to know.
    pub(crate) fn note(&self, change: impl FnOnce(&mut Changes)) {
        if let Some(changes) = self.0.upgrade() {
            change(&mut changes.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{GlobalClient, HashKey, Iface, NextHop, Node, View, Writer};
    use noctule_wire::tvlv::translation_table::ClientFlags;
    use noctule_wire::{Client, Instant, Mac, SeqNo, Ttvn};

    const FAR: Mac = Mac([2, 0, 0, 0, 0, 9]);

    #[test]
    fn only_what_is_another_matter_than_before_is_a_change() {
        let mut fib = Writer::new(HashKey([1, 2]), 0, SeqNo(0));
        fib.add_originator(Mac([2, 0, 0, 0, 0, 1]));
        let watch = fib.watch();
        assert!(watch.take().is_empty(), "what was before is no news");
        let hop = NextHop { iface: Iface::new(0).unwrap(), mac: Mac([2, 0, 0, 0, 0, 1]) };
        let view = View::Arrival(hop.iface);
        let originators = |watch: &super::Watch| watch.take().originators.len();
        fib.add_originator(FAR);
        fib.set_router(FAR, view, Some(hop));
        fib.set_ttvn(FAR, Ttvn(7));
        assert_eq!(originators(&watch), 1, "one originator");
        fib.add_originator(FAR);
        fib.set_router(FAR, view, Some(hop));
        fib.set_ttvn(FAR, Ttvn(7));
        fib.set_metric(FAR, 200);
        assert!(watch.take().is_empty());
        fib.set_ttvn(FAR, Ttvn(8));
        assert_eq!(originators(&watch), 1, "table version");
        fib.set_router(FAR, view, None);
        assert_eq!(originators(&watch), 1, "next hop");
        fib.remove_originator(FAR);
        assert_eq!(originators(&watch), 1, "gone");
        fib.remove_originator(FAR);
        fib.set_ttvn(FAR, Ttvn(9));
        assert!(watch.take().is_empty(), "unknown");
        fib.set_node(Node::default());
        assert!(watch.take().node);

        let client = Client::untagged(Mac([2, 0xc1, 0, 0, 0, 1]));
        let none = ClientFlags::default();
        fib.set_local(client, none, Instant::ZERO);
        let changes = watch.take();
        assert!(changes.departed.is_empty(), "a client that is here");
        assert_eq!(changes.clients, [client].into());
        fib.set_local(client, none, Instant::from_millis(1));
        assert!(watch.take().is_empty(), "it is still here");
        fib.set_own_ttvn(Ttvn(0));
        assert!(watch.take().is_empty(), "the same version");
        fib.set_own_ttvn(Ttvn(1));
        assert!(watch.take().own_ttvn);
        let elsewhere = Client::untagged(Mac([2, 0xc1, 0, 0, 0, 2]));
        let entry = GlobalClient { flags: none, announcers: [FAR].into_iter().collect() };
        for known in [1, 0] {
            fib.set_global(elsewhere, entry.clone());
            assert_eq!(watch.take().clients.len(), known);
        }
        fib.remove_global(elsewhere);
        assert_eq!(watch.take().clients, [elsewhere].into());
        for (step, known) in [(Some(ClientFlags::ROAM), 1), (Some(ClientFlags::ROAM), 0), (None, 1)]
        {
            match step {
                Some(flags) => fib.set_local(client, flags, Instant::ZERO),
                None => fib.remove_local(client),
            }
            assert_eq!(watch.take().departed.len(), known);
        }
        drop(watch);
        fib.set_node(Node::default());
        assert!(fib.watch().take().is_empty(), "nobody wanted to know");
    }
}
