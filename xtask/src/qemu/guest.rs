//! One run of a guest: boot, a script as root inside it, what it printed.
//!
//! A small initial file system of our own mounts the root by 9p and starts the script. The run's folder, writable, is
//! [`RESULTS`] inside.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cpio::Archive;
use super::{Kernel, SOON};
use crate::bench::processor;
use crate::lab::{self, Process};
use crate::packages;

/// Where a guest finds the run's folder.
pub(crate) const RESULTS: &str = "/mnt/results";
/// What the initial file system needs to reach the root.
const BOOT_MODULES: [&str; 3] = ["virtio_pci", "9pnet_virtio", "9p"];
/// How often a running guest is looked at.
const POLL: Duration = Duration::from_millis(200);

/// What a guest's clock follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Clock {
    /// The time on the wall; two processors.
    Wall,
    /// The instructions of its one processor: each takes a nanosecond, and nobody waits while it is idle. What this machine does
    /// besides has no influence.
    Instructions,
}

impl Clock {
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Wall => &["-accel", "tcg,thread=multi", "-smp", "2"],
            Self::Instructions => {
                &["-accel", "tcg,thread=single", "-smp", "1", "-icount", "shift=0,sleep=off"]
            }
        }
    }
}

/// What is to be done in a guest.
pub(crate) struct Task<'a> {
    /// The run's folder; what is in it is kept.
    pub(crate) folder: &'a Path,
    /// Modules to load first, with spaces between.
    pub(crate) modules: &'a str,
    /// What `sh` runs, with [`RESULTS`] as its folder. `MODPROBE` is the command that finds the guest's modules.
    pub(crate) script: &'a str,
    /// How long all of it may take.
    pub(crate) limit: Duration,
    /// By what its time goes.
    pub(crate) clock: Clock,
}

/// How a script ended.
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: i32,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
    /// The share of the time they were to run for which the guest's processors had to wait for this machine's.
    pub(crate) waited: f64,
}

impl Ended {
    /// The same, if the script ended well.
    pub(crate) fn success(self) -> Result<Self> {
        ensure!(
            self.status == 0,
            "exit status {} inside the guest: {}",
            self.status,
            tail(&self.stderr)
        );
        Ok(self)
    }
}

impl Kernel {
    /// Boots it and runs the task's script; `said` gets the script's standard output while it comes.
    ///
    /// # Errors
    /// If it cannot boot, or all does not end within the limit.
    pub(crate) fn run(&self, task: &Task<'_>, said: &mut dyn FnMut(&str)) -> Result<Ended> {
        let folder = task.folder;
        for name in ["status", "stdout", "stderr"] {
            let _ = fs::remove_file(folder.join(name));
        }
        fs::write(folder.join("initrd"), self.initial()?)?;
        fs::write(folder.join("start.sh"), self.start(task))?;
        let mut guest = Process::spawn(&mut self.qemu(task)?, "qemu", &folder.join("console.log"))?;
        let deadline = Instant::now() + task.limit;
        let mut output = Follower { path: folder.join("stdout"), at: 0 };
        let mut waited = 0.0;
        while guest.is_running() && Instant::now() < deadline {
            waited = processor::waited(guest.id()).unwrap_or(waited);
            std::thread::sleep(POLL);
            output.pass_on(said);
        }
        output.pass_on(said);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        match read("status").trim() {
            "" if guest.is_running() => bail!("the guest did not end within {:?}", task.limit),
            "" => bail!("the guest died: {}", tail(&guest.log())),
            status => Ok(Ended {
                status: status.parse().context("the guest wrote an odd exit status")?,
                stdout: read("stdout"),
                stderr: read("stderr"),
                waited,
            }),
        }
    }

    fn qemu(&self, task: &Task<'_>) -> Result<Command> {
        let folder = task.folder;
        let qemu = packages::find("qemu-system-x86_64").context("QEMU is missing")?;
        let kernel = ["boot", "usr/lib/modules"]
            .map(|place| self.root.join(place))
            .into_iter()
            .flat_map(|place| {
                let name = format!("vmlinuz-{}", self.release);
                [place.join(name), place.join(&self.release).join("vmlinuz")]
            })
            .find(|path| path.is_file())
            .context("the package holds no kernel")?;
        let share = |id: &str, path: &Path, more: &str| {
            let share = format!(
                "local,id={id},path={},security_model=none,multidevs=remap{more}",
                path.display()
            );
            let device = format!("virtio-9p-pci,fsdev={id},mount_tag={id}");
            ["-fsdev".to_owned(), share, "-device".to_owned(), device]
        };
        let mut command = lab::tied(qemu.as_os_str());
        command
            .args(task.clock.words())
            .args(["-cpu", "max", "-m", "1024M"])
            .args(["-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(folder.join("initrd"))
            .args(["-append", "quiet panic=-1 loglevel=3 console=ttyS0"])
            .args(share("host", Path::new("/"), ",readonly=on"))
            .args(share("results", folder, ""));
        Ok(command)
    }

    /// The initial file system: busybox, the modules that reach the root, and a script.
    fn initial(&self) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        for folder in ["bin", "proc", "sys", "dev", "newroot", "results", "modules"] {
            archive.folder(folder);
        }
        archive.file("bin/busybox", &fs::read(&self.busybox)?);
        let mut loads = String::new();
        for path in self.closure()? {
            let name = path.file_name().context("a module without a name")?.to_string_lossy();
            let name = name.trim_end_matches(".xz").trim_end_matches(".zst").to_owned();
            archive.file(&format!("modules/{name}"), &unpacked(&path)?);
            loads.push_str(&format!("insmod /modules/{name}\n"));
        }
        let init = format!(
            "#!/bin/busybox sh\n\
             /bin/busybox --install -s /bin; export PATH=/bin\n\
             mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev\n\
             {loads}\
             o=trans=virtio,version=9p2000.L,msize=262144\n\
             mount -t 9p -o $o,cache=loose,ro host /newroot && mount -t 9p -o $o results /results || poweroff -f\n\
             for d in proc sys dev; do mount --move /$d /newroot/$d; done\n\
             for d in run mnt; do mount -t tmpfs tmp /newroot/$d; done\n\
             mkdir /newroot{RESULTS}; mount --move /results /newroot{RESULTS}\n\
             exec switch_root /newroot /bin/sh {RESULTS}/start.sh\n"
        );
        archive.file("init", init.as_bytes());
        Ok(archive.finish())
    }

    /// The files of [`BOOT_MODULES`] and what they need, in the order in which they load.
    fn closure(&self) -> Result<Vec<PathBuf>> {
        let modprobe = packages::find("modprobe").context("modprobe is missing")?;
        let mut files: Vec<PathBuf> = Vec::new();
        for module in BOOT_MODULES {
            let mut command = Command::new(&modprobe);
            command.arg("-d").arg(&self.root).args(["-S", &self.release, "--show-depends", module]);
            // One that is not found is built in; if it is not, the guest cannot reach its root and says so.
            let text = lab::run(&mut command, SOON)?.stdout;
            for file in text.lines().filter_map(|line| line.strip_prefix("insmod ")) {
                let file = PathBuf::from(file.trim());
                if !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }

    /// What runs as process 1 once the root is there. The kernel itself finds its modules, too.
    fn start(&self, task: &Task<'_>) -> String {
        let (root, modules, script) = (self.root.display(), task.modules, task.script);
        format!(
            "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run\n\
             export MODPROBE=\"modprobe -q -d {root}\"\n\
             exec </dev/null >{RESULTS}/stdout 2>{RESULTS}/stderr\n\
             printf '#!/bin/sh\nexec %s \"$@\"\n' \"$MODPROBE\" >/run/modprobe; chmod +x /run/modprobe\n\
             echo /run/modprobe >/proc/sys/kernel/modprobe\n\
             ip link set lo up\n\
             for m in {modules}; do $MODPROBE $m; done\n\
             [ -e /dev/net/tun ] || {{ mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }}\n\
             cd {RESULTS}\n\
             (\n{script}\n)\n\
             echo $? >{RESULTS}/status; sync; echo o >/proc/sysrq-trigger; sleep 60\n"
        )
    }
}

/// Reads what is added to a file.
struct Follower {
    path: PathBuf,
    at: u64,
}

impl Follower {
    /// Hands on the whole lines that have come since the last call.
    fn pass_on(&mut self, said: &mut dyn FnMut(&str)) {
        let mut bytes = Vec::new();
        // What cannot be read now can be read the next time.
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.at))?;
            file.read_to_end(&mut bytes)
        });
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if read.is_ok() && whole > 0 {
            self.at += whole as u64;
            said(&String::from_utf8_lossy(&bytes[..whole]));
        }
    }
}

/// A module's own bytes.
fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return Ok(fs::read(path)?),
    };
    let output = Command::new(program).arg("-dc").arg(path).output()?;
    ensure!(output.status.success(), "cannot unpack {}", path.display());
    Ok(output.stdout)
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join(" | ")
}
