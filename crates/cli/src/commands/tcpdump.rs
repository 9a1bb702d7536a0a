//! `noctule tcpdump`, `td`: frames of the mesh as text, from interfaces or from a file (MGMT-33, MGMT-42, MGMT-43).

use crate::Status;
use crate::bat_hosts::BatHosts;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::listen::Ears;
use chrono::{DateTime, Local};
use noctule_decode::capture_file::{Epoch, Reader};
use noctule_decode::{Filter, describe};
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Interfaces to listen to
    #[arg(value_name = "INTERFACE", required_unless_present = "file", conflicts_with = "file")]
    interfaces: Vec<String>,
    /// Show what is in a pcapng or pcap file
    #[arg(short = 'r', value_name = "FILE")]
    file: Option<PathBuf>,
    /// Show packets of our own compat version only
    #[arg(short = 'c')]
    own_version: bool,
    /// Print addresses, not names from bat-hosts
    #[arg(short = 'n')]
    numeric: bool,
    /// Show only packets of these types, a sum: 1 OGM, 2 OGM2, 4 ELP, 8 ICMP, 16 unicast, 32 broadcast, 64 unicast TVLV,
    /// 128 fragment, 256 not of the mesh, 512 network coding, 1024 multicast
    #[arg(short = 'p', value_name = "TYPES", value_parser = clap::value_parser!(u16).range(1..=2047))]
    only: Option<u16>,
    /// Show all packets but those of these types
    #[arg(short = 'x', value_name = "TYPES", value_parser = clap::value_parser!(u16).range(1..=2047))]
    without: Option<u16>,
}

/// Prints frames until the file ends, or until Ctrl-C.
///
/// # Errors
/// There is no such interface or file, it cannot be read, or is no capture.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> Status {
    let names = if args.numeric { BatHosts::default() } else { BatHosts::load() };
    let types = args.only.unwrap_or(Filter::ALL) & !args.without.unwrap_or(0);
    let filter = Filter { types, own_version_only: args.own_version };
    if let Some(file) = &args.file {
        return read(file, &filter, &names, out);
    }
    let interrupt = Interrupt::watch()?;
    let ears = Ears::open(&args.interfaces)?;
    let out = std::cell::RefCell::new(out);
    let show = |_, at, frame: &[u8]| {
        print(*out.borrow_mut(), at, frame, &filter, &names)?;
        Ok(true)
    };
    ears.hear(&interrupt, show, || Ok(out.borrow_mut().flush()?))?;
    Ok(0)
}

fn read(file: &Path, filter: &Filter, names: &BatHosts, out: &mut dyn Write) -> Status {
    let trouble = |error| Failure::trouble(format!("{}: {error}", file.display()));
    let mut reader =
        Reader::new(BufReader::new(File::open(file).map_err(trouble)?)).map_err(trouble)?;
    while let Some(frame) = reader.next_frame().map_err(trouble)? {
        print(out, frame.at, &frame.bytes, filter, names)?;
    }
    Ok(0)
}

/// The records of one frame, each with its time.
fn print(
    out: &mut dyn Write,
    at: Epoch,
    frame: &[u8],
    filter: &Filter,
    names: &BatHosts,
) -> Outcome<()> {
    for record in describe(frame, filter, &|mac| names.show(mac)) {
        writeln!(out, "{} {record}", clock(at))?;
    }
    Ok(())
}

/// Local time of day (MGMT-42).
fn clock(at: Epoch) -> String {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    let time = DateTime::from_timestamp(seconds, at.subsec_nanos()).unwrap_or_default();
    time.with_timezone(&Local).format("%H:%M:%S%.6f").to_string()
}
