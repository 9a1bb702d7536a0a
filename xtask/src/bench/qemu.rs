//! A guest with two processors whose instructions cost the same in the kernel and outside: a stock Debian kernel in QEMU,
//! emulated, with this machine's own files (read only) as its root.
//!
//! A small initial file system of our own mounts the root by 9p and starts one command. The run's folder, writable, is
//! [`RESULTS`] inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cpio::Archive;
use super::processor;
use crate::lab::{self, Process};
use crate::packages;
use crate::uml::apt::Suite;
use crate::uml::{Release, cache_folder, lock};

/// Programs of this machine that a guest needs, with their packages.
pub(super) const PROGRAMS: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("modprobe", "kmod"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("batctl", "batctl"),
];
/// Where a guest finds the run's folder.
pub(super) const RESULTS: &str = "/mnt/results";
/// What the initial file system needs to reach the root.
const BOOT_MODULES: [&str; 3] = ["virtio_pci", "9pnet_virtio", "9p"];
/// What the peers need.
const MODULES: &str = "batman-adv veth bridge tun sch_ingress cls_u32 cls_bpf act_mirred";
/// How long one of this machine's programs may take.
const SOON: Duration = Duration::from_secs(120);

/// A stock kernel with its modules, unpacked.
pub(super) struct Kernel {
    root: PathBuf,
    release: String,
    /// A busybox that needs no libraries.
    busybox: PathBuf,
}

impl Kernel {
    /// Finds it in the cache, or fetches it from the package archive.
    pub(super) fn get(asked: Release) -> Result<Self> {
        ensure!(std::env::consts::ARCH == "x86_64", "the guest is made for x86-64 only");
        packages::ensure(&PROGRAMS)?;
        let home = cache_folder()?.join(format!("qemu-{}", asked.suite()));
        fs::create_dir_all(&home)?;
        let _lock = lock(&home.join("lock"))?;
        let (root, complete) = (home.join("root"), home.join("complete"));
        let busybox = home.join("busybox");
        if let Ok(release) = fs::read_to_string(&complete) {
            return Ok(Self { root, release, busybox });
        }
        let suite = Suite::prepare(asked.suite(), &home.join("apt"))?;
        let image = suite
            .depends("linux-image-amd64")?
            .into_iter()
            .find(|name| name.starts_with("linux-image-"))
            .context("linux-image-amd64 depends on no kernel")?;
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        suite.unpack(&image, &root)?;
        // Newer suites have the modules and the kernel itself in packages of their own.
        for part in suite.depends(&image)? {
            if part.starts_with("linux-binary-") || part.starts_with("linux-modules-") {
                suite.unpack(&part, &root)?;
            }
        }
        // Where /lib is a link to /usr/lib, packages do not bring it.
        if !root.join("lib").exists() {
            std::os::unix::fs::symlink("usr/lib", root.join("lib"))?;
        }
        let release = image.trim_start_matches("linux-image-").to_owned();
        let depmod = packages::find("depmod").context("depmod is missing")?;
        let mut command = lab::tied(depmod.as_os_str());
        lab::run(command.arg("-b").args([&root, &PathBuf::from(&release)]), SOON)?.success()?;
        // This machine's own may need libraries.
        let tools = home.join("tools");
        suite.unpack("busybox-static", &tools)?;
        let found = ["usr/bin/busybox", "bin/busybox"].map(|name| tools.join(name));
        let found = found.iter().find(|path| path.is_file());
        fs::copy(found.context("busybox-static holds no busybox")?, &busybox)?;
        fs::write(&complete, &release)?;
        Ok(Self { root, release, busybox })
    }

    /// Boots it and runs `script` (by `sh`, with [`RESULTS`] as its folder). Returns the share of the time they were to run for which
    /// its processors had to wait for this machine's.
    ///
    /// # Errors
    /// If it cannot boot, the script fails, or all does not end within `limit`.
    pub(super) fn run(&self, folder: &Path, script: &str, limit: Duration) -> Result<f64> {
        let status = folder.join("status");
        let _ = fs::remove_file(&status);
        fs::write(folder.join("initrd"), self.initial()?)?;
        fs::write(folder.join("start.sh"), self.start(script))?;
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
            .args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024M"])
            .args(["-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"])
            .arg("-kernel")
            .arg(kernel)
            .arg("-initrd")
            .arg(folder.join("initrd"))
            .args(["-append", "quiet panic=-1 loglevel=3 console=ttyS0"])
            .args(share("host", Path::new("/"), ",readonly=on"))
            .args(share("results", folder, ""));
        let mut guest = Process::spawn(&mut command, "qemu", &folder.join("console.log"))?;
        let deadline = Instant::now() + limit;
        let mut waited = 0.0;
        while guest.is_running() && Instant::now() < deadline {
            waited = processor::waited(guest.id()).unwrap_or(waited);
            std::thread::sleep(Duration::from_millis(200));
        }
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        match read("status").trim() {
            "0" => Ok(waited),
            "" if guest.is_running() => bail!("the guest did not end within {limit:?}"),
            "" => bail!("the guest died: {}", tail(&guest.log())),
            code => bail!("exit status {code} inside the guest: {}", tail(&read("stderr"))),
        }
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

    /// What runs as process 1 once the root is there.
    fn start(&self, script: &str) -> String {
        let root = self.root.display();
        format!(
            "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run TMPDIR=/run\n\
             exec </dev/null >{RESULTS}/stdout 2>{RESULTS}/stderr\n\
             ip link set lo up\n\
             for m in {MODULES}; do modprobe -q -d '{root}' $m; done\n\
             [ -e /dev/net/tun ] || {{ mkdir -p /dev/net; mknod /dev/net/tun c 10 200; }}\n\
             cd {RESULTS}\n\
             (\n{script}\n)\n\
             echo $? >{RESULTS}/status; sync; echo o >/proc/sysrq-trigger; sleep 60\n"
        )
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
