//! Which test names which rule.
//!
//! Test code is a file below a `tests` folder, a file `tests.rs`, the part of a source file from
//! `#[cfg(test)]` on, and the scenarios of the real tiers in xtask. A rule named in a function, or in
//! the comments right above it, is proven by that function. The source is formatted, so indentation
//! tells where a function ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::rules::{Key, Page};

/// Where tests are looked for, below the project's folder.
const ROOMS: [&str; 3] = ["crates", "fuzz", "xtask/src"];

/// A test that names rules.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Proof {
    /// The tier that runs it.
    pub(super) tier: &'static str,
    /// Its file, below the project's folder.
    pub(super) file: String,
    /// The function, or the table of data.
    pub(super) name: String,
}

/// The tests that name a rule, for each rule that one names.
pub(super) struct Proofs(BTreeMap<Key, BTreeSet<Proof>>);

impl Proofs {
    /// Looks through the project's tests.
    pub(super) fn collect(project: &Path, pages: &[Page]) -> Result<Self> {
        let known: BTreeSet<Key> =
            pages.iter().flat_map(|page| &page.rules).map(super::rules::Rule::key).collect();
        let mut files = Vec::new();
        for room in ROOMS {
            list(&project.join(room), &mut files)?;
        }
        let mut proofs = BTreeMap::<_, BTreeSet<_>>::new();
        for path in files {
            let relative = path.strip_prefix(project).unwrap_or(&path);
            let file = relative.to_string_lossy().into_owned();
            let Some(part) = TestPart::of(&file) else { continue };
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let tier = tier(&file);
            for (key, name) in named(part.cut(&text), &known) {
                let proof = Proof { tier, file: file.clone(), name };
                proofs.entry(key).or_default().insert(proof);
            }
        }
        Ok(Self(proofs))
    }

    /// The tests that name the rule.
    pub(super) fn of(&self, key: &Key) -> impl Iterator<Item = &Proof> {
        self.0.get(key).into_iter().flatten()
    }
}

/// The Rust files below a folder that may not exist, in order.
fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Which part of a file is test code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TestPart {
    All,
    FromCfgTest,
}

impl TestPart {
    fn of(file: &str) -> Option<Self> {
        let in_xtask = file.strip_prefix("xtask/src/");
        if let Some(inner) = in_xtask {
            let scenarios = ["interop", "netns"].iter().any(|tier| inner.starts_with(tier));
            return scenarios.then_some(Self::All);
        }
        let all = file.contains("/tests/") || file.ends_with("/tests.rs");
        Some(if all { Self::All } else { Self::FromCfgTest })
    }

    fn cut(self, text: &str) -> &str {
        match self {
            Self::All => text,
            Self::FromCfgTest => text.find("#[cfg(test)]").map_or("", |start| &text[start..]),
        }
    }
}

/// The tier of a file; the names are those of `cargo xtask test`.
fn tier(file: &str) -> &'static str {
    let program = file.rsplit_once("/tests/").map_or("", |(_, program)| program);
    match file {
        _ if file.starts_with("xtask/src/interop") => "interop",
        _ if file.starts_with("xtask/src/netns") => "netns",
        _ if file.starts_with("crates/sim/") => "simulation",
        _ if file.starts_with("fuzz/") => "fuzz",
        _ if program.starts_with("captur") => "captures",
        _ if program.starts_with("decode") => "decode",
        _ if file.starts_with("crates/dataplane/tests/") && program.contains("ring") => "rings",
        _ => "unit",
    }
}

/// A function or table that the lines at hand belong to.
struct Item {
    name: String,
    indent: usize,
}

/// The rules that test code names, each with the innermost function or table around it.
fn named(text: &str, known: &BTreeSet<Key>) -> BTreeSet<(Key, String)> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Item> = Vec::new();
    // Rules in comments and attributes, waiting for the item below them.
    let mut above: Vec<Key> = Vec::new();
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if code.starts_with("//!") {
            continue;
        }
        let keys = keys(line, known);
        if let Some(name) = item_name(code) {
            let name = name.to_owned();
            found.extend(above.drain(..).chain(keys).map(|key| (key, name.clone())));
            if !ends_at_once(code) {
                open.push(Item { name, indent });
            }
            continue;
        }
        let aside = code.starts_with("//") || code.starts_with("#[");
        match open.last() {
            Some(item) => {
                let name = item.name.clone();
                found.extend(keys.into_iter().map(|key| (key, name.clone())));
                let closes = ["}", "};", "];", ");"].contains(&code);
                if indent == item.indent && closes {
                    open.pop();
                }
            }
            None if aside => above.extend(keys),
            None if code.is_empty() => {}
            None => above.clear(),
        }
    }
    found
}

/// The name of the function, constant or macro that the line begins.
fn item_name(code: &str) -> Option<&str> {
    let mut words = code.split_inclusive([' ', '(']).map(|word| word.trim_end_matches([' ', '(']));
    let word = words.by_ref().find(|word| !is_modifier(word))?;
    if !["fn", "const", "static"].contains(&word) {
        return None;
    }
    let name = words.next()?.split(['<', ':', '(']).next()?;
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (is_name && name != "_").then_some(name)
}

fn is_modifier(word: &str) -> bool {
    word.starts_with("pub") || word.ends_with(')') || ["unsafe", "async"].contains(&word)
}

/// Whether an item begins and ends on this line.
fn ends_at_once(code: &str) -> bool {
    code.ends_with(';') || (code.contains('{') && code.ends_with('}'))
}

/// The known rules in a line: `TT-38`, `tt_38`, `TT_38b`.
fn keys(line: &str, known: &BTreeSet<Key>) -> Vec<Key> {
    let bytes = line.as_bytes();
    let mut keys = Vec::new();
    for (at, _) in line.match_indices(['-', '_']) {
        let letters =
            bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if letters == 0 || digits == 0 {
            continue;
        }
        let family = line[at - letters..at].to_ascii_uppercase();
        let Ok(number) = line[at + 1..=at + digits].parse() else { continue };
        // A letter belongs to the rule if it stands alone: `38b`, not the `ms` of `38ms`.
        let mut rest = bytes[at + 1 + digits..].iter().map(|byte| char::from(*byte));
        let letter = rest.next().filter(char::is_ascii_lowercase);
        let alone = !rest.next().is_some_and(|next| next.is_ascii_alphabetic());
        let with_letter = (family.clone(), number, letter.filter(|_| alone));
        let plain = (family, number, None);
        keys.extend([with_letter, plain].into_iter().find(|key| known.contains(key)));
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::super::rules::Rule;
    use super::*;

    fn known() -> BTreeSet<Key> {
        ["AB-1", "AB-2", "AB-2b", "AB-3", "CD-10"]
            .iter()
            .map(|text| Rule::parse(text).unwrap().key())
            .collect()
    }

    fn found(text: &str) -> Vec<String> {
        named(text, &known())
            .into_iter()
            .map(|((family, number, letter), name)| {
                format!("{family}-{number}{} {name}", letter.map_or_else(String::new, String::from))
            })
            .collect()
    }

    #[test]
    fn a_rule_belongs_to_the_function_around_or_below_it() {
        let text = "
//! AB-3 in the head of a file proves nothing.
#[cfg(test)]
mod tests {
    /// Shows AB-01.
    #[test]
    fn first() {
        helper(|x| {
            x + 1 // CD-10
        });
    }

    fn ab_2b_by_its_name() {}

    #[test]
    pub(crate) async fn third(
        a: u32,
    ) {
        assert!(a > 0, \"AB_2\");
    }

    // AB-3 stands alone.
    struct Other;

    const ROWS: [u8; 2] = [
        1, // AB-1
    ];
}
";
        assert_eq!(
            found(text),
            ["AB-1 ROWS", "AB-1 first", "AB-2 third", "AB-2b ab_2b_by_its_name", "CD-10 first"]
        );
    }

    #[test]
    fn names_are_told_from_look_alikes() {
        let keys = |line: &str| keys(line, &known()).len();
        assert_eq!(keys("ab_1_and_cd_10"), 2);
        assert_eq!(keys("AB-1ms, AB-1."), 2);
        assert_eq!(keys("xab_1 AB-11 AB-100 AB - 1 AB-x 1-1"), 0);
    }

    #[test]
    fn files_belong_to_tiers() {
        assert_eq!(tier("crates/wire/src/ogm.rs"), "unit");
        assert_eq!(tier("crates/wire/tests/captures.rs"), "captures");
        assert_eq!(tier("crates/wire/tests/round_trip.rs"), "unit");
        assert_eq!(tier("crates/dataplane/tests/packet_ring.rs"), "rings");
        assert_eq!(tier("crates/sim/src/lib.rs"), "simulation");
        assert_eq!(tier("xtask/src/interop/scenarios/chain.rs"), "interop");
        assert_eq!(TestPart::of("xtask/src/lab.rs"), None);
        assert_eq!(TestPart::of("crates/wire/src/tvlv/tests.rs"), Some(TestPart::All));
        assert_eq!(TestPart::of("crates/wire/src/ogm.rs"), Some(TestPart::FromCfgTest));
    }
}
