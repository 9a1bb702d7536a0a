use super::*;
use noctule_fib::Iface;
use noctule_wire::Mac;

fn hop(last: u8) -> NextHop {
    NextHop { iface: Iface::new(0).unwrap(), mac: Mac([2, 0, 0, 0, 0, last]) }
}

#[test]
fn the_last_eight_changes_are_kept_and_tell_from_where() {
    let mut decisions = Decisions::default();
    for number in 1..=10 {
        let decided = Decided::new(Reason::BetterTq, u32::from(number) - 1);
        decisions.push(
            Instant::from_millis(number.into()),
            Some(hop(number)),
            number.into(),
            decided,
        );
    }
    let rows = decisions.newest_first(Instant::from_millis(10));
    assert_eq!(rows.len(), CHANGES_MAX);
    assert_eq!(
        rows[0],
        ChangeRow {
            ago: Duration::ZERO,
            from: Some(hop(9)),
            to: Some(hop(10)),
            metric_before: 9,
            metric: 10,
            reason: Reason::BetterTq,
        }
    );
    let oldest = rows.last().unwrap();
    assert_eq!((oldest.from, oldest.to), (None, Some(hop(3))), "who it was before is forgotten");
}

/// What a thousand originators cost that have had one change each, with what an allocator adds (16 bytes).
#[test]
fn a_thousand_quiet_routes_cost_less_than_100_kb() {
    let mut decisions = Decisions::default();
    decisions.push(Instant::ZERO, Some(hop(1)), 255, Decided::new(Reason::First, 0));
    let allocated = decisions.changes.capacity() * size_of::<Change>() + 16;
    assert!((size_of::<Decisions>() + allocated) * 1000 <= 100_000, "{allocated}");
    for _ in 0..20 {
        decisions.push(Instant::ZERO, None, 0, Decided::new(Reason::TimedOut, 0));
    }
    assert!(decisions.changes.capacity() <= 2 * CHANGES_MAX, "bounded");
}

#[test]
fn every_reason_has_a_name_and_a_rule_of_its_own_page() {
    let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    for reason in [Reason::First, Reason::TimedOut, Reason::ChosenAnew, Reason::InterfaceDown] {
        assert!(reason.rule(true).starts_with("V-"), "{reason:?}");
        assert!(reason.rule(false).starts_with("IV-"), "{reason:?}");
    }
}
