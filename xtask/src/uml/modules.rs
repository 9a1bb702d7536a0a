//! The module tree of a kernel that is not installed.
//!
//! `modprobe -d` wants `ROOT/lib/modules/RELEASE` with the tables that `depmod` makes. The tree
//! links to the package's files and holds tables of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Makes the tree in `cache`, or finds the one made before, and returns its root.
pub(super) fn tree(cache: &Path, modules: &Path, release: &str) -> Result<PathBuf> {
    let tree = cache.join(format!("modules-{release}"));
    let _lock = super::lock(&cache.join(format!("modules-{release}.lock")))?;
    let source = modules.join(release);
    let complete = tree.join("complete");
    // The note of where the tree points: a package may move from the cache to the system.
    if fs::read_to_string(&complete).is_ok_and(|text| text == source.to_string_lossy()) {
        return Ok(tree);
    }
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let folder = tree.join("lib/modules").join(release);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&source)? {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let made_by_depmod = text.starts_with("modules.");
        let read_by_depmod = matches!(
            text.as_ref(),
            "modules.order" | "modules.builtin" | "modules.builtin.modinfo"
        );
        if read_by_depmod {
            fs::copy(entry.path(), folder.join(&name))?;
        } else if !made_by_depmod {
            symlink(entry.path(), folder.join(&name))?;
        }
    }
    let depmod =
        crate::packages::find("depmod").context("depmod is missing; `apt-get install kmod`")?;
    let status = Command::new(depmod)
        .arg("-b")
        .args([&tree, &PathBuf::from(release)])
        .stderr(Stdio::null())
        .status()?;
    let made = fs::metadata(folder.join("modules.dep")).is_ok_and(|file| file.len() > 0);
    if !status.success() || !made {
        bail!("depmod made no table for {}", source.display());
    }
    fs::write(complete, source.to_string_lossy().as_bytes())?;
    Ok(tree)
}
