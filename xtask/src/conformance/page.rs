//! The page `docs/conformance.md`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::left_out::LeftOut;
use super::proofs::{Proof, Proofs};
use super::rules::{Page, Rule};

const HEAD: &str = "\
# Conformance

Which test proves which rule of [protocol](protocol/). Written by `cargo xtask conformance` from the
rules' IDs in test code, and from [left-out.toml](left-out.toml); do not edit. `cargo xtask test` fails
when this page is stale.

";

/// How many rules of a page are in which state.
#[derive(Clone, Copy, Default)]
struct Tally {
    rules: usize,
    proven: usize,
    left_out: usize,
}

impl Tally {
    fn of<'a>(rules: impl Iterator<Item = &'a Rule>, proofs: &Proofs, left_out: &LeftOut) -> Self {
        let mut tally = Self::default();
        for rule in rules {
            tally.rules += 1;
            if proofs.of(&rule.key()).next().is_some() {
                tally.proven += 1;
            } else if left_out.why(rule).is_some() {
                tally.left_out += 1;
            }
        }
        tally
    }

    fn open(self) -> usize {
        self.rules - self.proven - self.left_out
    }

    fn row(self) -> String {
        format!("{} | {} | {} | {}", self.rules, self.proven, self.left_out, self.open())
    }
}

/// One line about the whole.
pub(super) fn summary(pages: &[Page], proofs: &Proofs, left_out: &LeftOut) -> String {
    let tally = Tally::of(pages.iter().flat_map(|page| &page.rules), proofs, left_out);
    let Tally { rules, proven, left_out } = tally;
    format!("{rules} rules: {proven} proven, {left_out} left out, {} open", tally.open())
}

/// The whole page.
pub(super) fn write(pages: &[Page], proofs: &Proofs, left_out: &LeftOut) -> String {
    let mut text = HEAD.to_owned();
    text += "| page | rules | proven | left out | open |\n| --- | --- | --- | --- | --- |\n";
    for page in pages {
        let tally = Tally::of(page.rules.iter(), proofs, left_out);
        text += &format!("| [{0}](protocol/{0}) | {1} |\n", page.name, tally.row());
    }
    let all = Tally::of(pages.iter().flat_map(|page| &page.rules), proofs, left_out);
    text += &format!("| all | {} |\n", all.row());
    for page in pages {
        section(&mut text, page, proofs, left_out);
    }
    text
}

fn section(text: &mut String, page: &Page, proofs: &Proofs, left_out: &LeftOut) {
    *text += &format!("\n## {}\n", page.name);
    let mut proven = String::new();
    let mut reasons: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut open = Vec::new();
    for (place, rule) in page.rules.iter().enumerate() {
        let found: Vec<_> = proofs.of(&rule.key()).collect();
        if !found.is_empty() {
            row(&mut proven, rule, &found);
        } else if let Some(why) = left_out.why(rule) {
            reasons.entry(why).or_default().push(place);
        } else {
            open.push(place);
        }
    }
    if !proven.is_empty() {
        *text += "\n| rule | tier | tests |\n| --- | --- | --- |\n";
        *text += &proven;
    }
    for (why, places) in reasons {
        *text += &format!("\nLeft out, because {why}: {}.\n", listed(&page.rules, &places));
    }
    if !open.is_empty() {
        *text += &format!("\nOpen: {}.\n", listed(&page.rules, &open));
    }
}

/// Rules of a page in the order of their numbers; three and more become a range if the page has no
/// other between them.
fn listed(rules: &[Rule], places: &[usize]) -> String {
    let mut order: Vec<_> = (0..rules.len()).collect();
    order.sort_by_key(|place| rules[*place].key());
    let chosen: Vec<_> = order.iter().enumerate().filter(|(_, at)| places.contains(at)).collect();
    let follows = |(a, at): &(usize, &usize), (b, bt): &(usize, &usize)| {
        *b == a + 1 && rules[**at].family == rules[**bt].family
    };
    let runs = chosen.chunk_by(follows).flat_map(|run| match run {
        [(_, first), _, .., (_, last)] => vec![format!("{} to {}", rules[**first], rules[**last])],
        short => short.iter().map(|(_, place)| rules[**place].to_string()).collect(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

/// The row of a proven rule: its tests by file, its tiers in the order of the tests.
fn row(text: &mut String, rule: &Rule, proofs: &[&Proof]) {
    let mut tiers: Vec<&str> = Vec::new();
    let mut files: Vec<(&str, Vec<String>)> = Vec::new();
    for proof in proofs {
        if !tiers.contains(&proof.tier) {
            tiers.push(proof.tier);
        }
        let name = format!("`{}`", proof.name);
        match files.last_mut() {
            Some((file, names)) if *file == proof.file => names.push(name),
            _ => files.push((&proof.file, vec![name])),
        }
    }
    let tests: Vec<_> =
        files.iter().map(|(file, names)| format!("{file}: {}", names.join(", "))).collect();
    writeln!(text, "| {rule} | {} | {} |", tiers.join(", "), tests.join("; "))
        .expect("writing to a string cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_a_range() {
        let names = ["AB-1", "AB-2", "AB-3", "AB-5", "AB-4", "CD-6", "CD-7", "CD-7b", "CD-8"];
        let rules: Vec<_> = names.iter().filter_map(|name| Rule::parse(name)).collect();
        let all: Vec<_> = (0..rules.len()).collect();
        assert_eq!(listed(&rules, &all), "AB-1 to AB-5, CD-6 to CD-8");
        assert_eq!(listed(&rules, &[0, 1, 3, 5, 6, 8]), "AB-1, AB-2, AB-5, CD-6, CD-7, CD-8");
    }
}
