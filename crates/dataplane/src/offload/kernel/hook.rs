//! How a program hangs on an interface.

use super::error::{OpenError, has_cause, refused};
use aya::Ebpf;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType, tc};
use std::path::Path;

/// By what the program hangs on an interface.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Hook {
    /// A link that can be pinned (tcx), or a filter where the kernel has none yet: before Linux 6.6.
    #[default]
    Best,
    /// A filter of the `clsact` queueing discipline, in any case. It stays on the interface until somebody takes it away.
    Filter,
}

/// One of the object's programs, by its name there.
pub(super) fn classifier<'e>(
    ebpf: &'e mut Ebpf,
    name: &str,
) -> Result<&'e mut SchedClassifier, ProgramError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
    program.try_into()
}

/// Puts a program in the place of the one that hangs on a pinned link: frames pass the old one until this very moment, and
/// the new one from then on. False if no link is pinned there, or its interface is gone.
pub(super) fn adopt(program: &mut SchedClassifier, path: &Path) -> bool {
    let Ok(old) = PinnedLink::from_pin(path) else { return false };
    let Ok(link) = SchedClassifierLink::try_from(FdLink::from(old)) else { return false };
    // What is taken and dropped is a descriptor; the pin stays.
    program.attach_to_link(link).and_then(|id| program.take_link(id)).is_ok()
}

/// Puts a program on an interface, by the name that filters get. Says whether it took the place of one that a daemon left.
pub(super) fn attach(
    program: &mut SchedClassifier,
    program_name: &str,
    hook: Hook,
    direction: TcAttachType,
    interface: &str,
) -> Result<(SchedClassifierLink, bool), OpenError> {
    if hook == Hook::Filter {
        return attach_filter(program, program_name, direction, interface);
    }
    let order = TcAttachOptions::TcxOrder(LinkOrder::default());
    match program.attach_with_options(interface, direction, order) {
        Ok(id) => Ok((program.take_link(id).map_err(refused)?, false)),
        Err(error) if has_cause(&error, libc::EINVAL) => {
            attach_filter(program, program_name, direction, interface)
        }
        Err(error) => Err(refused(error)),
    }
}

fn attach_filter(
    program: &mut SchedClassifier,
    program_name: &str,
    direction: TcAttachType,
    interface: &str,
) -> Result<(SchedClassifierLink, bool), OpenError> {
    // The discipline may be there, others may use it too, and it does nothing by itself: it stays.
    let _ = tc::qdisc_add_clsact(interface);
    // Left by a daemon that has died.
    let was_there = tc::qdisc_detach_program(interface, direction, program_name).is_ok();
    let options = TcAttachOptions::Netlink(NlOptions::default());
    let id = program.attach_with_options(interface, direction, options).map_err(refused)?;
    Ok((program.take_link(id).map_err(refused)?, was_there))
}
