//! A guest with two processors whose instructions cost the same in the kernel and outside: a stock Debian kernel in QEMU,
//! emulated, with this machine's own files (read only) as its root.
//!
//! This file finds the kernel; [`guest`] boots it.

mod cpio;
pub(crate) mod guest;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::lab;
use crate::packages;
use crate::uml::apt::Suite;
use crate::uml::{Release, cache_folder, lock};

/// Programs of this machine that a guest needs, with their packages.
const PROGRAMS: [(&str, &str); 5] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("modprobe", "kmod"),
    ("depmod", "kmod"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
];
/// How long one of this machine's programs may take.
const SOON: Duration = Duration::from_secs(120);

/// A stock kernel with its modules, unpacked.
pub(crate) struct Kernel {
    /// Where its packages are unpacked: what `modprobe -d` wants.
    pub(crate) root: PathBuf,
    /// What it calls itself, for example `7.2.13+deb14-amd64`.
    pub(crate) release: String,
    /// A busybox that needs no libraries.
    busybox: PathBuf,
}

impl Kernel {
    /// Finds it in the cache, or fetches it from the package archive.
    pub(crate) fn get(asked: Release) -> Result<Self> {
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
}
