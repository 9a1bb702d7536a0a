use super::*;
use noctule_control::CandidateRow;
use noctule_fib::{Iface, NextHop};
use noctule_wire::Mac;

fn row(last: u8, tq: u8, chosen: bool) -> CandidateRow {
    CandidateRow {
        hop: NextHop { iface: Iface::new(0).unwrap(), mac: Mac([2, 0, 0, 0, 0, last]) },
        metric: Metric::Tq(tq),
        chosen,
        last_seen: Duration::from_millis(300),
        heard: Some(Duration::from_millis(200)),
        seen: Seen::Windows { received: 64, echoed: 60 },
    }
}

fn report(candidates: Vec<CandidateRow>) -> RouteReport {
    RouteReport {
        originator: Mac([2, 0, 0, 0, 0, 9]),
        last_seen: Duration::ZERO,
        candidates,
        silent_after: Some(Duration::from_millis(5500)),
        changes: Vec::new(),
    }
}

fn judged(candidates: Vec<CandidateRow>) -> (String, String) {
    let finding = because(&report(candidates), false);
    (finding.rule.unwrap(), finding.says)
}

#[test]
fn every_state_of_a_route_has_its_rule_and_sentence() {
    let silent = CandidateRow { heard: Some(Duration::from_secs(9)), ..row(1, 200, true) };
    let rows = [
        (vec![], "IV-68", "no neighbour delivers"),
        (vec![row(1, 0, false)], "IV-65", "both ways"),
        (vec![silent], "IV-77", "for 9.0 s"),
        (vec![row(1, 200, true), row(2, 0, false)], "IV-74", "only next hop"),
        (vec![row(1, 200, true), row(2, 199, false)], "IV-74", "TQ 200; the next one has TQ 199"),
        (vec![row(1, 200, true), row(2, 200, false)], "IV-73", "as good (TQ 200)"),
        (vec![row(1, 200, true), row(2, 201, false)], "IV-71", "another one has TQ 201"),
    ];
    for (candidates, rule, says) in rows {
        let (is, said) = judged(candidates);
        assert_eq!(is, rule, "{said}");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn what_would_change_names_the_numbers() {
    let two = report(vec![row(1, 231, true), row(2, 200, false)]);
    let says: Vec<String> = would_change(&two, false).into_iter().map(|f| f.says).collect();
    for part in
        ["more than TQ 231", "more than 60 of our last 64", "5 OGMs in a row", "for 5.5 s", "200 s"]
    {
        assert!(says.iter().any(|sentence| sentence.contains(part)), "{part}: {says:?}");
    }
    let alone = report(vec![row(1, 231, true)]);
    assert!(
        would_change(&alone, false).iter().all(|f| !f.says.contains("others")),
        "there are none"
    );
    let none = report(vec![row(1, 0, false)]);
    assert_eq!(would_change(&none, false)[0].rule.as_deref(), Some("IV-61"));
    let fast = CandidateRow { metric: Metric::Throughput(Throughput(543)), ..row(1, 0, true) };
    let says = &would_change(&report(vec![fast]), true)[0].says;
    assert!(says.contains("54.3 Mbit/s"), "{says}");
}

#[test]
fn every_reason_has_a_sentence_of_its_own() {
    let said: std::collections::BTreeSet<_> = Reason::ALL.into_iter().map(reason).collect();
    assert_eq!(said.len(), Reason::ALL.len());
}
