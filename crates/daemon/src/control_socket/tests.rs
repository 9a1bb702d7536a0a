//! The server with a stand-in for the engine thread, and tools that behave badly.

use super::*;
use crate::api::{
    Address, EventRow, MeterEnd, MeterReport, Reply, Request, RequestLine, Statistics,
};
use crossbeam_channel::bounded;
use noctule_fib::Counter;
use noctule_wire::Discard;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;

struct Server {
    path: PathBuf,
    acceptor: Option<Acceptor>,
    engine: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

impl Server {
    /// Answers every table with an empty neighbour table, and no probe at all.
    fn start() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "noctule-control-{}-{}.sock",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&path).unwrap();
        let (questions, asked) = bounded::<Asked>(QUESTIONS_MAX);
        let counters = Arc::new(Counters::default());
        let service = Service {
            questions,
            engine: Wake::new().unwrap(),
            account: Arc::default(),
            counters: vec![Arc::clone(&counters), Arc::new(Counters::default())],
        };
        let acceptor = Acceptor::start(listener, service).unwrap();
        let engine = thread::spawn(move || {
            let mut probes = Vec::new();
            let mut tests: Vec<Sender<ReplyLine>> = Vec::new();
            let mut hub = Hub::default();
            for Asked { question, answer } in asked {
                match question {
                    Question::Table(_) => {
                        drop(answer.send(ReplyLine::new(Reply::Neighbors(Vec::new()))))
                    }
                    Question::AddInterface { name, wait } => drop(
                        answer.send(ReplyLine::new(Reply::Error(format!("add {name:?} {wait}")))),
                    ),
                    Question::RemoveInterface { name } => {
                        drop(answer.send(ReplyLine::new(Reply::Error(format!("remove {name:?}")))))
                    }
                    Question::Settings(wanted) => {
                        drop(answer.send(ReplyLine::new(Reply::Error(format!("{wanted:?}")))))
                    }
                    Question::Events(subscriber) => {
                        drop(answer.send(ReplyLine::new(hub.subscribe(subscriber))));
                        happenings(&mut hub, 3);
                    }
                    Question::Probe { .. } => probes.push(answer),
                    Question::Meter { .. } => tests.push(answer),
                    Question::MeterCancel { destination } => {
                        let reply = Reply::ThroughputmeterCancel(!tests.is_empty());
                        drop(answer.send(ReplyLine::new(reply)));
                        for tool in tests.drain(..) {
                            let report = cancelled(destination);
                            drop(tool.send(ReplyLine::new(Reply::Throughputmeter(report))));
                        }
                    }
                }
            }
        });
        Self { path, acceptor: Some(acceptor), engine: Some(engine), counters }
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(&self.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.acceptor.take());
        std::fs::remove_file(&self.path).unwrap();
        // Ends when the last connection has.
        if !thread::panicking() {
            self.engine.take().unwrap().join().unwrap();
        }
    }
}

fn cancelled(orig_address: Address) -> MeterReport {
    MeterReport {
        result: MeterEnd::Cancelled,
        orig_address,
        tpmeter_test_time: 700,
        tpmeter_bytes: 1476,
        tpmeter_cookie: 1,
        answered_by: None,
    }
}

fn happenings(hub: &mut Hub, count: usize) {
    for _ in 0..count {
        hub.publish(|| EventRow { kind: "gw".into(), action: "del".into(), ..EventRow::default() });
    }
}

fn read_line(stream: &UnixStream) -> Option<ReplyLine> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    (!line.is_empty())
        .then(|| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
}

fn ask(stream: &UnixStream, line: &[u8]) -> Reply {
    let mut stream = stream;
    stream.write_all(line).unwrap();
    let reply = read_line(stream).expect("an answer");
    assert_eq!(reply.noctule, 1);
    reply.reply
}

fn request(request: Request) -> Vec<u8> {
    let mut line = serde_json::to_vec(&RequestLine::new(request)).unwrap();
    line.push(b'\n');
    line
}

#[test]
fn one_connection_serves_request_after_request() {
    let server = Server::start();
    let stream = server.connect();
    assert_eq!(ask(&stream, &request(Request::Neighbors)), Reply::Neighbors(Vec::new()));
    assert!(matches!(ask(&stream, b"nonsense\n"), Reply::Error(_)), "a bad line is answered");
    assert_eq!(
        ask(&stream, b"\n{\"noctule\":1,\"request\":\"neighbors\"}\n"),
        Reply::Neighbors(Vec::new())
    );
}

/// FWD-140, MGMT-36: all counters in their order, all reasons, zeros too, summed over the threads.
#[test]
fn mgmt_36_statistics_are_complete_and_in_order() {
    let server = Server::start();
    server.counters.add(Counter::Forward, 5);
    server.counters.discard(Discard::Truncated);
    let Reply::Statistics(Statistics { counters, drops }) =
        ask(&server.connect(), &request(Request::Statistics))
    else {
        panic!("statistics");
    };
    let names: Vec<&str> = counters.0.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, Counter::ALL.iter().map(|counter| counter.name()).collect::<Vec<_>>());
    assert_eq!(
        &names[..8],
        ["tx", "tx_bytes", "tx_dropped", "rx", "rx_bytes", "forward", "forward_bytes", "mgmt_tx"]
    );
    assert!(counters.0.contains(&("forward".into(), 5)));
    assert_eq!(drops.0.len(), Discard::COUNT);
    assert!(drops.0.contains(&("truncated".into(), 1)) && drops.0.contains(&("version".into(), 0)));
}

#[test]
fn a_line_without_end_is_cut_off() {
    let server = Server::start();
    let stream = server.connect();
    let reply = ask(&stream, &[b'['; crate::api::REQUEST_LEN_MAX + 1]);
    assert_eq!(reply, Reply::Error("a request has at most 4096 bytes".into()));
    assert!(read_line(&stream).is_none(), "and the connection is closed");
    let mut exactly = request(Request::Neighbors);
    exactly.pop();
    exactly.resize(crate::api::REQUEST_LEN_MAX - 1, b' ');
    exactly.push(b'\n');
    assert_eq!(
        ask(&server.connect(), &exactly),
        Reply::Neighbors(Vec::new()),
        "the longest that fits"
    );
}

#[test]
fn a_probe_without_answer_ends_with_its_time_out() {
    let server = Server::start();
    let stream = server.connect();
    let probe = |ttl: u8, timeout_ms: u32, destination: &str| {
        format!(
            "{{\"noctule\":1,\"request\":\"probe\",\"destination\":\"{destination}\",\"seqno\":1,\"ttl\":{ttl},\"timeout_ms\":{timeout_ms}}}\n"
        )
    };
    let station = "02:00:00:00:00:01";
    assert_eq!(ask(&stream, probe(50, 1, station).as_bytes()), Reply::Probe(None));
    for (bad, part) in [
        (probe(0, 1, station), "ttl"),
        (probe(50, 0, station), "timeout_ms"),
        (probe(50, 60_001, station), "timeout_ms"),
        (probe(50, 1, "ff:ff:ff:ff:ff:ff"), "destination"),
    ] {
        let Reply::Error(sentence) = ask(&stream, bad.as_bytes()) else {
            panic!("{bad} is refused")
        };
        assert!(sentence.contains(part), "{sentence}");
    }
}

#[test]
fn one_tool_too_many_is_sent_away_and_a_place_becomes_free_again() {
    let server = Server::start();
    let mut stuck: Vec<UnixStream> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let stream = server.connect();
            // An answer shows that the connection has its place.
            ask(&stream, &request(Request::Neighbors));
            stream
        })
        .collect();
    let refused = read_line(&server.connect()).expect("a sentence").reply;
    assert_eq!(refused, Reply::Error("too many tools are connected: try again later".into()));
    drop(stuck.pop());
    // The place is free as soon as the server has noticed.
    loop {
        let stream = server.connect();
        (&stream).write_all(&request(Request::Neighbors)).ok();
        match read_line(&stream).map(|line| line.reply) {
            Some(Reply::Neighbors(_)) => break,
            _ => thread::yield_now(),
        }
    }
}

/// MGMT-41: whatever is sent, the server answers the next one.
#[test]
fn mgmt_41_garbage_hurts_nobody_else() {
    let server = Server::start();
    let mut state = 0x1234_5678_u32;
    for round in 0..200 {
        let stream = server.connect();
        let len = 1 + round * 31 % 6000;
        let bytes: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Mostly what JSON is made of, so that the parser is reached.
                *b"{}[]\",:0123456789noctulerequestprobe\n\\\x00\xff"
                    .get((state >> 24) as usize % 41)
                    .unwrap_or(&b'x')
            })
            .collect();
        let _ = (&stream).write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        drop(stream);
    }
    loop {
        let stream = server.connect();
        (&stream).write_all(&request(Request::Neighbors)).ok();
        if let Some(Reply::Neighbors(_)) = read_line(&stream).map(|line| line.reply) {
            break;
        }
        thread::yield_now();
    }
}

#[test]
fn a_request_for_a_setting_reaches_the_engine_whole() {
    let server = Server::start();
    let stream = server.connect();
    let line = br#"{"noctule":1,"request":"settings","name":"hp","value":"5","parameter":"6","interface":"e1"}
"#;
    let expected = crate::api::SettingsRequest {
        name: Some("hp".into()),
        value: Some("5".into()),
        parameter: Some("6".into()),
        interface: Some("e1".into()),
        vlan: None,
    };
    assert_eq!(ask(&stream, line), Reply::Error(format!("{expected:?}")));
}

#[test]
fn mgmt_28_a_request_for_another_interface_reaches_the_engine_whole() {
    let server = Server::start();
    let stream = server.connect();
    let rows: [(&[u8], &str); 3] = [
        (br#"{"noctule":1,"request":"add_interface","interface":"e1"}"#, r#"add "e1" false"#),
        (
            br#"{"noctule":1,"request":"add_interface","interface":"e\u0000","wait":true}"#,
            r#"add "e\0" true"#,
        ),
        (br#"{"noctule":1,"request":"remove_interface","interface":""}"#, r#"remove """#),
    ];
    for (line, said) in rows {
        assert_eq!(ask(&stream, &[line, b"\n"].concat()), Reply::Error(said.into()));
    }
    let Reply::Error(said) = ask(&stream, b"{\"noctule\":1,\"request\":\"add_interface\"}\n")
    else {
        panic!("which interface?")
    };
    assert!(said.contains("missing field `interface`"), "{said}");
}

fn events(stream: &UnixStream, count: usize) -> Vec<EventRow> {
    let mut reader = BufReader::new(stream);
    let mut read = || {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        serde_json::from_str::<ReplyLine>(&line).unwrap().reply
    };
    let Reply::Events(_) = read() else { panic!("the answer comes first") };
    let event = |_| match read() {
        Reply::Event(row) => *row,
        other => panic!("{other:?}"),
    };
    (0..count).map(event).collect()
}

/// GW-77: numbered, one line each, to everybody who listens, and also to somebody who has said all there is to say.
#[test]
fn gw_77_events_follow_a_subscription() {
    let server = Server::start();
    let first = server.connect();
    (&first).write_all(&request(Request::Events)).unwrap();
    first.shutdown(std::net::Shutdown::Write).unwrap();
    let told = events(&first, 3);
    assert_eq!(told.iter().map(|row| row.seq).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((&*told[0].kind, &*told[0].action), ("gw", "del"));
    let second = server.connect();
    (&second).write_all(&request(Request::Events)).unwrap();
    let told = events(&second, 3);
    assert_eq!(told.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 4, 5], "numbers go on");
    assert_eq!(ask(&server.connect(), &request(Request::Neighbors)), Reply::Neighbors(vec![]));
}

/// GW-77: the others stay free for questions, and who has left is forgotten.
#[test]
fn gw_77_only_some_can_listen_at_once() {
    let mut hub = Hub::default();
    let mut ends = Vec::new();
    for _ in 0..super::events::LISTENERS_MAX {
        let (subscriber, end) = super::events::subscription().unwrap();
        assert!(matches!(hub.subscribe(subscriber), Reply::Events(_)));
        ends.push(end);
    }
    let (subscriber, _) = super::events::subscription().unwrap();
    assert!(matches!(hub.subscribe(subscriber), Reply::Error(_)));
    ends.pop();
    let (subscriber, _) = super::events::subscription().unwrap();
    assert!(matches!(hub.subscribe(subscriber), Reply::Events(_)));
}

/// GW-77: whoever does not read holds up nobody, and is told how many events found no room.
#[test]
fn gw_77_a_slow_reader_learns_what_it_missed() {
    const ROOM: usize = super::events::QUEUE_LEN;
    let mut hub = Hub::default();
    happenings(&mut hub, 5);
    let (subscriber, mut end) = super::events::subscription().unwrap();
    assert_eq!(hub.subscribe(subscriber), Reply::Events(crate::api::Subscribed { next_seq: 5 }));
    end = end.from(5);
    let told = std::cell::RefCell::new(Vec::new());
    let write = |line: &ReplyLine| {
        let Reply::Event(row) = &line.reply else { panic!("{line:?}") };
        told.borrow_mut().push((row.seq, row.count));
        Ok(())
    };
    happenings(&mut hub, ROOM + 7);
    end.take(write).unwrap();
    let got = told.take();
    assert_eq!(got.len(), ROOM + 1);
    assert_eq!((got[0], got[ROOM - 1]), ((5, None), (4 + ROOM as u64, None)));
    assert_eq!(got[ROOM], (5 + ROOM as u64, Some(7)), "without waiting for the next event");
    happenings(&mut hub, 1);
    end.take(write).unwrap();
    assert_eq!(told.take(), [(12 + ROOM as u64, None)]);
    // A gap with events behind it.
    happenings(&mut hub, ROOM + 2);
    let one = end.one();
    happenings(&mut hub, 1);
    end.take(write).unwrap();
    let got = told.take();
    let last = one + ROOM as u64 + 2;
    assert_eq!(got[got.len() - 2..], [(last - 2, Some(2)), (last, None)]);
}

const METER: &[u8] =
    b"{\"noctule\":1,\"request\":\"throughputmeter\",\"destination\":\"02:00:00:00:00:02\"}\n";

#[test]
fn tp_23_a_test_is_ended_by_another_connection() {
    let server = Server::start();
    let (waiting, other) = (server.connect(), server.connect());
    (&waiting).write_all(METER).unwrap();
    let cancel: &[u8] = b"{\"noctule\":1,\"request\":\"throughputmeter_cancel\",\"destination\":\"02:00:00:00:00:02\"}\n";
    while ask(&other, cancel) != Reply::ThroughputmeterCancel(true) {}
    let Reply::Throughputmeter(report) = read_line(&waiting).unwrap().reply else {
        panic!("a report")
    };
    assert_eq!((report.result, report.tpmeter_bytes), (MeterEnd::Cancelled, 1476));
    for bad in [
        "\"destination\":\"02:00:00:00:00:02\",\"duration_ms\":0",
        "\"destination\":\"02:00:00:00:00:02\",\"duration_ms\":3600001",
        "\"destination\":\"ff:ff:ff:ff:ff:ff\"",
    ] {
        let line = format!("{{\"noctule\":1,\"request\":\"throughputmeter\",{bad}}}\n");
        assert!(matches!(ask(&other, line.as_bytes()), Reply::Error(_)), "{bad}");
    }
}

/// The places of tools that went in the middle of a test are free again.
#[test]
fn tp_23_a_test_ends_when_its_tool_goes() {
    let server = Server::start();
    for _ in 0..CONNECTIONS_MAX {
        (&server.connect()).write_all(METER).unwrap();
    }
    let neighbors = b"{\"noctule\":1,\"request\":\"neighbors\"}\n";
    loop {
        let stream = server.connect();
        // One that finds no place is closed at once.
        let _ = (&stream).write_all(neighbors);
        if matches!(read_line(&stream), Some(ReplyLine { reply: Reply::Neighbors(_), .. })) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
}
