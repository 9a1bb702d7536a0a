//! The command line of the bench.

use anyhow::Result;

use super::chain::Kind;
use super::plan::Half;
use super::{ARGUMENTS, COUNTED};
use crate::BadUse;
use crate::uml::Release;

/// What the command line asks for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Asked {
    /// Less of all.
    pub(super) quick: bool,
    /// Only one half of all.
    pub(super) only: Option<Half>,
    /// Nothing but the guest that counts instructions.
    pub(super) counted: bool,
    /// The guest's kernel; none: no guest.
    pub(super) guest: Option<Release>,
    /// Whether docs/performance.md and the plots are written anew.
    pub(super) write: bool,
}

impl Asked {
    /// What the inner run must know of it.
    pub(super) fn inner(&self) -> Vec<&'static str> {
        let quick = self.quick.then_some("--quick");
        quick.into_iter().chain(self.only.map(Half::name)).collect()
    }
}

/// Reads it.
pub(super) fn parse(words: &[String]) -> Result<Asked> {
    let mut asked = Asked {
        quick: false,
        only: None,
        counted: false,
        guest: Some(Release::V7_2),
        write: false,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => asked.quick = true,
            "--write" => asked.write = true,
            COUNTED => asked.counted = true,
            "--no-guest" => asked.guest = None,
            "--only" => {
                let half = words.next().and_then(|name| Half::from_name(name));
                let wanted = || BadUse::because("--only wants a half: transit or hosts");
                asked.only = Some(half.ok_or_else(wanted)?);
            }
            "--kernel" => {
                let release = words.next().and_then(|name| Release::from_name(name));
                let wanted = || BadUse::because("--kernel wants a release: 6.1 or 7.2");
                asked.guest = Some(release.ok_or_else(wanted)?);
            }
            other => return Err(BadUse::because(format!("bench takes {ARGUMENTS}, not {other}"))),
        }
    }
    Ok(asked)
}

/// The peer to profile: one that has transit on this kernel.
pub(super) fn peer(words: &[String]) -> Result<Kind> {
    let kind = match words {
        [name] => Kind::from_name(name),
        _ => None,
    };
    kind.filter(|kind| kind.has_transit() && *kind != Kind::Module).ok_or_else(|| {
        BadUse::because("--profile wants a peer: noctule, noctule+ebpf, bridge or redirect")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read() {
        let parse =
            |text: &str| parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let default = Asked {
            quick: false,
            only: None,
            counted: false,
            guest: Some(Release::V7_2),
            write: false,
        };
        assert_eq!(parse("").unwrap(), default);
        let asked = parse("--quick --kernel 6.1 --write").unwrap();
        assert_eq!(
            asked,
            Asked {
                quick: true,
                only: None,
                counted: false,
                guest: Some(Release::V6_1),
                write: true
            }
        );
        assert_eq!(parse("--only hosts").unwrap().only, Some(Half::Hosts));
        assert_eq!(peer(&["noctule+ebpf".to_owned()]).unwrap(), Kind::Offload);
        assert!(peer(&[]).is_err() && peer(&["tinc".to_owned()]).is_err());
        assert_eq!(parse("--no-guest").unwrap().guest, None);
        for bad in
            ["--kernel", "--only", "--only nothing", "--kernel 5.10", "--nonsense", "noctule"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
