//! Gives a test a network namespace of its own, as root or inside an unprivileged user namespace, so that the host's
//! network is never touched. Links are made over netlink by [`link`]: nothing needs to be installed.

pub(crate) mod link;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, write};
use std::ffi::CStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Set in the process that runs the test's body.
const INSIDE: &str = "NOCTULE_TEST_NETNS";

/// Runs `body` in a fresh network namespace: this test binary is started again for the test `name` alone, in a process
/// that leaves the namespace first. Where the system allows no namespaces the test is skipped and says why.
pub(crate) fn isolated(name: &str, body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let root = Uid::effective().is_root();
    let outcome = if root { run(name, false) } else { run(name, true) };
    let outcome = match outcome {
        // Root inside a container that may make namespaces only with a user namespace around them.
        Err(error) if root && error.raw_os_error() == Some(libc::EPERM) => run(name, true),
        outcome => outcome,
    };
    match outcome {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name} failed in its namespace:\n{text}");
            assert!(text.contains("1 passed"), "{name} is not the name of this test:\n{text}");
            print!("{text}");
        }
        Err(error) => println!(
            "SKIPPED {name}: no network namespace ({error}); run as root, or allow unprivileged user namespaces"
        ),
    }
}

fn run(name: &str, with_user: bool) -> io::Result<std::process::Output> {
    let program = std::env::current_exe()?;
    let maps = [
        (c"/proc/self/setgroups", "deny".to_owned()),
        (c"/proc/self/uid_map", format!("0 {} 1", Uid::effective())),
        (c"/proc/self/gid_map", format!("0 {} 1", Gid::effective())),
    ];
    let enter = move || -> io::Result<()> {
        if !with_user {
            return Ok(unshare(CloneFlags::CLONE_NEWNET)?);
        }
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        for (path, text) in &maps {
            put(path, text)?;
        }
        Ok(())
    };
    let mut command = Command::new(program);
    command
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .stdin(Stdio::null());
    // SAFETY: between fork and exec `enter` makes system calls only: it allocates nothing and takes no lock.
    unsafe { command.pre_exec(enter) };
    command.output()
}

fn put(path: &CStr, text: &str) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(file, text.as_bytes()).map(drop)
}
