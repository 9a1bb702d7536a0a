//! One connection of a tool: a line in, a line out, until either side has had enough.

use super::events::{Subscription, subscription};
use super::{Asked, Question, Service, Slot, Table};
use crate::api::{
    METER_DURATION_MS_MAX, MeterTest, PROBE_TIMEOUT_MS_MAX, Pairs, Probe, REQUEST_LEN_MAX, Reply,
    ReplyLine, Request, RequestLine, Statistics,
};
use crate::entropy;
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use noctule_fib::Counter;
use noctule_wire::Discard;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long the engine thread may take for a table. It takes milliseconds.
const TABLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a tool that waits for the end of a test is looked at.
const TOOL_LOOKED_AT: Duration = Duration::from_millis(100);
/// Longer than any answer of the kernel takes; a probe's own time-out is what the tool asked for.
const BUFFER_LEN: usize = 8 * 1024;

pub(super) struct Connection {
    stream: UnixStream,
    service: Service,
    /// Names this connection in echo requests: no other that is open has the same (ICMP-17).
    uid: u8,
    _slot: Slot,
}

impl Connection {
    pub(super) fn new(stream: UnixStream, service: Service, slot: Slot) -> Self {
        let chance = entropy::bytes::<1>().map_or(0, |[byte]| byte);
        // The lower bits tell connections of this daemon apart, the others a tool from its predecessor in the same place.
        let uid = (chance << 3) | slot.number;
        Self { stream, service, uid, _slot: slot }
    }

    pub(super) fn run(self) {
        let Ok(reading) = self.stream.try_clone() else { return };
        let mut lines = BufReader::with_capacity(REQUEST_LEN_MAX, reading);
        let mut line = Vec::new();
        loop {
            line.clear();
            // One byte more than allowed tells a line that is too long from one that just fits.
            let limit = REQUEST_LEN_MAX as u64 + 1;
            match lines.by_ref().take(limit).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if line.len() > REQUEST_LEN_MAX {
                let sentence = format!("a request has at most {REQUEST_LEN_MAX} bytes");
                let _ = self.write(&ReplyLine::new(Reply::Error(sentence)));
                return;
            }
            let whole = line.ends_with(b"\n");
            if line.trim_ascii().is_empty() {
                if whole { continue } else { return }
            }
            let reply = match RequestLine::parse(&line) {
                Ok(RequestLine { request: Request::Events, .. }) => match self.subscribe() {
                    Ok((reply, subscription)) => {
                        // What it says from here on is not read.
                        if self.write(&reply).is_ok() {
                            subscription.run(&self.stream, |line| self.write(line));
                        }
                        return;
                    }
                    Err(reply) => *reply,
                },
                Ok(RequestLine { request, .. }) => self.answer(request),
                Err(sentence) => ReplyLine::new(Reply::Error(sentence)),
            };
            if self.write(&reply).is_err() || !whole {
                return;
            }
        }
    }

    fn write(&self, reply: &ReplyLine) -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(BUFFER_LEN, &self.stream);
        serde_json::to_writer(&mut out, reply)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    fn answer(&self, request: Request) -> ReplyLine {
        let table = match request {
            Request::Statistics => return ReplyLine::new(Reply::Statistics(self.statistics())),
            Request::Probe(probe) => return self.probe(probe),
            Request::Throughputmeter(test) => return self.meter(test),
            Request::ThroughputmeterCancel { destination } => {
                return self.answer_of(Question::MeterCancel { destination });
            }
            Request::Settings(wanted) => return self.answer_of(Question::Settings(wanted)),
            Request::AddInterface { interface, wait } => {
                return self.answer_of(Question::AddInterface { name: interface, wait });
            }
            Request::RemoveInterface { interface } => {
                return self.answer_of(Question::RemoveInterface { name: interface });
            }
            Request::Status => Table::Status,
            Request::Originators { interface } => Table::Originators { interface },
            Request::Neighbors => Table::Neighbors,
            Request::Translocal => Table::Translocal,
            Request::Transglobal => Table::Transglobal,
            Request::McastFlags => Table::McastFlags,
            Request::DatCache => Table::DatCache,
            Request::Claimtable => Table::Claimtable,
            Request::Backbonetable => Table::Backbonetable,
            Request::NdCache => Table::NdCache,
            Request::Gateways => Table::Gateways,
            Request::Interfaces => Table::Interfaces,
            Request::Vlans => Table::Vlans,
            Request::Why(wanted) => Table::Why(wanted),
            // It is more than a question.
            Request::Events => return error("events are told to one connection alone"),
        };
        self.answer_of(Question::Table(table))
    }

    /// What the engine thread answers at once.
    fn answer_of(&self, question: Question) -> ReplyLine {
        match self.ask(question) {
            Ok(answer) => answer
                .recv_timeout(TABLE_TIMEOUT)
                .unwrap_or_else(|_| error("the daemon does not answer")),
            Err(sentence) => error(sentence),
        }
    }

    /// The answer that opens the stream, and where the stream comes from.
    fn subscribe(&self) -> Result<(ReplyLine, Subscription), Box<ReplyLine>> {
        let (subscriber, subscription) = subscription()
            .map_err(|cause| Box::new(error(&format!("cannot make an eventfd: {cause}"))))?;
        let answer =
            self.ask(Question::Events(subscriber)).map_err(|sentence| Box::new(error(sentence)))?;
        match answer.recv_timeout(TABLE_TIMEOUT) {
            Ok(line) => match line.reply {
                Reply::Events(told) => Ok((line, subscription.from(told.next_seq))),
                _ => Err(Box::new(line)),
            },
            Err(_) => Err(Box::new(error("the daemon does not answer"))),
        }
    }

    fn probe(&self, probe: Probe) -> ReplyLine {
        if probe.ttl == 0 {
            return error("ttl must be 1 to 255");
        }
        if !(1..=PROBE_TIMEOUT_MS_MAX).contains(&probe.timeout_ms) {
            return error(&format!("timeout_ms must be 1 to {PROBE_TIMEOUT_MS_MAX}"));
        }
        if !probe.destination.0.is_station() {
            return error("destination must be the address of one station");
        }
        match self.ask(Question::Probe { uid: self.uid, probe }) {
            Ok(answer) => answer
                .recv_timeout(Duration::from_millis(probe.timeout_ms.into()))
                .unwrap_or_else(|_| ReplyLine::new(Reply::Probe(None))),
            Err(sentence) => error(sentence),
        }
    }

    /// Waits for the end of a test, and ends it when the tool goes.
    fn meter(&self, test: MeterTest) -> ReplyLine {
        if !(1..=METER_DURATION_MS_MAX).contains(&test.duration_ms) {
            return error(&format!("duration_ms must be 1 to {METER_DURATION_MS_MAX}"));
        }
        let destination = test.destination;
        if !destination.0.is_station() {
            return error("destination must be the address of one station");
        }
        let answer = match self.ask(Question::Meter { tool: self.uid, test }) {
            Ok(answer) => answer,
            Err(sentence) => return error(sentence),
        };
        let mut cancelled = false;
        loop {
            match answer.recv_timeout(TOOL_LOOKED_AT) {
                Ok(reply) => return reply,
                Err(RecvTimeoutError::Disconnected) => return error("the daemon is stopping"),
                Err(RecvTimeoutError::Timeout) if !cancelled && self.tool_left() => {
                    // Where the engine has no time for it, it is asked again.
                    cancelled = self.ask(Question::MeterCancel { destination }).is_ok();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Whether nobody is there any more. A tool that only has nothing further to say is still there.
    fn tool_left(&self) -> bool {
        let mut fds = [PollFd::new(self.stream.as_fd(), PollFlags::empty())];
        let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
        poll(&mut fds, PollTimeout::ZERO).is_ok()
            && fds[0].revents().is_some_and(|events| events.intersects(gone))
    }

    fn ask(&self, question: Question) -> Result<Receiver<ReplyLine>, &'static str> {
        let (answer, answered) = bounded(1);
        self.service.ask(Asked { question, answer })?;
        Ok(answered)
    }

    fn statistics(&self) -> Statistics {
        self.service.account.update();
        let counters = &self.service.counters;
        let counted = |counter: &Counter| {
            let sum = counters.iter().map(|thread| thread.get(*counter)).sum();
            (counter.name().to_owned(), sum)
        };
        let dropped = |reason: &Discard| {
            let sum = counters.iter().map(|thread| thread.discarded(*reason)).sum();
            (reason.name().to_owned(), sum)
        };
        Statistics {
            counters: Pairs(Counter::ALL.iter().map(counted).collect()),
            drops: Pairs(Discard::ALL.iter().map(dropped).collect()),
        }
    }
}

fn error(sentence: &str) -> ReplyLine {
    ReplyLine::new(Reply::Error(sentence.to_owned()))
}
