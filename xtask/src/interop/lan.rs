//! A LAN that several nodes are bridged to, with a host in it.
//!
//! ```text
//! n1 br0 [bat0, l1] --+
//!                     +-- lan sw -- h1
//! n2 br0 [bat0, l2] --+
//! ```

use std::net::Ipv4Addr;

use anyhow::Result;

use super::scene::Scene;
use crate::lab::{End, Lab, Namespace, Set};

/// The LAN; dropping it takes the switch and the host away.
pub(crate) struct Lan {
    /// Where the switch is.
    pub(crate) switch: Namespace,
    /// Where the host is; its interface is `eth0`.
    pub(crate) host: Namespace,
}

impl Lan {
    /// The host's address.
    pub(crate) const HOST: [u8; 6] = [0x02, 0xc2, 0, 0, 0, 1];
    /// Its IP address.
    pub(crate) const IP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 100);

    /// Lays it, and a bridge in each of the gateways that has its end as a port.
    pub(super) fn lay(lab: &Lab, scene: &Scene<'_>, gateways: &[u8]) -> Result<Self> {
        let [switch, host] = ["lan", "h1"].map(|name| lab.namespace(name));
        let (switch, host) = (switch?, host?);
        for space in [&switch, &host] {
            let _ = space.set_sysctl("net.ipv6.conf.default.disable_ipv6", "1");
        }
        switch.add_bridge("sw")?;
        switch.set_link("sw", &[Set::Up])?;
        for &number in gateways {
            let (port, end) = (format!("p{number}"), format!("l{number}"));
            let space = scene.node(number).space();
            lab.veth(
                space,
                &End { name: &end, mac: [0x02, 0xba, 0, 0, number, 0xf1] },
                &switch,
                &End { name: &port, mac: [0x02, 0xbb, 0, 0, number, 0xf1] },
                1500,
            )?;
            switch.set_link(&port, &[Set::Master("sw")])?;
            space.add_bridge("br0")?;
            space.set_link("br0", &[Set::Up])?;
            space.set_link(&end, &[Set::Master("br0")])?;
        }
        lab.veth(
            &host,
            &End { name: "eth0", mac: Self::HOST },
            &switch,
            &End { name: "ph1", mac: [0x02, 0xbb, 0, 0, 0, 0xf1] },
            1500,
        )?;
        switch.set_link("ph1", &[Set::Master("sw")])?;
        host.add_address("eth0", &format!("{}/24", Self::IP))?;
        Ok(Self { switch, host })
    }
}
