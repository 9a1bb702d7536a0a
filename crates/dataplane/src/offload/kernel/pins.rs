//! The files by which maps and links outlive the process.

use super::super::layout::LAYOUT;
use std::fs;
use std::path::{Path, PathBuf};

/// How the file of an interface's link begins.
pub(super) const LINK: &str = "link-";

pub(super) fn link_path(place: &Path, ifindex: u32) -> PathBuf {
    place.join(format!("{LINK}{ifindex}"))
}

/// Removes what is pinned in a directory, and the directory.
pub(super) fn remove_pins(place: &Path) {
    for file in fs::read_dir(place).into_iter().flatten().flatten() {
        let _ = fs::remove_file(file.path());
    }
    let _ = fs::remove_dir(place);
}

/// The same, and those above it that are empty then.
pub(super) fn remove_folder(place: &Path) {
    remove_pins(place);
    place.ancestors().skip(1).take(2).for_each(|parent| drop(fs::remove_dir(parent)));
}

/// What an older or newer version of this program left cannot be read, and what it forwards nobody renews.
pub(super) fn remove_other_layouts(base: &Path) {
    for layout in fs::read_dir(base).into_iter().flatten().flatten() {
        if layout.file_name() != LAYOUT {
            remove_pins(&layout.path());
        }
    }
}
