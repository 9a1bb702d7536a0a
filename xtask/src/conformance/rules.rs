//! The rules: every `**TT-38**` on a page of docs/protocol is one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The name of a rule: family, number, and sometimes a letter.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Rule {
    /// `TT`.
    pub(super) family: String,
    /// `38`.
    pub(super) number: u32,
    /// `b` in `TT-38b`.
    pub(super) letter: Option<char>,
    /// How the page writes it.
    text: String,
}

impl Rule {
    /// Reads `TT-38` or `TT-38b`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (family, rest) = text.split_once('-')?;
        let digits = rest.trim_end_matches(|letter: char| letter.is_ascii_lowercase());
        let mut letters = rest[digits.len()..].chars();
        let letter = letters.next();
        let well_formed = !family.is_empty()
            && family.bytes().all(|byte| byte.is_ascii_uppercase())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && letters.next().is_none();
        let number = digits.parse().ok()?;
        well_formed.then(|| Self { family: family.into(), number, letter, text: text.into() })
    }

    /// What identifies it wherever it is written: `tt_38` and `TT-038` are the same rule.
    pub(super) fn key(&self) -> Key {
        (self.family.clone(), self.number, self.letter)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Family, number and letter of a rule.
pub(super) type Key = (String, u32, Option<char>);

/// A page of docs/protocol with its rules in their order.
pub(super) struct Page {
    /// File name, `04-translation-table.md`.
    pub(super) name: String,
    /// Its rules; each rule belongs to the first page that has it.
    pub(super) rules: Vec<Rule>,
}

impl Page {
    /// Reads the pages in the order of their names.
    pub(super) fn read_all(folder: &Path) -> Result<Vec<Self>> {
        let entries =
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut names: Vec<_> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.retain(|name| name.ends_with(".md"));
        names.sort();
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        for name in names {
            let text = fs::read_to_string(folder.join(&name))?;
            let rules: Vec<_> = bold(&text)
                .filter_map(Rule::parse)
                .filter(|rule| seen.insert(rule.key()))
                .collect();
            if !rules.is_empty() {
                pages.push(Self { name, rules });
            }
        }
        if pages.is_empty() {
            bail!("no rule found in {}", folder.display());
        }
        Ok(pages)
    }
}

/// The words between pairs of `**`.
fn bold(text: &str) -> impl Iterator<Item = &str> {
    // A rule's name holds no asterisk, so every stretch between two marks may be looked at.
    text.split("**")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_from_bold_words() {
        let text = "- **AB-07** see **AB-8b** and (AB-9); **note** x*y **AB-10** **AB-7**";
        let rules: Vec<_> = bold(text).filter_map(Rule::parse).collect();
        let names: Vec<_> = rules.iter().map(Rule::to_string).collect();
        assert_eq!(names, ["AB-07", "AB-8b", "AB-10", "AB-7"]);
        assert_eq!(rules[0].key(), rules[3].key());
        assert_ne!(rules[0].key(), rules[1].key());
    }

    #[test]
    fn other_words_are_no_rules() {
        for word in ["AB", "AB-", "ab-7", "AB-7bc", "AB-7B", "-7", "A B-7", "AB-7-8"] {
            assert_eq!(Rule::parse(word), None, "{word}");
        }
    }
}
