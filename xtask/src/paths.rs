//! Where things are: the project's own folder, the target folder, and this program.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The project's folder.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies inside the project")
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => project().join(folder),
        _ => project().join("target"),
    }
}

/// A copy of the running program, removed on drop.
///
/// A build of the workspace replaces the program's file while it runs; what it starts of itself
/// afterwards would be another program, or none.
pub(crate) struct Copy(PathBuf);

impl Copy {
    /// Makes the copy in the target folder, and removes copies that ended runs have left.
    pub(crate) fn new() -> Result<Self> {
        let folder = target().join("xtask").join("running");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for entry in fs::read_dir(&folder)?.flatten() {
            let process = Path::new("/proc").join(entry.file_name());
            if !process.exists() {
                let _ = fs::remove_file(entry.path());
            }
        }
        let path = folder.join(std::process::id().to_string());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::copy("/proc/self/exe", &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
