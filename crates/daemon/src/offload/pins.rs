//! Where maps and programs are pinned: a folder for each mesh on the BPF file system.

use nix::sys::statfs::{FsType, statfs};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where systems have their BPF file system.
const BPF_FS: &str = "/sys/fs/bpf";
/// `BPF_FS_MAGIC`.
const MAGIC: libc::c_long = 0xcafe_4a11;

/// The folder of a mesh, which need not exist. Network namespaces share the file system, and each can have a mesh of this
/// name: so it has the number of the namespace in its name.
///
/// # Errors
/// Nothing can be pinned here: why.
pub(super) fn place(mesh: &str) -> Result<PathBuf, String> {
    let mounted = statfs(BPF_FS).is_ok_and(|found| found.filesystem_type() == FsType(MAGIC as _));
    if !mounted {
        return Err(format!("no BPF file system at {BPF_FS}"));
    }
    let namespace = fs::metadata("/proc/thread-self/ns/net")
        .map_err(|error| format!("cannot tell the network namespace: {error}"))?;
    // A name there cannot have a dot in it; that of an interface cannot have a percent sign.
    let mesh = mesh.replace('.', "%");
    Ok(Path::new(BPF_FS).join("noctule").join(format!("{mesh}@{}", namespace.ino())))
}

/// Takes out whatever lies there.
pub(super) fn clear(place: &Path) {
    for layout in fs::read_dir(place).into_iter().flatten().flatten() {
        for file in fs::read_dir(layout.path()).into_iter().flatten().flatten() {
            let _ = fs::remove_file(file.path());
        }
        let _ = fs::remove_dir(layout.path());
    }
    let _ = fs::remove_dir(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_has_a_folder_of_its_own_without_dots() {
        let Ok(folder) = place("bat.0") else {
            return println!("SKIPPED: no BPF file system");
        };
        let name = folder.file_name().and_then(|name| name.to_str()).unwrap();
        assert!(name.starts_with("bat%0@") && !name.contains('.'), "{name}");
        assert_ne!(place("bat0").unwrap(), folder);
    }
}
