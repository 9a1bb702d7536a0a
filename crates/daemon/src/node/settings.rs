//! Settings that are read and changed while the node runs. What the data plane must know of them reaches it as everything
//! else does: by the tables, without a lock and without a frame lost.

use super::Node;
use super::mesh_interface::offload;
use crate::api::{SettingRow, SettingsRequest};
use crate::settings::live::{Live, Scope, Setting, TABLE};
use noctule_control::Input;
use noctule_fib::Iface;
use noctule_wire::Vid;
use tracing::info;

/// What a setting belongs to, in this node.
#[derive(Clone, Copy, Debug)]
enum Place {
    Mesh,
    Interface(Iface),
    Vlan(Vid),
}

impl Place {
    const fn scope(self) -> Scope {
        match self {
            Self::Mesh => Scope::Mesh,
            Self::Interface(_) => Scope::Interface,
            Self::Vlan(_) => Scope::Vlan,
        }
    }
}

impl Node {
    /// Reads settings, or changes one.
    ///
    /// # Errors
    /// One sentence with the fix.
    pub(super) fn settings(&mut self, wanted: &SettingsRequest) -> Result<Vec<SettingRow>, String> {
        let place = self.place(wanted)?;
        let Some(name) = &wanted.name else {
            return match (&wanted.value, place) {
                (None, _) if wanted.parameter.is_some() => {
                    Err("a parameter is given, but no setting: name one".to_owned())
                }
                (Some(_), _) => Err("a value is given, but no setting: name one".to_owned()),
                (None, Place::Mesh) => Ok(self.all_settings()),
                (None, place) => Ok(self.rows_of(place)),
            };
        };
        let setting = Setting::find(name, place.scope())?;
        if let Some(value) = &wanted.value {
            let mut live = self.live(place);
            setting.write(&mut live, value)?;
            if let Some(parameter) = &wanted.parameter {
                setting.write_parameter(&mut live, parameter)?;
            }
            let shown = |live: &Live| {
                setting.shown(live).unwrap_or_else(|| setting.value(live).to_string())
            };
            let (before, after) = (shown(&self.live(place)), shown(&live));
            if after != before {
                info!(setting = setting.name, from = %before, to = %after, "setting changes");
                self.apply(place, live);
            }
        } else if wanted.parameter.is_some() {
            return Err(format!("{}: a parameter is given, but no value: name one", setting.name));
        }
        Ok(vec![self.row(setting, place)])
    }

    fn place(&self, wanted: &SettingsRequest) -> Result<Place, String> {
        match (&wanted.interface, wanted.vlan) {
            (None, None) => Ok(Place::Mesh),
            (Some(_), Some(_)) => {
                Err("a setting belongs to an interface or to a VLAN: name one of them".to_owned())
            }
            (Some(name), None) => {
                let port = self.ports.iter().find(|port| self.name(port.iface) == *name);
                port.map(|port| Place::Interface(port.iface)).ok_or_else(|| self.no_such_port(name))
            }
            (None, Some(id)) => {
                let vid = Vid::from_tci(id);
                let known = vid.id() == Some(id) && self.mesh.vlans.contains(vid);
                let mesh = &self.mesh.name;
                known.then_some(Place::Vlan(vid)).ok_or_else(|| {
                    format!("{id}: no VLAN of {mesh}: make it with \"ip link add link {mesh} name {mesh}.{id} type vlan id {id}\"")
                })
            }
        }
    }

    fn live(&self, place: Place) -> Live {
        let mut live = Live {
            engine: self.engine.settings().clone(),
            log: self.verbosity.level(),
            tap_offload: self.mesh.tap.offloads(),
            ..Live::default()
        };
        match place {
            Place::Mesh => {}
            Place::Interface(iface) => {
                live.interface = self.ports.get(iface).map_or(live.interface, |p| p.config.engine);
            }
            Place::Vlan(vid) => live.vid = vid,
        }
        live
    }

    /// Puts settings in force.
    fn apply(&mut self, place: Place, live: Live) {
        let now = self.clock.now();
        if live.log != self.verbosity.level() {
            self.verbosity.set(live.log);
        }
        if live.tap_offload != self.mesh.tap.offloads() {
            offload(&self.mesh.tap, live.tap_offload);
        }
        if let Place::Interface(iface) = place
            && let Some(port) = self.ports.get_mut(iface)
        {
            // It is the interface's also when it comes back after having been away.
            port.config.engine = live.interface;
            self.feed(now, Input::InterfaceSettings { iface, settings: live.interface });
        }
        if live.engine != *self.engine.settings() {
            self.feed(now, Input::Settings(&live.engine));
            self.adjust_mesh_mtu();
        }
    }

    fn all_settings(&self) -> Vec<SettingRow> {
        let interfaces = self.ports.iter().map(|port| Place::Interface(port.iface));
        let vlans = self.mesh.vlans.iter().map(Place::Vlan);
        let places = std::iter::once(Place::Mesh).chain(interfaces).chain(vlans);
        places.flat_map(|place| self.rows_of(place)).collect()
    }

    fn rows_of(&self, place: Place) -> Vec<SettingRow> {
        let of_scope = TABLE.iter().filter(|setting| setting.scope == place.scope());
        of_scope.map(|setting| self.row(setting, place)).collect()
    }

    fn row(&self, setting: &Setting, place: Place) -> SettingRow {
        let (interface, vlan) = match place {
            Place::Mesh => (None, None),
            Place::Interface(iface) => (Some(self.name(iface)), None),
            Place::Vlan(vid) => (None, vid.id()),
        };
        let live = self.live(place);
        SettingRow {
            name: setting.name.to_owned(),
            alias: setting.alias.to_owned(),
            interface,
            vlan,
            value: setting.value(&live),
            default: setting.value(&Live::new(live.engine.routing_algorithm)),
            values: setting.values(&live),
            shown: setting.shown(&live),
        }
    }
}
