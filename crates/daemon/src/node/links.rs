//! The hard interfaces: they come, change, go and come back, and each time the rings, the engine and the worker are told
//! (FWD-01 to FWD-10).

use super::{End, Node};
use crate::netlink::{
    BadInterface, Link, LinkEvent, Turn, check_hard_interface, is_held_by_another, other_meshes,
};
use crate::settings::InterfaceConfig;
use crate::{clock, worker::Command};
use core::time::Duration;
use noctule_control::Input;
use noctule_dataplane::link::{self, Backend, Receiver};
use noctule_dataplane::packet::{self, ControlSender, OpenError, PacketSettings};
use noctule_dataplane::xdp::{self, Unsuitable, XdpSettings};
use noctule_fib::{Counters, IFACES_MAX, Iface};
use tracing::{error, info, warn};

/// All hard interfaces; the place in the list is the number in the mesh. It is empty where one was taken out.
#[derive(Debug)]
pub(crate) struct Ports([Option<Port>; IFACES_MAX]);

/// One hard interface.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) iface: Iface,
    pub(crate) config: InterfaceConfig,
    /// While it exists and takes part.
    pub(crate) attached: Option<Attached>,
    /// Why it was refused when it was last looked at: said once.
    pub(super) refused: Option<BadInterface>,
}

/// What the mesh adds to a frame of the mesh interface at most, bytes (FWD-19).
const ENCAPSULATION: u32 = 32;
/// How long after a data path could not be opened the next attempt is made: memory may be free again by then.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A hard interface that takes part.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) link: Link,
    /// Whether it is a wireless device.
    wifi: bool,
    /// OGMs that arrive.
    pub(super) control: crate::port::Port,
    /// For the engine's own frames.
    pub(crate) sender: ControlSender,
    /// The largest MTU whose frames its rings hold, bytes.
    mtu_max: u32,
    /// By what data comes and goes.
    pub(super) backend: Backend,
    /// Why not by AF_XDP, if that could be.
    because: Option<Unsuitable>,
    /// Whether opened anew, with its carrier, more workers could have a share of its frames.
    unshared: bool,
}

impl Attached {
    /// As the engine knows it.
    fn engine_link(&self) -> noctule_control::Link {
        noctule_control::Link {
            mac: self.link.mac.unwrap_or_default(),
            mtu: self.link.mtu,
            wifi: self.wifi,
            up: self.link.has_carrier(),
        }
    }
}

impl Ports {
    pub(crate) fn new(configs: &[InterfaceConfig]) -> Self {
        let mut ports = Self(Default::default());
        for config in configs {
            ports.add(config.clone());
        }
        ports
    }

    /// Gives a further one a place, if there is any left.
    pub(super) fn add(&mut self, config: InterfaceConfig) -> Option<Iface> {
        let iface = Iface::all().find(|iface| self.get(*iface).is_none())?;
        self.0[iface.index()] = Some(Port { iface, config, attached: None, refused: None });
        Some(iface)
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, iface: Iface) {
        self.0[iface.index()] = None;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Port> {
        self.0.iter().flatten()
    }

    pub(crate) fn get(&self, iface: Iface) -> Option<&Port> {
        self.0.get(iface.index())?.as_ref()
    }

    /// The port by which the engine sends.
    pub(crate) fn sender(&self, iface: Iface) -> Option<&ControlSender> {
        Some(&self.get(iface)?.attached.as_ref()?.sender)
    }

    pub(super) fn get_mut(&mut self, iface: Iface) -> Option<&mut Port> {
        self.0.get_mut(iface.index())?.as_mut()
    }

    /// The control sockets of the interfaces that take part.
    pub(super) fn control(&self) -> impl Iterator<Item = &Receiver> {
        self.iter().filter_map(|port| Some(&port.attached.as_ref()?.control.receiver))
    }

    /// Copies the next control packet of an interface into `buffer`; `false` if there is none at the moment.
    pub(super) fn next_control(&mut self, iface: Iface, buffer: &mut Vec<u8>) -> bool {
        let attached = self.get_mut(iface).and_then(|port| port.attached.as_mut());
        let Some(frame) = attached.and_then(|at| at.control.receiver.next_frame()) else {
            return false;
        };
        buffer.clear();
        buffer.extend_from_slice(&frame);
        true
    }

    /// Adds what the control sockets dropped to the statistics.
    pub(super) fn account_drops(&mut self, counters: &Counters) {
        for attached in self.0.iter_mut().flatten().filter_map(|port| port.attached.as_mut()) {
            attached.control.account_drops(counters);
        }
    }

    /// The port that uses the interface with this index, or else the free one that is waiting for this name.
    fn of(&self, link: &Link) -> Option<Iface> {
        let by_index =
            |port: &&Port| port.attached.as_ref().is_some_and(|at| at.link.index == link.index);
        let by_name = |port: &&Port| port.config.name == link.name;
        self.iter().find(by_index).or_else(|| self.iter().find(by_name)).map(|port| port.iface)
    }

    fn by_index(&self, index: u32) -> Option<Iface> {
        let uses = |port: &&Port| port.attached.as_ref().is_some_and(|at| at.link.index == index);
        self.iter().find(uses).map(|port| port.iface)
    }
}

impl Node {
    /// Attaches the interfaces that exist, at the start.
    ///
    /// # Errors
    /// One of them cannot be used: one sentence.
    pub(crate) fn attach_all(&mut self) -> Result<(), String> {
        for iface in Iface::all() {
            let Some(port) = self.ports.get(iface) else { continue };
            // In the order of the configuration: the first that is up becomes the primary interface (FWD-06).
            if let Some(link) = self.monitor.links().named(&port.config.name).cloned() {
                let name = link.name.clone();
                self.attach(iface, link).map_err(|problem| format!("{name}: {problem}"))?;
                // It could be used a moment ago: another node was quicker.
                if let Some(refused) = self.ports.get(iface).and_then(|port| port.refused.as_ref())
                {
                    return Err(refused.to_string());
                }
            } else {
                info!(interface = %port.config.name, "does not exist yet: waits for it");
            }
        }
        let attached = self.ports.iter().filter_map(|port| port.attached.as_ref());
        let ifindexes: Vec<u32> = attached.map(|attached| attached.link.index).collect();
        self.offload.attached_all(&ifindexes);
        self.adjust_mesh_mtu();
        Ok(())
    }

    /// Tries again what did not work, if it is time.
    pub(super) fn retry_attaching(&mut self) {
        if self.retry_at.is_some_and(|at| at <= self.clock.now()) {
            self.retry_at = None;
            let waiting: Vec<Link> = self
                .ports
                .iter()
                .filter(|port| port.attached.is_none())
                .filter_map(|port| self.monitor.links().named(&port.config.name).cloned())
                .collect();
            for link in waiting {
                self.link_present(link);
            }
        }
    }

    pub(super) fn take_link_events(&mut self) -> Option<End> {
        let events = match self.monitor.events() {
            Ok(events) => events,
            Err(problem) => {
                error!(%problem, "cannot read what changes about interfaces");
                return None;
            }
        };
        for event in events {
            match event {
                LinkEvent::PortChanged { index } => {
                    if index == self.mesh.ifindex() {
                        self.mesh.bridge_vlans = None;
                    }
                }
                LinkEvent::Changed(link) => self.link_present(link),
                LinkEvent::Gone { index, .. } if index == self.mesh.ifindex() => {
                    return Some(End::MeshInterfaceGone);
                }
                LinkEvent::Gone { index, .. } => self.link_gone(index),
            }
        }
        self.refresh_vlans();
        self.judge_all();
        None
    }

    fn link_present(&mut self, link: Link) {
        if link.index == self.mesh.ifindex() {
            return self.mesh_interface_changed(&link);
        }
        let Some(iface) = self.ports.of(&link) else { return };
        let Some(port) = self.ports.get_mut(iface) else { return };
        match &port.attached {
            Some(attached) if attached.link.index == link.index => self.link_changed(iface, link),
            Some(attached) => {
                // The old one went without a word, and this one has its name.
                let index = attached.link.index;
                self.link_gone(index);
                self.attach_or_retry(iface, link);
            }
            None => self.attach_or_retry(iface, link),
        }
        self.adjust_mesh_mtu();
    }

    fn attach_or_retry(&mut self, iface: Iface, link: Link) {
        let name = link.name.clone();
        if let Err(problem) = self.attach(iface, link) {
            error!(interface = %name, %problem, "cannot use the interface: trying again in some seconds");
            self.retry_at = Some(self.clock.now() + RETRY_AFTER);
        }
    }

    /// Why an interface cannot carry the mesh, if so.
    pub(super) fn refusal(&self, link: &Link) -> Option<BadInterface> {
        check_hard_interface(self.monitor.links(), &link.name, &[&self.mesh.name]).err()
    }

    /// Why data does not come by AF_XDP where it could.
    pub(super) fn backend_because(&self, attached: &Attached) -> Option<String> {
        self.backends.because(attached.backend, attached.because.as_ref())
    }

    /// Why an interface of the configuration is not active, if it is not.
    pub(super) fn inactive_because(&self, port: &Port) -> Option<String> {
        if let Some(Attached { link, .. }) = &port.attached {
            return match (link.is_up(), link.has_carrier()) {
                (_, true) => None,
                (false, _) => Some("it is down".into()),
                (true, false) => Some("it has no carrier".into()),
            };
        }
        let name = &port.config.name;
        if self.monitor.links().named(name).is_none() {
            return Some("it does not exist".into());
        }
        let Some(refused) = &port.refused else {
            return Some("it cannot be opened: see the log".into());
        };
        let sentence = refused.to_string();
        Some(sentence.strip_prefix(&format!("{name}: ")).unwrap_or(&sentence).to_owned())
    }

    /// Looks at all interfaces anew: what changed elsewhere, like the mesh interface that becomes a port of a bridge, can
    /// make one unfit or fit.
    fn judge_all(&mut self) {
        for iface in Iface::all() {
            let Some(port) = self.ports.get(iface) else { continue };
            if let Some(attached) = &port.attached {
                let index = attached.link.index;
                let Some(problem) = self.refusal(&attached.link) else { continue };
                warn!("{problem}");
                self.link_gone(index);
                if let Some(port) = self.ports.get_mut(iface) {
                    port.refused = Some(problem);
                }
            } else if port.refused.is_some()
                && let Some(link) = self.monitor.links().named(&port.config.name).cloned()
            {
                self.link_present(link);
            }
        }
    }

    pub(super) fn attach(&mut self, iface: Iface, link: Link) -> Result<(), OpenError> {
        let (settings, workers) = (self.packet_settings(), self.workers.count());
        // Until the sockets are open, by which others see that the interface is taken.
        let turn = Turn::take();
        let held = is_held_by_another(link.index);
        let refusal = self.refusal(&link).or_else(|| {
            let meshes = || other_meshes(self.monitor.links(), Some(self.mesh.ifindex()));
            held.then(|| BadInterface::Held { name: link.name.clone(), meshes: meshes() })
        });
        let wifi = self.monitor.links().is_wireless(&link);
        let Some(port) = self.ports.get_mut(iface) else { return Ok(()) };
        if let Some(problem) = refusal {
            if !port.refused.as_ref().is_some_and(|before| before.says_the_same_as(&problem)) {
                warn!("{problem}");
            }
            port.refused = Some(problem);
            if held {
                // Nobody tells when the other has gone.
                self.retry_at = Some(self.clock.now() + RETRY_AFTER);
            }
            return Ok(());
        }
        let opened = open(&link, &settings, self.backends.asked(), workers);
        drop(turn);
        let (control, sender, path) = match opened {
            // It has gone already; what comes next, the kernel tells.
            Err(OpenError::NoSuchInterface(_)) => return Ok(()),
            opened => opened?,
        };
        self.backends.tell(&link.name, path.backend, path.because.as_ref());
        let (mtu_max, unshared) = (path.mtu_max(), path.is_unshared());
        let link::Link { paths, backend, because } = path;
        let attached =
            Attached { link, wifi, control, sender, mtu_max, backend, because, unshared };
        let engine_link = attached.engine_link();
        info!(interface = %attached.link.name, mac = %engine_link.mac, mtu = engine_link.mtu, up = engine_link.up, "interface joins");
        port.attached = Some(attached);
        port.refused = None;
        let input = Input::Attach {
            iface,
            link: engine_link,
            settings: port.config.engine,
            seqno: clock::ogm_seqno(clock::wall_clock()),
        };
        self.workers.attach(iface, paths);
        if let Some(Attached { link, .. }) = &port.attached {
            self.offload.attach(iface, link.index, &link.name);
        }
        self.warn_of_twins(iface);
        self.note_small_mtu(engine_link.mtu);
        let now = self.clock.now();
        self.feed(now, input);
        Ok(())
    }

    fn link_changed(&mut self, iface: Iface, link: Link) {
        let (settings, workers) = (self.packet_settings(), self.workers.count());
        let refusal = self.refusal(&link);
        let Some(port) = self.ports.get_mut(iface) else { return };
        let Some(attached) = &mut port.attached else { return };
        if attached.link == link {
            return;
        }
        if let Some(problem) = refusal {
            warn!("{problem}");
            port.refused = Some(problem);
            return self.link_gone(link.index);
        }
        let before = std::mem::replace(&mut attached.link, link);
        let link = &attached.link;
        if link.name != before.name {
            info!(from = %before.name, to = %link.name, "interface has another name");
        }
        if link.mtu != before.mtu {
            info!(interface = %link.name, from = before.mtu, to = link.mtu, "interface has another MTU");
        }
        // A smaller MTU may make room for AF_XDP again.
        let fits =
            matches!(attached.because, Some(Unsuitable::Mtu { .. })) && link.mtu <= xdp::MTU_MAX;
        let comes_up = link.has_carrier() && !before.has_carrier();
        if link.mtu > attached.mtu_max || fits || (comes_up && attached.unshared) {
            match open(link, &settings, self.backends.asked(), workers) {
                Ok((control, sender, path)) => {
                    self.backends.tell(&link.name, path.backend, path.because.as_ref());
                    (attached.control, attached.sender) = (control, sender);
                    (attached.mtu_max, attached.unshared) = (path.mtu_max(), path.is_unshared());
                    let link::Link { paths, backend, because } = path;
                    (attached.backend, attached.because) = (backend, because);
                    self.workers.attach(iface, paths);
                }
                Err(problem) => {
                    error!(interface = %link.name, %problem, "cannot use the interface as it is now")
                }
            }
        } else if link.mtu != before.mtu {
            let mtu = link.mtu;
            self.workers.tell_all(|| Command::Mtu { iface, mtu });
        }
        let mac_changed = link.mac != before.mac;
        let mut engine_link = attached.engine_link();
        engine_link.mtu = engine_link.mtu.min(attached.mtu_max);
        if mac_changed {
            self.warn_of_twins(iface);
        }
        let now = self.clock.now();
        self.feed(now, Input::Changed { iface, link: engine_link });
    }

    pub(super) fn link_gone(&mut self, index: u32) {
        let Some(iface) = self.ports.by_index(index) else { return };
        let Some(port) = self.ports.get_mut(iface) else { return };
        if let Some(mut attached) = port.attached.take() {
            attached.control.account_drops(&self.counters);
        }
        info!(interface = %port.config.name, "interface leaves");
        self.offload.detach(iface, index);
        self.workers.tell_all(|| Command::Detach(iface));
        let now = self.clock.now();
        self.feed(now, Input::Detach { iface });
        self.adjust_mesh_mtu();
    }

    /// FWD-09: it works badly, and nobody would guess why.
    fn warn_of_twins(&self, iface: Iface) {
        let mac_of = |port: &Port| port.attached.as_ref().and_then(|attached| attached.link.mac);
        let Some(port) = self.ports.get(iface) else { return };
        for other in self.ports.iter().filter(|other| other.iface != iface) {
            if mac_of(other).is_some() && mac_of(other) == mac_of(port) {
                warn!(one = %other.config.name, other = %port.config.name, "two interfaces of the mesh have the same address: change one");
            }
        }
    }

    /// FWD-19: it is used all the same.
    fn note_small_mtu(&self, mtu: u32) {
        let whole = self.mesh.mtu + ENCAPSULATION;
        if mtu < whole && self.engine.settings().fragmentation {
            info!(mtu, needed = whole, "large frames will leave in fragments by this interface");
        } else if mtu < whole {
            warn!(
                mtu,
                needed = whole,
                "large frames will be dropped at this interface: raise its MTU"
            );
        }
    }

    fn packet_settings(&self) -> PacketSettings {
        PacketSettings {
            rx_frames: self.config.rx_frames,
            tx_frames: self.config.tx_frames,
            control_apart: true,
            ..PacketSettings::default()
        }
    }
}

/// Opens the sockets of an interface: for control packets, in and out, and for all others.
fn open(
    link: &Link,
    settings: &PacketSettings,
    xdp: Option<XdpSettings>,
    workers: usize,
) -> Result<(crate::port::Port, ControlSender, link::Link), OpenError> {
    let (control, sender) = packet::open_control(link.index, link.mtu)?;
    let path = link::open(link.index, link.mtu, settings, xdp, workers)?;
    Ok((crate::port::Port::new(Receiver::Packet(control)), sender, path))
}
