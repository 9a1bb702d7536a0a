//! `scripts/*.sh`, as a person runs them.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, setns};

use super::{LIMIT, program_path};
use crate::interop::echo::Echo;
use crate::lab::{Output, Skipped, run, tied, wait_for};
use crate::node::check_tun;
use crate::{paths, program};

/// Runs a script that leaves processes behind in a session of their own, so that they outlive it as they do at a shell.
fn script(name: &str, arguments: &[&str]) -> Result<Output> {
    let path = paths::project().join("scripts").join(name);
    let mut command = tied("setsid".as_ref());
    command.arg("--wait").arg(&path).args(arguments).env(program::VARIABLE, program_path()?);
    run(&mut command, LIMIT)
}

/// The namespaces that `ip` knows.
fn namespaces() -> Vec<String> {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Pings from inside one of them.
fn ping(from: &str, to: Ipv4Addr) -> Result<()> {
    let namespace = File::open(Path::new("/run/netns").join(from))?;
    let mut echo = std::thread::scope(|scope| {
        let open = || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)?;
            Echo::open(to)
        };
        scope.spawn(open).join().expect("opening a socket does not panic")
    })?;
    let attempt = || echo.ping(56, Duration::from_millis(200))?.context("lost");
    wait_for(LIMIT, &format!("{from} reaches {to}"), attempt).map(|_| ())
}

/// Takes everything down, whatever came before.
struct Down;

impl Drop for Down {
    fn drop(&mut self) {
        let _ = script("down.sh", &[]);
    }
}

pub(super) fn the_scripts_build_a_chain_and_a_diamond_and_take_them_down() -> Result<()> {
    check_tun()?;
    for needed in [&["ip", "-V"][..], &["setsid", "--version"]] {
        let mut command = tied(needed[0].as_ref());
        command.args(&needed[1..]);
        if run(&mut command, LIMIT).is_err() {
            return Err(Skipped::because(format!(
                "no {} (package iproute2 or util-linux)",
                needed[0]
            )));
        }
    }
    let _down = Down;
    let built = [("chain.sh", &["3"][..], 3_u8), ("diamond.sh", &[][..], 4)];
    for (name, arguments, count) in built {
        let text = script(name, arguments)?.success().with_context(|| name.to_owned())?;
        ensure!(text.contains("nodes are up"), "{name} said {text}");
        let expected: Vec<String> = (1..=count).map(|number| format!("noctule{number}")).collect();
        ensure!(namespaces() == expected, "{name} made {:?}", namespaces());
        ping("noctule1", Ipv4Addr::new(10, 99, 0, count))?;
        // The commands that it tells people to try, without the sudo.
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("sudo ")) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words[0] != "ip" {
                let mut command = tied(words[0].as_ref());
                command.args(&words[1..]);
                run(&mut command, LIMIT)?.success().with_context(|| line.to_owned())?;
            }
        }
        let again = script(name, arguments)?;
        ensure!(again.status.code() == Some(2), "{name} twice: {:?}", again.status);
        ensure!(
            again.stderr.contains("already up") && again.stderr.lines().count() == 1,
            "{}",
            again.stderr
        );
        script("down.sh", &[])?.success().context("down.sh")?;
        ensure!(namespaces().is_empty(), "down.sh left {:?}", namespaces());
        let left = fs::read_dir("/run/noctule").into_iter().flatten().flatten();
        let left: Vec<_> = left
            .map(|entry| entry.file_name())
            .filter(|name| !name.to_string_lossy().ends_with(".log"))
            .collect();
        ensure!(left.is_empty(), "down.sh left {left:?} in /run/noctule");
    }
    let wrong = script("chain.sh", &["many"])?;
    ensure!(
        wrong.status.code() == Some(2) && wrong.stderr.contains("must be a number"),
        "{wrong:?}"
    );
    ensure!(namespaces().is_empty(), "a wrong call made {:?}", namespaces());
    Ok(())
}
