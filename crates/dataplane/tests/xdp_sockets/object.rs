//! The objects that are checked in are what Debian's clang makes of the source: nobody who builds the crate needs a compiler
//! for BPF, and nobody has to trust an object.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The release whose output is checked in: another one may order instructions otherwise.
const CLANG: &str = "clang version 14.";

#[test]
fn the_objects_are_built_from_the_source() {
    let version = Command::new("clang").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    match version {
        Ok(text) if text.contains(CLANG) => {}
        Ok(text) => {
            let line = text.lines().next().unwrap_or_default();
            return println!("SKIPPED: {line}, not {CLANG} as in Debian 12");
        }
        Err(error) => return println!("SKIPPED: clang: {error}; install Debian's clang"),
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/xdp/bpf");
    let built = std::env::temp_dir().join(format!("noctule-xdp-{}", std::process::id()));
    fs::create_dir_all(&built).unwrap();
    let status = Command::new(source.join("build.sh")).arg(&built).status().unwrap();
    assert!(status.success());
    for name in ["redirect.bpfel.o", "redirect.bpfeb.o"] {
        let anew = fs::read(built.join(name)).unwrap();
        let kept = fs::read(source.join(name)).unwrap();
        assert!(anew == kept, "{name} is not what the source says: run src/xdp/bpf/build.sh");
    }
    fs::remove_dir_all(&built).unwrap();
}
