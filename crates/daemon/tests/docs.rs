//! The operator's pages name everything that the program shows and takes.

use noctule_fib::Counter;
use noctule_wire::Discard;
use std::fs;
use std::path::Path;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first cells of all table rows.
fn first_cells(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[test]
fn every_counter_and_reason_has_its_row() {
    let page = page("operations.md");
    let cells = first_cells(&page);
    let expected: Vec<String> = Counter::ALL
        .iter()
        .map(|counter| counter.name().to_owned())
        .chain(Discard::ALL.iter().map(|reason| format!("drop_{}", reason.name())))
        .collect();
    let rows: Vec<&str> =
        cells.into_iter().filter(|cell| expected.iter().any(|name| name == cell)).collect();
    assert_eq!(rows, expected, "all of them, once, in the order in which they are printed");
}

#[test]
fn every_request_has_its_row() {
    let page = page("control-socket.md");
    let cells = first_cells(&page);
    for request in [
        "status",
        "originators",
        "neighbors",
        "translocal",
        "transglobal",
        "mcast_flags",
        "dat_cache",
        "claimtable",
        "backbonetable",
        "nd_cache",
        "gateways",
        "interfaces",
        "add_interface",
        "remove_interface",
        "vlans",
        "statistics",
        "settings",
        "events",
        "probe",
        "why",
        "throughputmeter",
        "throughputmeter_cancel",
    ] {
        assert!(cells.contains(&request), "{request}");
        let line = format!("{{\"noctule\":1,\"request\":\"{request}\"}}");
        // `probe` needs more, but it is known.
        if let Err(sentence) = noctule_daemon::api::RequestLine::parse(line.as_bytes()) {
            assert!(!sentence.contains("unknown"), "{sentence}");
        }
    }
    let unknown = noctule_daemon::api::RequestLine::parse(br#"{"noctule":1,"request":"?"}"#);
    let named = unknown.unwrap_err().matches('`').count() / 2 - 1;
    assert_eq!(named, 22, "the list of requests above is complete");
}
