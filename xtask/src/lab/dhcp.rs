//! DHCP in a laboratory: dnsmasq answers, busybox asks.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Namespace, Process};
use crate::packages::find;

/// The programs, with their packages.
pub(crate) const PROGRAMS: [(&str, &str); 2] =
    [("dnsmasq", "dnsmasq-base"), ("busybox", "busybox")];

/// Starts a server on `bat0` that gives out addresses of its own tenth of 10.99.0.0/24: server 3 from 10.99.0.130 on.
pub(crate) fn serve(space: &Namespace, number: u8) -> Result<Process> {
    let dnsmasq = find("dnsmasq").context("dnsmasq is missing")?;
    let first = 100 + 10 * number;
    let range = format!("--dhcp-range=10.99.0.{first},10.99.0.{},255.255.255.0,1h", first + 9);
    let words = [
        &dnsmasq.display().to_string(),
        // A client that asks is answered at once, and nothing is left on the machine.
        "--no-daemon --no-ping --leasefile-ro --conf-file=/dev/null --pid-file= --port=0",
        "--interface=bat0 --dhcp-authoritative --user=root --group=root --log-dhcp",
        &range,
    ]
    .join(" ");
    space.spawn("dnsmasq", &words.split_whitespace().collect::<Vec<_>>())
}

/// Asks for an address on `bat0`, once a second, as long as `limit` allows: the server that gave one. The address is not
/// used.
pub(crate) fn lease(space: &Namespace, limit: Duration) -> Result<Option<Ipv4Addr>> {
    let busybox = find("busybox").context("busybox is missing")?.display().to_string();
    let seconds = limit.as_secs().max(1).to_string();
    let words = format!("{busybox} udhcpc -f -q -n -T 1 -t {seconds} -i bat0 -s /bin/true");
    let words: Vec<_> = words.split_whitespace().collect();
    let output = space.run(&words, 3 * limit + Duration::from_secs(20))?;
    Ok(server(&(output.stdout + &output.stderr)))
}

/// `… obtained from 10.99.0.1, lease time 3600`
fn server(said: &str) -> Option<Ipv4Addr> {
    let (_, rest) = said.split_once(" obtained from ")?;
    rest.split([',', '\n', ' ']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_read_from_what_the_client_says() {
        let said = "udhcpc: started, v1.35.0\nudhcpc: lease of 10.99.0.12 obtained from 10.99.0.1, lease time 3600\n";
        assert_eq!(server(said), Some(Ipv4Addr::new(10, 99, 0, 1)));
        assert_eq!(server("udhcpc: no lease, failing\n"), None);
    }
}
