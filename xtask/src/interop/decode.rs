//! An independent opinion on every frame that a Noctule node sent: tshark's `batadv` dissector.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::record::Line;
use crate::packages;

/// tshark's number for an expert information of severity "error".
const SEVERITY_ERROR: u32 = 0x0080_0000;
/// How many bad frames are shown.
const SHOWN: usize = 5;

/// Decodes a capture; lines for the scenario's record. A capture without frames of Noctule nodes
/// fails: there is nothing that could have been proved.
pub(super) fn decode(capture: &Path) -> Vec<Line> {
    let Some(tshark) = packages::find("tshark") else {
        return vec![Line::Step(
            "frames are not decoded: tshark is missing; `apt-get install tshark`".to_owned(),
        )];
    };
    match sent_frames(&tshark, capture) {
        Ok(frames) => verdict(&frames),
        Err(error) => vec![Line::Check {
            what: "tshark reads the capture".to_owned(),
            passed: false,
            seen: format!("{error:#}"),
        }],
    }
}

/// tshark 4 cannot show the flags of any OGM2, the kernel's included: its table of them is empty.
const TSHARK_BUG: &str = "Illegal call of proto_item_add_bitmask_tree without fields";

/// What tshark says about a frame.
#[derive(Debug, PartialEq)]
struct Frame {
    number: u64,
    kind: String,
    complaint: Option<String>,
}

fn sent_frames(tshark: &Path, capture: &Path) -> Result<Vec<Frame>> {
    let output = Command::new(tshark)
        .arg("-r")
        .arg(capture)
        .args([
            "-n",
            "-Y",
            "frame.packet_flags_direction == 2",
            "-T",
            "fields",
            "-E",
            "occurrence=a",
        ])
        // What hosts say to each other is not ours to judge: streams are not put together, as lost and repeated parts of one
        // make errors of their own.
        .args(["-o", "tcp.desegment_tcp_streams:FALSE"])
        .args(["-e", "frame.number", "-e", "frame.protocols", "-e", "_ws.malformed"])
        .args(["-e", "_ws.expert.severity", "-e", "_ws.expert.message", "-e", "eth.type"])
        .stdin(Stdio::null())
        .output()
        .context("cannot run tshark")?;
    if !output.status.success() {
        bail!("tshark: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(frame).collect())
}

/// One line of tshark's output.
fn frame(line: &str) -> Option<Frame> {
    let mut fields = line.split('\t');
    let number = fields.next()?.parse().ok()?;
    let protocols = fields.next()?;
    let malformed = fields.next().unwrap_or_default();
    let severities = fields.next().unwrap_or_default();
    let messages = fields.next().unwrap_or_default();
    let ethertype = fields.next().unwrap_or_default();
    let worst = severities.split(',').filter_map(|one| one.parse().ok()).max().unwrap_or(0_u32);
    let layers: Vec<_> = protocols.split(':').collect();
    let kind = layers.iter().find(|layer| layer.starts_with("batadv")).copied();
    let complaint = if malformed.contains(TSHARK_BUG) && kind.is_some() {
        None
    } else if !malformed.is_empty() {
        Some(format!("malformed: {malformed}"))
    } else if worst >= SEVERITY_ERROR {
        Some(messages.to_owned())
    } else if kind.is_none() {
        Some(format!("not recognised: ethertype {ethertype}"))
    } else {
        None
    };
    let kind = kind.unwrap_or("other").to_owned();
    Some(Frame { number, kind, complaint })
}

fn verdict(frames: &[Frame]) -> Vec<Line> {
    let mut kinds = BTreeMap::<_, u32>::new();
    for frame in frames {
        *kinds.entry(frame.kind.as_str()).or_default() += 1;
    }
    let kinds: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let bad: Vec<_> = frames
        .iter()
        .filter_map(|frame| Some(format!("frame {}: {}", frame.number, frame.complaint.as_ref()?)))
        .collect();
    let shown = bad.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    let seen = if frames.is_empty() {
        "nothing was sent".to_owned()
    } else if bad.is_empty() {
        kinds.join(", ")
    } else {
        format!("{} of {} are bad: {shown}", bad.len(), frames.len())
    };
    vec![Line::Check {
        what: format!("tshark decodes all {} frames that noctule sent", frames.len()),
        passed: bad.is_empty() && !frames.is_empty(),
        seen,
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_frames_are_told_from_good_ones() {
        let complaint = |line| frame(line).unwrap().complaint;
        assert_eq!(complaint("1\teth:ethertype:batadv\t\t\t\t0x4305"), None);
        assert_eq!(complaint("1\teth:ethertype:batadv\t\t6291456\ta warning\t0x4305"), None);
        let error = "1\teth:ethertype:batadv\t\t6291456,8388608\tworse\t0x4305";
        assert_eq!(complaint(error).as_deref(), Some("worse"));
        assert!(complaint("1\teth:ethertype:batadv\tMalformed Packet\t\t\t0x4305").is_some());
        let bug = "1\teth:ethertype:batadv\t[Dissector bug, protocol BATADV: Illegal call of proto_item_add_bitmask_tree without fields],_ws.malformed\t8388608\t\t0x4305";
        assert_eq!(complaint(bug), None, "not the frame's fault");
        assert!(complaint("1\teth:ethertype:data\t\t\t\t0x1234").is_some());
    }

    #[test]
    fn a_capture_without_frames_proves_nothing() {
        assert!(matches!(verdict(&[])[..], [Line::Check { passed: false, .. }]));
    }
}
