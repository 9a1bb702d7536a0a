//! Tests of the throughput meter, and which tool each of them is for (TP-38 to TP-43).

use super::Node;
use crate::api::{Address, MeterEnd, MeterReport, MeterTest, Reply, ReplyLine};
use crossbeam_channel::Sender;
use noctule_control::{Input, MeterOutcome, MeterRequest, MeterResult};
use std::collections::BTreeMap;
use std::time::Duration;

/// The tools that wait for a result: each for one, and tools are bounded by the control socket.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    waiting: BTreeMap<u8, (Address, Sender<ReplyLine>)>,
}

impl Node {
    pub(super) fn start_meter(&mut self, tool: u8, test: MeterTest, answer: Sender<ReplyLine>) {
        self.meters.waiting.insert(tool, (test.destination, answer));
        let request = MeterRequest {
            tool,
            destination: test.destination.0,
            duration: Duration::from_millis(test.duration_ms.into()),
        };
        self.feed(self.clock.now(), Input::MeterStart(request));
    }

    /// Ends the test to a node; says whether a tool waited for one.
    pub(super) fn cancel_meter(&mut self, destination: Address) -> bool {
        let there_was = self.meters.waiting.values().any(|(to, _)| *to == destination);
        self.feed(self.clock.now(), Input::MeterCancel { destination: destination.0 });
        there_was
    }
}

impl Meters {
    /// A test has ended: the tool that asked for it is told.
    pub(super) fn ended(&mut self, result: MeterResult) {
        let Some((_, tool)) = self.waiting.remove(&result.tool) else { return };
        // It may have gone.
        let _ = tool.try_send(ReplyLine::new(Reply::Throughputmeter(report(&result))));
    }
}

fn report(result: &MeterResult) -> MeterReport {
    let (end, answered_by) = match result.outcome {
        MeterOutcome::Complete => (MeterEnd::Complete, None),
        MeterOutcome::Cancelled => (MeterEnd::Cancelled, None),
        MeterOutcome::Unreachable => (MeterEnd::Unreachable, None),
        MeterOutcome::NoAnswer { answered_by } => (MeterEnd::NoAnswer, answered_by),
        MeterOutcome::AlreadyRunning => (MeterEnd::AlreadyRunning, None),
        MeterOutcome::TooMany => (MeterEnd::TooMany, None),
    };
    MeterReport {
        result: end,
        orig_address: result.destination.into(),
        tpmeter_test_time: u64::try_from(result.elapsed.as_millis()).unwrap_or(u64::MAX),
        tpmeter_bytes: result.bytes,
        tpmeter_cookie: result.cookie,
        answered_by: answered_by.map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam_channel::bounded;
    use noctule_wire::Mac;

    #[test]
    fn tp_39_each_tool_gets_the_result_of_its_own_test_once() {
        let mut meters = Meters::default();
        let (sender, tool) = bounded(1);
        let destination = Mac([2; 6]);
        meters.waiting.insert(7, (destination.into(), sender));
        let result = MeterResult {
            tool: 8,
            cookie: 0x0056_1234,
            destination,
            outcome: MeterOutcome::Complete,
            elapsed: Duration::from_millis(10_020),
            bytes: 118_080_000,
        };
        meters.ended(result);
        assert!(tool.is_empty(), "the result of another tool's test");
        let strange = Some(Mac([9; 6]));
        let outcome = MeterOutcome::NoAnswer { answered_by: strange };
        meters.ended(MeterResult { tool: 7, outcome, ..result });
        let Reply::Throughputmeter(report) = tool.try_recv().unwrap().reply else {
            panic!("a result")
        };
        assert_eq!(
            (report.result, report.answered_by),
            (MeterEnd::NoAnswer, strange.map(Into::into))
        );
        assert_eq!((report.tpmeter_test_time, report.tpmeter_bytes), (10_020, 118_080_000));
        meters.ended(MeterResult { tool: 7, ..result });
        assert!(tool.is_empty(), "once");
    }
}
