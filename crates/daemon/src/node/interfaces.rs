//! Hard interfaces that somebody adds or takes out while the node runs (MGMT-28). The others do not notice: each has its own
//! rings, and the worker is told of one more or one less between two batches.

use super::Node;
use super::links::Port;
use crate::api::{Reply, ReplyLine};
use crate::netlink::check_hard_interface;
use crate::settings::{InterfaceConfig, interface_name};
use noctule_fib::{IFACES_MAX, Iface};
use tracing::info;

impl Node {
    /// The answer to a change: the interfaces as they are now, or why it was not made.
    pub(super) fn interfaces_after(&self, done: Result<(), String>) -> ReplyLine {
        ReplyLine::new(match done {
            Ok(()) => Reply::Interfaces(self.interfaces()),
            Err(sentence) => Reply::Error(sentence),
        })
    }

    /// Adds a hard interface; one that is there already stays as it is. With `wait` it need not exist yet.
    ///
    /// # Errors
    /// One sentence with the fix; nothing has changed.
    pub(super) fn add_interface(&mut self, name: &str, wait: bool) -> Result<(), String> {
        let name = interface_name("interface", name)
            .map_err(|bad| format!("{}: {}", bad.value, bad.problem))?;
        if self.port_named(&name).is_some() {
            return Ok(());
        }
        if let Some(port) = self.ports.iter().find(|port| port.config.name == name) {
            // By its old name it would be looked for when it has gone.
            let now = self.name(port.iface);
            return Err(format!(
                "{name}: was the name of {now} when that was added: take that out first with \"noctule interface del {now}\""
            ));
        }
        let link = self.monitor.links().named(&name).cloned();
        if link.is_some() || !wait {
            // Also one that does not exist.
            check_hard_interface(self.monitor.links(), &name, &[&self.mesh.name])
                .map_err(|problem| problem.to_string())?;
        } else if name == self.mesh.name {
            return Err(format!("{name}: the mesh interface cannot be one of its own"));
        }
        let config = InterfaceConfig { name: name.clone(), engine: Default::default() };
        let Some(iface) = self.ports.add(config) else {
            return Err(format!(
                "{name}: {IFACES_MAX} hard interfaces is the most a mesh can have: take one out with \"noctule interface del\""
            ));
        };
        let Some(link) = link else {
            info!(interface = %name, "does not exist yet: waits for it");
            return Ok(());
        };
        let opened = self.attach(iface, link).map_err(|problem| format!("{name}: {problem}"));
        let done = opened.and_then(|()| match self.ports.get(iface) {
            Some(Port { attached: Some(_), .. }) => Ok(()),
            Some(Port { refused: Some(problem), .. }) => Err(problem.to_string()),
            // It has gone in this very moment.
            _ if wait => Ok(()),
            _ => Err(format!("{name}: no such interface")),
        });
        if done.is_err() {
            self.ports.remove(iface);
        }
        self.adjust_mesh_mtu();
        done
    }

    /// Takes a hard interface out.
    ///
    /// # Errors
    /// There is none of that name: one sentence.
    pub(super) fn remove_interface(&mut self, name: &str) -> Result<(), String> {
        let Some(iface) = self.port_named(name) else {
            return Err(self.no_such_port(name));
        };
        let attached = self.ports.get(iface).and_then(|port| port.attached.as_ref());
        if let Some(index) = attached.map(|attached| attached.link.index) {
            self.link_gone(index);
        }
        self.ports.remove(iface);
        info!(interface = %name, "interface was taken out");
        self.adjust_mesh_mtu();
        Ok(())
    }

    /// The sentence for a name that no hard interface has.
    pub(super) fn no_such_port(&self, name: &str) -> String {
        let have: Vec<_> = self.ports.iter().map(|port| self.name(port.iface)).collect();
        let have = if have.is_empty() { "none".to_owned() } else { have.join(", ") };
        format!("{name}: not a hard interface of {} (has: {have})", self.mesh.name)
    }

    fn port_named(&self, name: &str) -> Option<Iface> {
        self.ports.iter().map(|port| port.iface).find(|iface| self.name(*iface) == name)
    }
}
