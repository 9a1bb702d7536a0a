//! What people run in their LANs, across the mesh: DHCP, ARP, SLAAC, mDNS, and a long transfer to a phone that walks.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::bridge::{Client, bridge};
use super::{LIMIT, chain};
use crate::lab::{Lab, Namespace, Process, Skipped, wait_for};
use crate::node::{Node, wait_for_ping};
use crate::packages;

/// For a program that ends by itself.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// The path of a program, or why the case cannot run.
pub(crate) fn program(name: &str, package: &str) -> Result<String> {
    let found = packages::find(name);
    let path =
        found.ok_or_else(|| Skipped::because(format!("no {name} (apt install {package})")))?;
    Ok(path.display().to_string())
}

/// Three hops: `anna`, `ben`, `cara` and `dora` with a bridge each, a host behind the first and one behind the last.
struct Lan {
    nodes: Vec<Node>,
    here: Client,
    there: Client,
    lab: Lab,
}

impl Lan {
    fn new() -> Result<Self> {
        let (lab, nodes) = chain(&["anna", "ben", "cara", "dora"])?;
        let (here, there) = (Client::new(&lab, "here", 1)?, Client::new(&lab, "there", 2)?);
        for node in &nodes {
            bridge(node)?;
        }
        here.plug(&lab, &nodes[0])?;
        Ok(Self { nodes, here, there, lab })
    }

    /// Connects the second host, with an address of its own, and waits until the two reach each other.
    fn join(&self) -> Result<()> {
        self.there.plug(&self.lab, &self.nodes[3])?;
        wait_for_ping(&self.there.namespace, self.here.address(), LIMIT).map(drop)
    }
}

/// dnsmasq in the foreground, with nothing but what is said here.
pub(crate) fn dnsmasq(host: &Namespace, options: &[&str]) -> Result<Process> {
    let program = program("dnsmasq", "dnsmasq-base")?;
    let mut words = vec![
        program.as_str(),
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--user=",
        "--group=",
        "--pid-file",
        "--port=0",
        "--interface=eth0",
        "--leasefile-ro",
        "--log-facility=-",
        "--log-dhcp",
    ];
    words.extend(options);
    host.spawn("dnsmasq", &words)
}

pub(super) fn dhcp_crosses_three_hops() -> Result<()> {
    let busybox = program("busybox", "busybox")?;
    let lan = Lan::new()?;
    let server = dnsmasq(&lan.here.namespace, &["--dhcp-range=10.98.0.100,10.98.0.150,2m"])?;
    lan.there.plug(&lan.lab, &lan.nodes[3])?;
    let own = format!("{}/24", lan.there.address());
    lan.there.namespace.delete_address("eth0", &own)?;
    let asks = ["udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "10", "-T", "1", "-s", "/bin/true"];
    let words: Vec<&str> = std::iter::once(busybox.as_str()).chain(asks).collect();
    let output = lan.there.namespace.run(&words, SOON)?;
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure!(output.status.success(), "no lease: {said}\n{}", server.log());
    let lease = said
        .lines()
        .find_map(|line| line.split("lease of ").nth(1)?.split_whitespace().next())
        .and_then(|address| address.trim_end_matches(',').parse::<Ipv4Addr>().ok())
        .with_context(|| format!("no lease in {said}"))?;
    ensure!((100..=150).contains(&lease.octets()[3]), "{lease}");
    Ok(())
}

pub(super) fn arp_is_answered_once_across_three_hops() -> Result<()> {
    let arping = program("arping", "iputils-arping")?;
    let lan = Lan::new()?;
    lan.join()?;
    let target = lan.there.address().to_string();
    let words = [arping.as_str(), "-c", "3", "-I", "eth0", &target];
    let output = lan.here.namespace.run(&words, SOON)?.success()?;
    ensure!(output.contains("Sent 3 probes") && output.contains("Received 3 response"), "{output}");
    Ok(())
}

pub(super) fn ipv6_hosts_configure_themselves_across_three_hops() -> Result<()> {
    let options = ["--enable-ra", "--dhcp-range=fd00:98::,ra-only,2m", "--ra-param=eth0,4,60"];
    hosts_configure_themselves(|router| dnsmasq(router, &options))
}

pub(super) fn ipv6_hosts_find_the_router_radvd_across_three_hops() -> Result<()> {
    let radvd = program("radvd", "radvd")?;
    hosts_configure_themselves(|router| {
        router.set_sysctl("net.ipv6.conf.all.forwarding", "1")?;
        let script = format!(
            "mount -t tmpfs tmpfs /run && cat > /run/radvd.conf <<'END'\n\
             interface eth0 {{\n\
             AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 60;\n\
             prefix fd00:98::/64 {{ AdvOnLink on; AdvAutonomous on; }};\n\
             RDNSS fd00:98::1 {{ }};\n\
             }};\n\
             END\n\
             exec {radvd} --nodaemon --logmethod stderr --config /run/radvd.conf --pidfile /run/radvd.pid\n"
        );
        router.spawn("radvd", &["unshare", "--mount", "sh", "-c", &script])
    })
}

/// A router behind the first node advertises a network; a host behind the last takes an address of it, and the two reach each
/// other.
fn hosts_configure_themselves(router: impl FnOnce(&Namespace) -> Result<Process>) -> Result<()> {
    let lan = Lan::new()?;
    lan.here.namespace.add_address("eth0", "fd00:98::1/64")?;
    let router = router(&lan.here.namespace)?;
    lan.there.plug(&lan.lab, &lan.nodes[3])?;
    let ip = program("ip", "iproute2")?;
    let own = wait_for(LIMIT, "a host has an address of the router's network", || {
        let words = [ip.as_str(), "-6", "-o", "address", "show", "dev", "eth0"];
        let said = lan.there.namespace.run(&words, SOON)?.success()?;
        let ready = |line: &&str| line.contains(" fd00:98:") && !line.contains("tentative");
        let line = said.lines().find(ready).with_context(|| format!("{said}{}", router.log()))?;
        let own = line.split_whitespace().nth(3).context("an address")?;
        Ok(own.split('/').next().unwrap_or_default().to_owned())
    })?;
    let words = [ip.as_str(), "-6", "route", "show", "default"];
    let routes = lan.there.namespace.run(&words, SOON)?.success()?;
    ensure!(routes.contains("via fe80::"), "no default route: {routes}");
    let ping = program("ping", "iputils-ping")?;
    for (from, to) in [(&lan.there, "fd00:98::1"), (&lan.here, own.as_str())] {
        let words = [ping.as_str(), "-6", "-c", "3", "-i", "0.2", "-W", "5", to];
        from.namespace.run(&words, SOON)?.success()?;
    }
    Ok(())
}

/// avahi-daemon and the bus that it needs, with a `/run` of their own, and a command beside them that decides when they end.
pub(crate) fn with_avahi(host: &Namespace, name: &str, command: &str) -> Result<Process> {
    for (name, package) in
        [("avahi-daemon", "avahi-daemon"), ("dbus-daemon", "dbus"), ("avahi-browse", "avahi-utils")]
    {
        program(name, package)?;
    }
    let script = format!(
        "export PATH=$PATH:/usr/sbin:/sbin DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus/bus\n\
         mount -t tmpfs tmpfs /run && mkdir /run/dbus /run/avahi-daemon || exit 1\n\
         cat > /run/bus.conf <<'END'\n\
         <busconfig><listen>unix:path=/run/dbus/bus</listen><auth>EXTERNAL</auth>\n\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/><allow user=\"*\"/></policy>\n\
         </busconfig>\n\
         END\n\
         cat > /run/avahi.conf <<'END'\n\
         [server]\n\
         host-name={name}\n\
         allow-interfaces=eth0\n\
         [publish]\n\
         publish-workstation=no\n\
         END\n\
         dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile &\n\
         for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /run/dbus/bus ] && break; sleep 0.5; done\n\
         avahi-daemon --no-drop-root --no-chroot --no-rlimits -f /run/avahi.conf &\n\
         for i in 1 2 3 4 5 6 7 8 9 10; do avahi-daemon --check && break; sleep 0.5; done\n\
         {command}\n"
    );
    host.spawn("avahi", &["unshare", "--mount", "sh", "-c", &script])
}

pub(super) fn mdns_finds_a_service_across_three_hops() -> Result<()> {
    let lan = Lan::new()?;
    lan.join()?;
    let printer = "exec avahi-publish --service 'Printer of dora' _ipp._tcp 631 paper=A4";
    let _printer = with_avahi(&lan.there.namespace, "printer", printer)?;
    let look = "while :; do avahi-browse --resolve --terminate --parsable _ipp._tcp; sleep 1; done";
    let seeker = with_avahi(&lan.here.namespace, "seeker", look)?;
    wait_for(LIMIT, "the printer is found", || {
        let log = seeker.log();
        let address = lan.there.address().to_string();
        let found =
            log.lines().any(|line| line.starts_with("=;eth0;IPv4;") && line.contains(&address));
        ensure!(found, "{log}");
        Ok(())
    })
}

pub(super) fn a_transfer_goes_on_while_the_phone_walks() -> Result<()> {
    let iperf = program("iperf3", "iperf3")?;
    let lan = Lan::new()?;
    lan.join()?;
    let address = lan.there.address().to_string();
    let _server = lan.there.namespace.spawn("iperf3", &[iperf.as_str(), "--server"])?;
    let words = |seconds: &'static str| {
        [iperf.as_str(), "--client", &address, "--time", seconds, "--interval", "0"]
    };
    wait_for(LIMIT, "iperf3 listens", || {
        lan.here.namespace.run(&words("1"), SOON)?.success().map(drop)
    })?;
    let mut transfer = lan.here.namespace.spawn("transfer", &words("6"))?;
    for place in [2, 1] {
        std::thread::sleep(Duration::from_millis(1500));
        lan.there.unplug()?;
        lan.there.plug(&lan.lab, &lan.nodes[place])?;
    }
    let status = transfer.wait(SOON)?;
    let log = transfer.log();
    ensure!(status.success() && log.contains("receiver"), "{log}");
    wait_for(LIMIT, "the phone is where it went", || {
        lan.there.is_announced_by(&lan.nodes[1], &lan.nodes[0])
    })
}
