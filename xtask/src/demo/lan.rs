//! `cargo xtask demo lan`: two LANs in one mesh, and what people do in a LAN.

use std::net::Ipv4Addr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{LIMIT, say};
use crate::interop::echo::Echo;
use crate::lab::{Lab, Namespace, Process, Skipped, wait_for};
use crate::netns::bridge::{Client, bridge};
use crate::netns::lan::{SOON, dnsmasq, program, with_avahi};
use crate::node::{Node, wait_for_ping};
use crate::packages;

const NAMES: [&str; 5] = ["anna", "ben", "cara", "dora", "eve"];
/// Links between them.
const LINKS: [(usize, usize); 4] = [(0, 1), (1, 2), (2, 3), (2, 4)];
/// The nodes that have a router in their LAN.
const GATEWAYS: [usize; 2] = [3, 4];
/// Packets a second towards the phone.
const RATE: u32 = 500;

/// What a lease takes, with the packages.
const DHCP: [(&str, &str); 2] = [("dnsmasq", "dnsmasq-base"), ("busybox", "busybox")];
/// All programs.
const PROGRAMS: [(&str, &str); 5] = [
    ("dnsmasq", "dnsmasq-base"),
    ("busybox", "busybox"),
    ("avahi-daemon", "avahi-daemon"),
    ("avahi-browse", "avahi-utils"),
    ("dbus-daemon", "dbus"),
];

const PICTURE: &str = "
   LAN of anna, and of ben                                LAN of dora, and of eve

   laptop -- [br0 anna]                            .---- [br0 dora] -- router1, printer
                    \\                             /
                     `--- [br0 ben] ---- cara ---+
                            :                     \\
                          phone walks              `---- [br0 eve] --- router2

Each node is a network namespace with noctule in it, bat0 in a bridge, and the hosts of its LAN behind that; the lines between
nodes are cables with an MTU of 1500. router1 and router2 are DHCP servers (dnsmasq), each on its node's LAN. Nothing outside
of these namespaces is touched, and nothing stays behind.
";

/// What came of each step.
#[derive(Default)]
struct Steps(Vec<(String, Result<String>)>);

impl Steps {
    /// Takes a step, which does not keep the others from being taken.
    fn take(&mut self, start: Instant, name: &str, step: impl FnOnce() -> Result<String>) {
        let outcome = step();
        match &outcome {
            Ok(text) => say(start, text),
            Err(reason) if reason.is::<Skipped>() => {
                say(start, &format!("SKIPPED: {name}: {reason}"));
            }
            Err(error) => say(start, &format!("FAILED: {name}: {error:#}")),
        }
        self.0.push((name.to_owned(), outcome));
    }

    fn summary(self) -> Result<()> {
        println!("\n  what                                                result");
        let mut failed = Vec::new();
        for (name, outcome) in self.0 {
            let result = match outcome {
                Ok(_) => "PASS",
                Err(reason) if reason.is::<Skipped>() => "SKIPPED",
                Err(_) => "FAIL",
            };
            println!("  {name:<50}  {result}");
            if result == "FAIL" {
                failed.push(name);
            }
        }
        println!();
        if failed.is_empty() {
            return Ok(());
        }
        bail!("did not work: {}", failed.join(", "))
    }
}

/// Shows it. What needs a program that is not there is left out.
pub(crate) fn show(program: &Path) -> Result<()> {
    let lab = Lab::new("demo-lan")?;
    println!("{PICTURE}");
    let mut nodes = Vec::new();
    for (name, number) in NAMES.into_iter().zip(1..) {
        nodes.push(Node::new(&lab, program, name, number)?);
    }
    for (a, b) in LINKS {
        let [one, other] = nodes.get_disjoint_mut([a, b])?;
        one.link(other, &lab, 1500)?;
    }
    let start = Instant::now();
    for (index, node) in nodes.iter_mut().enumerate() {
        let mode = if GATEWAYS.contains(&index) { "server" } else { "client" };
        node.start(&["--gw-mode", mode, "--no-bridge-loop-avoidance"])?;
        bridge(node)?;
    }
    say(
        start,
        "all five run: noctule run --mesh bat0 --interface e1 --gw-mode client (dora and eve: server)",
    );
    say(
        start,
        "one node in each LAN, so --no-bridge-loop-avoidance: no need to look for others for half a minute",
    );
    let laptop = Client::new(&lab, "laptop", 1)?;
    let phone = Client::new(&lab, "phone", 2)?;
    let printer = Client::new(&lab, "printer", 3)?;
    let routers = [Client::new(&lab, "router1", 11)?, Client::new(&lab, "router2", 12)?];
    laptop.plug(&lab, &nodes[0])?;
    let own = format!("{}/24", laptop.address());
    laptop.namespace.delete_address("eth0", &own)?;
    printer.plug(&lab, &nodes[3])?;
    let mut servers = Vec::new();
    for ((router, node), range) in
        routers.iter().zip(GATEWAYS).zip(["100,10.98.0.149", "150,10.98.0.199"])
    {
        router.plug(&lab, &nodes[node])?;
        if packages::find("dnsmasq").is_none() {
            continue;
        }
        let range = format!("--dhcp-range=10.98.0.{range},2m");
        servers.push(dnsmasq(&router.namespace, &[&range, "--no-ping", "--dhcp-authoritative"])?);
    }
    say(
        start,
        "anna looks for gateways; the quality of a way (0 to 255) rises for about a minute ...",
    );
    let mut steps = Steps::default();
    let mut address = None;
    let mut chosen = None;
    steps.take(start, "a gateway is chosen", || {
        let index = gateway(&nodes)?;
        chosen = Some(index);
        println!("\n$ noctule gateways\n{}", nodes[0].ask(&["gateways"])?);
        Ok(format!("anna knows both gateways and has chosen {}", NAMES[index]))
    });
    steps.take(start, "a lease over three hops", || {
        needs(&DHCP)?;
        let (lease, server, took) = lease(&laptop.namespace)?;
        laptop.namespace.add_address("eth0", &format!("{lease}/24"))?;
        address = Some(lease);
        Ok(format!(
            "DHCP: the laptop behind anna got {lease} from {}, three hops away, after {:.1} s",
            router_name(server),
            took.as_secs_f64()
        ))
    });
    if address.is_none() {
        laptop.namespace.add_address("eth0", &own)?;
    }
    let laptop_address = address.unwrap_or(laptop.address());
    steps.take(start, "a printer is found by its name (mDNS)", || {
        found(&laptop, &printer).map(|took| {
            format!(
                "mDNS: avahi-browse on the laptop found \"Printer of dora\" at {} after {:.1} s",
                printer.address(),
                took.as_secs_f64()
            )
        })
    });
    steps.take(start, "a phone walks while packets run towards it", || {
        roam(start, &lab, &nodes, &phone, &printer)
    });
    let dead = chosen.unwrap_or(GATEWAYS[0]);
    let other = if dead == GATEWAYS[0] { 1 } else { 0 };
    say(start, &format!("the power of {} is cut (SIGKILL)", NAMES[dead]));
    nodes[dead].kill()?;
    let died = Instant::now();
    steps.take(start, "a gateway dies, and leases come from the other", || {
        needs(&DHCP)?;
        let (lease, server, _) = lease(&laptop.namespace)?;
        let took = died.elapsed();
        ensure!(server == routers[other].address(), "{} gave it", router_name(server));
        ensure!(took < Duration::from_secs(5), "it took {:.1} s", took.as_secs_f64());
        Ok(format!(
            "DHCP: {:.1} s after that the laptop, which asks once a second, has {lease} from {}. A kernel node would go on asking {} for minutes.",
            took.as_secs_f64(),
            router_name(server),
            NAMES[dead]
        ))
    });
    steps.take(start, "the other gateway is chosen", || {
        let heir = &nodes[GATEWAYS[other]];
        wait_for(LIMIT, "anna has chosen the other gateway", || {
            let rows = nodes[0].table("gateways")?;
            let is = |row: &serde_json::Value| {
                row["best"] == true && row["orig_address"] == *heir.originator()
            };
            ensure!(rows.iter().any(is), "{rows:?}");
            Ok(())
        })?;
        Ok(format!("anna has chosen {} (noctule gateways)", heir.name()))
    });
    steps.take(start, "the other LAN is still there", || {
        let router = &routers[other];
        let took = wait_for_ping(&laptop.namespace, router.address(), LIMIT)?;
        Ok(format!(
            "ping {laptop_address} -> {}: answered ({:.2} s of trying)",
            router.address(),
            took.as_secs_f64()
        ))
    });
    drop(servers);
    for node in &mut nodes {
        // The dead gateway has nothing left to stop.
        if node.daemon().is_ok() {
            node.stop()?;
        }
    }
    say(start, "all nodes stopped; each removed its bat0. The namespaces end with this program.");
    steps.summary()
}

fn router_name(address: Ipv4Addr) -> String {
    match address.octets()[3] {
        11 => format!("router1 behind dora ({address})"),
        12 => format!("router2 behind eve ({address})"),
        _ => address.to_string(),
    }
}

/// The gateway that anna has chosen, as soon as she knows both well.
fn gateway(nodes: &[Node]) -> Result<usize> {
    wait_for(LIMIT, "anna knows both gateways", || {
        let rows = nodes[0].table("gateways")?;
        let settled = rows.iter().all(|row| row["tq"].as_u64().is_some_and(|tq| tq > 60));
        ensure!(rows.len() == GATEWAYS.len() && settled, "{rows:?}");
        let best = rows.iter().find(|row| row["best"] == true).context("none is chosen")?;
        let is = |index: &&usize| best["orig_address"] == *nodes[**index].originator();
        GATEWAYS.iter().find(is).copied().with_context(|| format!("{best} is no gateway here"))
    })
}

/// Whether the programs of a step are there; if not, it is skipped.
fn needs(programs: &[(&str, &str)]) -> Result<()> {
    programs.iter().try_for_each(|(name, package)| program(name, package).map(drop))
}

/// Asks for an address once a second: it, the server that gave it, and how long that took.
fn lease(host: &Namespace) -> Result<(Ipv4Addr, Ipv4Addr, Duration)> {
    let busybox = packages::find("busybox").context("busybox is missing")?.display().to_string();
    let words = "udhcpc -f -q -n -T 1 -t 60 -i eth0 -s /bin/true";
    let words: Vec<&str> = std::iter::once(busybox.as_str()).chain(words.split(' ')).collect();
    let begun = Instant::now();
    let output = host.run(&words, LIMIT + SOON)?;
    let took = begun.elapsed();
    let said = output.stdout + &output.stderr;
    let after = |word: &str| -> Option<Ipv4Addr> {
        let (_, rest) = said.split_once(word)?;
        rest.split([',', ' ', '\n']).next()?.parse().ok()
    };
    let [lease, server] = [after("lease of "), after(" obtained from ")];
    Ok((lease.with_context(|| format!("no lease: {said}"))?, server.context("no server")?, took))
}

/// The printer says what it is, the laptop looks for it.
fn found(laptop: &Client, printer: &Client) -> Result<Duration> {
    let publish = "exec avahi-publish --service 'Printer of dora' _ipp._tcp 631 paper=A4";
    let _printer: Process = with_avahi(&printer.namespace, "printer", publish)?;
    let look = "while :; do avahi-browse --resolve --terminate --parsable _ipp._tcp; sleep 1; done";
    let begun = Instant::now();
    let seeker = with_avahi(&laptop.namespace, "seeker", look)?;
    let address = printer.address().to_string();
    wait_for(LIMIT, "the printer is found", || {
        let log = seeker.log();
        let is = |line: &str| line.starts_with("=;eth0;IPv4;") && line.contains(&address);
        ensure!(log.lines().any(is), "{log}");
        Ok(begun.elapsed())
    })
}

/// The phone leaves anna's LAN for ben's and comes back.
fn roam(
    start: Instant,
    lab: &Lab,
    nodes: &[Node],
    phone: &Client,
    from: &Client,
) -> Result<String> {
    phone.plug(lab, &nodes[0])?;
    wait_for_ping(&from.namespace, phone.address(), LIMIT)?;
    let stream =
        from.namespace.with(|| Echo::open(phone.address()))?.stream(Duration::from_secs(1) / RATE);
    sleep(Duration::from_secs(1));
    let mut walks = Vec::new();
    for (place, name) in [(1, "ben"), (0, "anna")] {
        let left = Instant::now();
        phone.unplug()?;
        phone.plug(lab, &nodes[place])?;
        let away = left.elapsed();
        say(
            start,
            &format!(
                "the phone walks to {name}; {RATE} packets a second run towards it from the printer, three hops away"
            ),
        );
        // As a phone does that has a new access point: it says something.
        wait_for_ping(&phone.namespace, from.address(), LIMIT)?;
        sleep(Duration::from_secs(2));
        walks.push((left, away));
    }
    sleep(Duration::from_secs(1));
    let log = stream.stop()?;
    let mut text = String::from("the phone is reachable again");
    for (left, away) in walks {
        let back = log.recovery(left, 5).context("the packets never came back")?;
        let (lost, sent) = log.lost(left, left + Duration::from_secs(2));
        text += &format!(
            " {:.0} ms after it left ({:.0} ms of that without any network; {lost} of {sent} packets lost),",
            back.as_secs_f64() * 1e3,
            away.as_secs_f64() * 1e3
        );
        ensure!(back < Duration::from_secs(5), "{text}");
    }
    text.pop();
    Ok(text)
}

/// Installs the programs where that is allowed, before anything is built. What is not there then is left out.
pub(super) fn prepare() {
    if let Err(error) = packages::ensure(&PROGRAMS) {
        println!("{error:#}\nThe steps that need what is missing are skipped.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cannot be tried is no failure, and keeps nothing from being tried.
    #[test]
    fn a_missing_program_skips_its_steps_only() {
        let start = Instant::now();
        let mut steps = Steps::default();
        let mut taken = 0;
        steps.take(start, "one", || {
            needs(&[("sh", "dash"), ("no-such-program", "its-package")])?;
            taken += 1;
            Ok(String::new())
        });
        let reason = format!("{:#}", steps.0[0].1.as_ref().unwrap_err());
        assert_eq!(reason, "no no-such-program (apt install its-package)");
        steps.take(start, "two", || {
            taken += 1;
            Ok("done".into())
        });
        assert_eq!(taken, 1);
        steps.summary().unwrap();
        let mut steps = Steps::default();
        steps.take(start, "three", || bail!("broken"));
        assert_eq!(steps.summary().unwrap_err().to_string(), "did not work: three");
    }
}
