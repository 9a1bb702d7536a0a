//! By which backend data comes from the hard interfaces and leaves by them: what is asked for, and what people are told.

use crate::settings::BackendChoice;
use noctule_dataplane::link::Backend;
use noctule_dataplane::xdp::{Mode, Unsuitable, XdpSettings};
use tracing::{info, warn};

/// The choice of a node.
#[derive(Debug)]
pub(crate) struct Backends {
    choice: BackendChoice,
    /// Why AF_XDP is not even tried, if so.
    given_up: Option<&'static str>,
}

impl Backends {
    /// With `offloaded`, a program forwards what is in transit, and AF_XDP would take the frames from it.
    pub(crate) fn new(choice: BackendChoice, offloaded: bool) -> Self {
        let given_up = offloaded.then_some(
            "the kernel forwards by itself, and AF_XDP would take the frames before it could",
        );
        Self { choice, given_up: given_up.filter(|_| choice != BackendChoice::Packet) }
    }

    /// What is asked of an interface.
    pub(crate) fn asked(&self) -> Option<XdpSettings> {
        if self.given_up.is_some() {
            return None;
        }
        match self.choice {
            BackendChoice::Packet => None,
            // With a copy it saves nothing: see the text of the module `xdp`.
            BackendChoice::Auto => {
                Some(XdpSettings { least: Mode::ZeroCopy, ..XdpSettings::default() })
            }
            BackendChoice::Xdp => Some(XdpSettings::default()),
        }
    }

    /// Says in the log what came of it.
    pub(crate) fn tell(&self, interface: &str, backend: Backend, because: Option<&Unsuitable>) {
        let because = self.because(backend, because);
        let backend = backend.name();
        match because {
            Some(because) if self.choice == BackendChoice::Xdp => {
                warn!(interface, backend, "AF_XDP cannot be used: {because}");
            }
            Some(because) => info!(interface, backend, "AF_XDP is not used: {because}"),
            None => info!(interface, backend, "data comes and goes"),
        }
    }

    /// Why it is not AF_XDP, if that could be.
    pub(crate) fn because(&self, backend: Backend, because: Option<&Unsuitable>) -> Option<String> {
        if backend != Backend::Packet {
            return None;
        }
        because.map(ToString::to_string).or(self.given_up.map(Into::into))
    }
}
