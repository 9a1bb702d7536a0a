//! `noctule capture`: frames of the mesh into a pcapng file, for Wireshark or for `noctule tcpdump -r`.

use crate::Status;
use crate::args::Common;
use crate::client::Client;
use crate::failure::{Failure, Outcome};
use crate::interrupt::Interrupt;
use crate::listen::Ears;
use noctule_daemon::api::{Reply, Request};
use noctule_decode::capture_file::Writer;
use noctule_wire::MESH_ETHERTYPE;
use noctule_wire::ethernet::Frame;
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// What can be typed.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// File to write; what is in it is lost
    file: PathBuf,
    /// Listen to this interface; can be given several times [default: the hard interfaces of the running node]
    #[arg(short = 'i', value_name = "INTERFACE")]
    interfaces: Vec<String>,
    /// End after COUNT frames
    #[arg(short = 'c', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Keep all frames, not only those of the mesh
    #[arg(short = 'a')]
    all: bool,
}

/// Writes frames until there were enough, or until Ctrl-C, and says how many.
///
/// # Errors
/// There is no such interface, no right to listen, or the file cannot be written.
pub(crate) fn run(common: &Common, args: &Args, out: &mut dyn Write) -> Status {
    let names =
        if args.interfaces.is_empty() { of_the_node(common)? } else { args.interfaces.clone() };
    let interrupt = Interrupt::watch()?;
    let ears = Ears::open(&names)?;
    let trouble =
        |error| Failure::trouble(format!("cannot write {}: {error}", args.file.display()));
    let file = BufWriter::new(File::create(&args.file).map_err(trouble)?);
    let shown: Vec<&str> = names.iter().map(String::as_str).collect();
    let program = concat!("noctule ", env!("CARGO_PKG_VERSION"));
    let writer = RefCell::new(Writer::new(file, program, &shown).map_err(trouble)?);
    let mut kept: u64 = 0;
    let keep = |place, at, frame: &[u8]| {
        let of_the_mesh = Frame::parse(frame).is_ok_and(|frame| frame.ethertype == MESH_ETHERTYPE);
        if args.all || of_the_mesh {
            // There are fewer interfaces than that.
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            writer.borrow_mut().frame(place, at, frame).map_err(trouble)?;
            kept += 1;
        }
        Ok(args.count.is_none_or(|count| kept < count))
    };
    let heard = ears.hear(&interrupt, keep, || writer.borrow_mut().flush().map_err(trouble));
    // What was heard until then is kept.
    writer.borrow_mut().flush().map_err(trouble)?;
    heard?;
    writeln!(out, "{kept} frames of {} in {}", names.join(", "), args.file.display())?;
    Ok(0)
}

/// Those that exist.
fn of_the_node(common: &Common) -> Outcome<Vec<String>> {
    let mut client = Client::connect(common)?;
    let Reply::Interfaces(rows) = client.ask(Request::Interfaces)?.reply else {
        return Err(client.strange());
    };
    let there = rows.into_iter().filter(|row| row.hard_ifindex.is_some());
    let names: Vec<_> = there.map(|row| row.hard_ifname).collect();
    if names.is_empty() {
        return Err(Failure::trouble("the node has no hard interface: name some with -i"));
    }
    Ok(names)
}
