//! Pings of the mesh, their answers, and the throughput meter's packets (MGMT-43).

use crate::Names;
use noctule_wire::icmp::Message;
use noctule_wire::icmp::throughput_meter::{MeterType, ThroughputMeter};
use noctule_wire::{COMPAT_VERSION, Icmp};
use std::fmt::Write;

/// The line, and the route record below it.
pub(crate) fn line(icmp: &Icmp<'_>, names: Names<'_>) -> String {
    let mut text = format!("BAT {} > {}: ICMP ", names(icmp.originator), names(icmp.destination));
    let what = match icmp.message {
        Message::EchoReply => "echo reply".to_owned(),
        Message::EchoRequest => "echo request".to_owned(),
        Message::DestinationUnreachable => "host unreachable".to_owned(),
        Message::TtlExceeded => "time exceeded in-transit".to_owned(),
        Message::ParameterProblem => "parameter problem".to_owned(),
        Message::ThroughputMeter => {
            meter(&mut text, icmp);
            return text;
        }
        Message::Unknown(byte) => format!("type {byte}"),
    };
    let _ = write!(
        text,
        "{what}, id {}, seq {}, ttl {:2}, v {COMPAT_VERSION}, length {}",
        icmp.uid,
        icmp.seqno,
        icmp.ttl,
        icmp.wire_len()
    );
    // Longer echoes have no record: they try what a link carries.
    if icmp.wire_len() == Icmp::RECORD_LEN
        && let Some(record) = icmp.route_record()
    {
        text.push_str("\n\tRR:");
        for slot in record {
            let _ = write!(text, " {}", names(slot));
        }
    }
    text
}

fn meter(text: &mut String, icmp: &Icmp<'_>) {
    let (name, byte) = match MeterType::from(icmp.aux) {
        MeterType::Message => ("MSG", 0),
        MeterType::Acknowledgement => ("ACK", 1),
        MeterType::Unknown(byte) => ("N/A", byte),
    };
    let _ = write!(text, "TP type {name} ({byte}), id {}, session {:#06x}, ", icmp.uid, icmp.seqno);
    if let Ok(meter) = ThroughputMeter::parse(icmp) {
        let _ = write!(text, "seq {}, timestamp {}, ", meter.seqno.0, meter.timestamp);
    }
    let _ = write!(text, "ttl {:2}, v {COMPAT_VERSION}, length {}", icmp.ttl, icmp.wire_len());
}
