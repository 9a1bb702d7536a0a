//! A change of one client costs work for that client, however large the tables are.

use super::*;
use noctule_fib::{GlobalClient, LocalClient};

const MANY: usize = 10_000;

/// How many client CRCs a call computes.
fn crcs<R>(call: impl FnOnce() -> R) -> (R, u64) {
    let before = CRCS.with(Cell::get);
    let result = call();
    (result, CRCS.with(Cell::get) - before)
}

/// A node whose tables are too large for the harness to check them after each call.
struct Large(Node);

impl Large {
    fn run<R>(
        &mut self,
        call: impl FnOnce(&mut TranslationTable, &mut Context<'_>, &dyn Routing) -> R,
    ) -> R {
        let Node { table, routing, settings, fib, counters, outputs, rng, now, mac, .. } =
            &mut self.0;
        let primary = Some(*mac);
        let mut ctx = Context { now: *now, settings, primary, fib, counters, outputs, rng };
        call(table, &mut ctx, routing)
    }

    /// 10,000 clients of ours, committed; and 10,000 of B and C, half each.
    fn new() -> Self {
        let mut node = Self(Node::up(A));
        node.0.table.packet_limit = usize::MAX;
        for number in 0..MANY {
            node.run(|table, ctx, routing| {
                assert!(table.learn_local(ctx, routing, client(number), false, false));
            });
        }
        node.commit();
        for (originator, numbers) in [(B, MANY..MANY * 3 / 2), (C, MANY * 3 / 2..MANY * 2)] {
            let table: Vec<_> = numbers.map(|number| (client(number), NONE)).collect();
            node.hear(originator, &ogm(1, &table, &rows(&table)));
        }
        assert_eq!((node.0.table.local_len(), node.0.table.global_len()), (MANY + 1, MANY));
        node
    }

    fn commit(&mut self) {
        self.run(|table, ctx, _| drop(table.ogm_value(ctx, ROOM)));
    }

    fn hear(&mut self, originator: Mac, value: &[u8]) {
        self.run(|table, ctx, routing| table.on_ogm(ctx, routing, originator, true, value));
    }

    /// Where the data plane finds each client: an entry that is written anew lies elsewhere.
    fn published(
        guard: &noctule_fib::Guard<'_>,
    ) -> (Vec<*const LocalClient>, Vec<*const GlobalClient>) {
        let local =
            (0..MANY).map(|number| core::ptr::from_ref(guard.local(client(number)).unwrap()));
        let global = (MANY..2 * MANY)
            .map(|number| core::ptr::from_ref(guard.global(client(number)).unwrap()));
        (local.collect(), global.collect())
    }
}

/// TT-55: what a commit recomputes are the clients that changed.
#[test]
fn tt_55_a_commit_costs_its_own_changes() {
    let mut node = Large::new();
    let fib = node.0.fib.reader();
    let held = fib.pin();
    let before = Large::published(&held);
    let (_, joined) = crcs(|| {
        node.run(|table, ctx, routing| table.learn_local(ctx, routing, Z, false, false));
        node.commit();
    });
    let (_, changed) = crcs(|| {
        node.run(|table, ctx, routing| table.learn_local(ctx, routing, Z, true, false));
        node.commit();
    });
    let (_, left) = crcs(|| {
        node.run(|table, _, _| table.local.remove(Z, false));
        node.commit();
    });
    assert_eq!((joined, changed, left), (1, 2, 1), "client CRCs");
    let (_, idle) = crcs(|| node.commit());
    assert_eq!(idle, 0);
    assert!(Large::published(&fib.pin()) == before, "nobody else is published again");
    assert_eq!(node.0.table.ttvn(), Ttvn(5));
    node.0.check_local();
}

/// TT-79: a diff costs its own length, and so does an answer that changes little a comparison of pointers for the rest.
#[test]
fn tt_79_a_diff_costs_its_own_length() {
    let mut node = Large::new();
    let fib = node.0.fib.reader();
    let held = fib.pin();
    let before = Large::published(&held);
    let mut table: Vec<_> = (MANY..MANY * 3 / 2).map(|number| (client(number), NONE)).collect();
    table.push((Z, NONE));
    // The harness computes the CRCs of the value itself.
    let (joins, leaves) = (ogm(2, &table, &[change(NONE, Z)]), {
        table.pop();
        ogm(3, &table, &[change(DEL, Z)])
    });
    // Debug builds recompute all of the originator's table to compare (TT-58).
    let check = if cfg!(debug_assertions) { MANY as u64 / 2 } else { 0 };
    let (_, joined) = crcs(|| node.hear(B, &joins));
    let (_, left) = crcs(|| node.hear(B, &leaves));
    assert_eq!((joined - check - u64::from(check > 0), left - check), (1, 1), "client CRCs");
    let (_, repeated) = crcs(|| (0..10).for_each(|_| node.hear(B, &leaves)));
    assert_eq!(repeated, 0, "an OGM that says nothing new costs nothing");
    assert!(Large::published(&fib.pin()) == before, "nobody else is published again");
    assert_eq!(node.0.sent(), [] as [Vec<u8>; 0]);
}

/// TT-72: time alone costs only those whose time is over.
#[test]
fn tt_72_housekeeping_publishes_only_what_expires() {
    let mut node = Large::new();
    let fib = node.0.fib.reader();
    let held = fib.pin();
    let before = Large::published(&held);
    node.run(|table, ctx, routing| table.learn_remote(ctx, routing, X, B));
    node.0.now += secs(601);
    for number in 0..MANY {
        held.local(client(number)).unwrap().seen(node.0.now);
    }
    let (_, expired) = crcs(|| {
        node.run(|table, ctx, routing| table.on_deadline(ctx, routing));
    });
    assert_eq!((node.0.global_flags(X), expired), (None, 0));
    assert!(Large::published(&fib.pin()) == before);
    node.0.check_local();
}
