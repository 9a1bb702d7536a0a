//! Frames as text, and the files that they come from.

use noctule_decode::capture_file::{Reader, Writer};
use noctule_decode::{Filter, describe};
use noctule_wire::Mac;
use std::time::Duration;

/// The most that a byte of a frame becomes in text: an interval of four bytes in an entry of twelve is a line.
const TEXT_FOR_A_BYTE: usize = 64;
/// What every record starts with, about.
const TEXT_AT_ALL: usize = 512;

/// One frame, with its Ethernet header.
///
/// # Panics
/// If it cannot be shown, or as far more text than it is long.
pub fn fuzz_describe(data: &[u8]) {
    let names = |mac: Mac| mac.to_string();
    let records = describe(data, &Filter::default(), &names);
    let text: usize = records.iter().map(String::len).sum();
    assert!(text <= TEXT_AT_ALL + TEXT_FOR_A_BYTE * data.len(), "{text} bytes of text");
    assert!(records.iter().all(|record| !record.is_empty() && !record.ends_with('\n')));
    let own = Filter { own_version_only: true, ..Filter::default() };
    assert!(describe(data, &own, &names).len() <= records.len());
    assert!(describe(data, &Filter { types: 0, ..own }, &names).is_empty());
}

/// A whole file. What is read of it can be written, and is read again.
///
/// # Panics
/// If it is not.
pub fn fuzz_capture_file(data: &[u8]) {
    let Ok(mut reader) = Reader::new(data) else { return };
    let mut frames = Vec::new();
    while let Ok(Some(frame)) = reader.next_frame() {
        frames.push(frame);
    }
    let mut writer = Writer::new(Vec::new(), "fuzz", &["eth0"]).expect("memory takes it");
    let at = |at: Duration| at.min(Duration::from_nanos(u64::MAX));
    for frame in &frames {
        writer.frame(0, at(frame.at), &frame.bytes).expect("memory takes it");
    }
    let written = writer.into_inner();
    let mut reader = Reader::new(&written[..]).expect("it is a capture");
    for frame in &frames {
        let again = reader.next_frame().expect("it is whole").expect("it is all there");
        assert_eq!((again.at, &again.bytes), (at(frame.at), &frame.bytes));
    }
    assert!(reader.next_frame().is_ok_and(|end| end.is_none()));
}
