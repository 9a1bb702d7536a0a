//! What the project leaves out, and why: `docs/left-out.toml`.
//!
//! ```toml
//! [[left-out]]
//! rules = ["BLA-*", "MGMT-12"]
//! why = "bridge loop avoidance is not built yet"
//! ```

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::rules::{Page, Rule};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LeftOut {
    #[serde(default)]
    left_out: Vec<Entry>,
}

/// Rules with one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Names of rules; an asterisk at the end stands for any rest.
    rules: Vec<String>,
    /// The reason, a sentence without its full stop.
    why: String,
}

impl LeftOut {
    /// Reads the file; a project that leaves nothing out has none.
    pub(super) fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("in {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Refuses patterns that mean no rule: a typing error, or a rule that is gone.
    pub(super) fn check(&self, pages: &[Page]) -> Result<()> {
        for pattern in self.left_out.iter().flat_map(|entry| &entry.rules) {
            let rules = || pages.iter().flat_map(|page| &page.rules);
            if !rules().any(|rule| matches(pattern, rule)) {
                bail!("docs/left-out.toml names {pattern}, but there is no such rule");
            }
        }
        Ok(())
    }

    /// Why the rule is left out, if it is.
    pub(super) fn why(&self, rule: &Rule) -> Option<&str> {
        self.left_out
            .iter()
            .find(|entry| entry.rules.iter().any(|pattern| matches(pattern, rule)))
            .map(|entry| entry.why.as_str())
    }
}

fn matches(pattern: &str, rule: &Rule) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => rule.to_string().starts_with(start),
        None => Rule::parse(pattern).is_some_and(|named| named.key() == rule.key()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(rules: &[&str]) -> Page {
        let rules = rules.iter().filter_map(|text| Rule::parse(text)).collect();
        Page { name: "p.md".into(), rules }
    }

    #[test]
    fn rules_are_left_out_by_name_or_by_their_beginning() {
        let text = "[[left-out]]\nrules = ['AB-*', 'CD-7']\nwhy = 'not built'\n";
        let left_out = LeftOut::parse(text).unwrap();
        let why = |rule: &str| left_out.why(&Rule::parse(rule).unwrap());
        assert_eq!(why("AB-12"), Some("not built"));
        assert_eq!(why("CD-07"), Some("not built"));
        assert_eq!(why("CD-70"), None);
        assert!(left_out.check(&[page(&["AB-1", "CD-7"])]).is_ok());
        assert!(left_out.check(&[page(&["CD-7"])]).is_err());
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(LeftOut::parse("[[left-out]]\nrule = ['A-1']\nwhy = 'x'\n").is_err());
        assert!(LeftOut::parse("[[leftout]]\n").is_err());
    }
}
