//! Where the generator's frames end: a program on what comes in by a link counts them exactly and drops them, so that what a receiving
//! node would do with them is not measured.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::mount::{MsFlags, mount};

use super::bpf::{Counter, Kind, Program};
use super::generator;
use crate::lab::{Lab, Namespace};

/// How long a command may take.
const SOON: Duration = Duration::from_secs(30);

/// A link's sink, until it is dropped.
pub(crate) struct Sink {
    counter: Counter,
    /// What keeps the program there; older kernels have a filter instead, which stays with the link.
    _hold: Option<OwnedFd>,
}

impl Sink {
    /// Makes a link a sink, ahead of all that hangs there already.
    pub(crate) fn new(lab: &Lab, namespace: &Namespace, link: &str) -> Result<Self> {
        let counter = Counter::new()?;
        let program = generator::sink(&counter).load(Kind::Classifier)?;
        let index = namespace.link(link)?.index;
        let hold = match namespace.with(|| program.hang_on(index)) {
            Ok(hold) => Some(hold),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                filter(lab, namespace, link, &program)?;
                None
            }
            Err(error) => return Err(error).context("the kernel takes no sink"),
        };
        Ok(Self { counter, _hold: hold })
    }

    /// Frames of the generator that have arrived.
    pub(crate) fn arrived(&self) -> Result<u64> {
        self.counter.read()
    }
}

/// The way before Linux 6.6: a filter. `tc` takes a program that has a name in a file system.
fn filter(lab: &Lab, namespace: &Namespace, link: &str, program: &Program) -> Result<()> {
    let folder = lab.run().join("bpf");
    std::fs::create_dir_all(&folder)?;
    mount(Some("bpf"), &folder, Some("bpf"), MsFlags::empty(), None::<&str>)
        .context("cannot mount a BPF file system")?;
    let name = folder.join("sink");
    program.pin(&name)?;
    let name = name.display().to_string();
    let tc = |words: &[&str]| namespace.run(&[&["tc"], words].concat(), SOON);
    // It may be there.
    tc(&["qdisc", "add", "dev", link, "clsact"])?;
    let place = ["filter", "add", "dev", link, "ingress", "pref", "1", "protocol", "all"];
    tc(&[&place[..], &["bpf", "direct-action", "object-pinned", &name]].concat())?.success()?;
    nix::mount::umount(&folder)?;
    Ok(())
}
