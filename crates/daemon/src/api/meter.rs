//! Tests of the throughput meter (TP-38 to TP-43). The keys that batctl has in its JSON are those.

use super::Address;
use serde::{Deserialize, Serialize};

/// Longest test, milliseconds: an hour.
pub const METER_DURATION_MS_MAX: u32 = 3_600_000;
/// How long a test takes if nothing is said, milliseconds.
pub const METER_DURATION_MS_DEFAULT: u32 = 10_000;

/// What is to be measured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MeterTest {
    /// An originator.
    pub destination: Address,
    /// How long, 1 to [`METER_DURATION_MS_MAX`] milliseconds.
    #[serde(default = "duration")]
    pub duration_ms: u32,
}

const fn duration() -> u32 {
    METER_DURATION_MS_DEFAULT
}

/// How a test ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeterEnd {
    /// The time was over.
    Complete,
    /// Somebody had enough.
    Cancelled,
    /// No such originator, or it fell silent for a minute.
    Unreachable,
    /// Nothing was acknowledged.
    NoAnswer,
    /// There is a test with that node, in either direction.
    AlreadyRunning,
    /// This node takes part in five tests.
    TooMany,
}

/// What came of a test.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct MeterReport {
    /// How it ended.
    pub result: MeterEnd,
    /// The destination.
    pub orig_address: Address,
    /// How long it took, milliseconds.
    pub tpmeter_test_time: u64,
    /// What has arrived, bytes; headers are not counted.
    pub tpmeter_bytes: u64,
    /// Names the test in its packets: uid and session.
    pub tpmeter_cookie: u32,
    /// Another node that answered, where the destination did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Address>,
}
