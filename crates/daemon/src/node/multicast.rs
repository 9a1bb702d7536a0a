//! The engine is told twice a second what the host wants of multicast (MCAST section 2). Most of it brings no
//! notification, so it is looked at. The ports that clients are behind have their turn with it.

use super::Node;
use noctule_control::Input;
use std::time::Duration;
use tracing::{debug, info};

/// Time between two looks, and before the first one.
pub(crate) const PERIOD: Duration = Duration::from_millis(500);

impl Node {
    /// Looks at the host, if it is time.
    pub(super) fn look_at_multicast(&mut self) {
        let now = self.clock.now();
        if now < self.multicast_at {
            return;
        }
        self.multicast_at = now + PERIOD;
        self.look_at_clients(now);
        let index = self.mesh.ifindex();
        match self.multicast.look(now, self.monitor.links(), index) {
            Ok(host) => {
                let bridged = host.bridge.is_some();
                if bridged != self.bridged {
                    self.bridged = bridged;
                    if bridged {
                        info!("the mesh interface is in a bridge now");
                    } else {
                        info!("the mesh interface is in no bridge any more");
                    }
                }
                self.feed(now, Input::Multicast(&host));
            }
            // What was known still holds (MCAST-03).
            Err(error) => debug!(%error, "cannot read the multicast memberships"),
        }
    }
}
