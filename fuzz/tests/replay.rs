//! The committed corpora, and simple mutations of them, through every target: needs no fuzzer and no nightly compiler.

use noctule_fuzz::TARGETS;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

/// Mutations of each seed.
const MUTATIONS: u32 = 5_000;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = entries(&folder("corpus").join(target));
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Runs a target and shows the bytes that broke it.
fn try_on(name: &str, target: noctule_fuzz::Target, bytes: &[u8]) {
    if catch_unwind(|| target(bytes)).is_err() {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{name}: {hex}");
    }
}

#[test]
fn committed_seeds_hold() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seed");
        for seed in seeds {
            for len in 0..=seed.len() {
                try_on(name, *target, &seed[..len]);
            }
        }
    }
}

/// A xorshift generator: the same mutations in every run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }

    /// One to four changes: a bit, a byte, a length, a piece taken out or said twice.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = at + self.below(bytes.len() - at);
            match self.below(6) {
                _ if bytes.is_empty() => bytes.push(0),
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][self.below(5)],
                2 => bytes[at] = bytes[at].wrapping_add(if self.below(2) == 0 { 2 } else { 254 }),
                3 => bytes.truncate(at),
                4 => drop(bytes.drain(at..end)),
                _ => bytes.extend_from_within(at..end),
            }
        }
        bytes
    }
}

#[test]
fn mutated_seeds_hold() {
    let mut rng = Rng(0x6e6f_6374_756c_6501);
    for (name, target) in TARGETS {
        for seed in seeds(name) {
            for _ in 0..MUTATIONS {
                try_on(name, *target, &rng.mutate(&seed));
            }
        }
    }
}

/// A target without a corpus, a file or a `[[bin]]` would never be fuzzed.
#[test]
fn every_target_is_complete() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len());
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let files: BTreeSet<String> = entries(&folder("fuzz_targets")).iter().map(name).collect();
    assert_eq!(files, names, "fuzz_targets");
    let corpora: BTreeSet<String> = entries(&folder("corpus")).iter().map(name).collect();
    assert_eq!(corpora, names, "corpus");
    let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
    for name in names {
        let bin = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(manifest.contains(&bin), "Cargo.toml: {name}");
    }
}
