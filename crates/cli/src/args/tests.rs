use super::*;

fn typed(line: &str) -> Result<Args, Failure> {
    parse(std::iter::once("noctule").chain(line.split_whitespace()).map(Into::into))
}

#[test]
fn the_arguments_are_consistent() {
    Args::command().debug_assert();
}

/// Whether a command is the expected one.
type IsIt = fn(&Command) -> bool;

/// MGMT section 4.2: batctl's short names.
#[test]
fn short_names_are_batctl_s() {
    #[rustfmt::skip]
    let rows: [(&str, IsIt); 9] = [
        ("o -n -H -t 2.5 -i wlan0", |command| matches!(command, Command::Originators(_))),
        ("n -n", |command| matches!(command, Command::Neighbors(_))),
        ("tl -u", |command| matches!(command, Command::Translocal(_))),
        ("tg -m", |command| matches!(command, Command::Transglobal(_))),
        ("if", |command| matches!(command, Command::Interfaces(_))),
        ("s", |command| matches!(command, Command::Statistics(_))),
        ("p -c 3 -i 0.2 -t 2 -R -T 02:00:00:00:00:01", |command| matches!(command, Command::Ping(_))),
        ("tr -n -T anna", |command| matches!(command, Command::Traceroute(_))),
        ("--mesh bat1 --json status", |command| matches!(command, Command::Status(_))),
    ];
    for (line, is_it) in rows {
        let args = typed(line).unwrap_or_else(|failure| panic!("{line}: {failure:?}"));
        assert!(is_it(&args.command), "{line}: {:?}", args.command);
    }
    assert_eq!(
        typed("o --json --mesh bat1").unwrap().common.mesh.as_deref(),
        Some("bat1"),
        "also behind"
    );
}

/// MGMT-17, ICMP-25: bad use is 2, but 1 where 2 means that nobody answered.
#[test]
fn mgmt_17_icmp_25_bad_use_gets_one_sentence() {
    #[rustfmt::skip]
    let rows = [
        ("", 2, "no command is given: see noctule --help"),
        ("--mesh bat1", 2, "no command is given: see noctule --help"),
        ("originatorz", 2, "unrecognized subcommand 'originatorz': did you mean 'originators'?"),
        ("o --jsn", 2, "unexpected argument '--jsn' found: did you mean '--json'?"),
        ("o -t soon", 2, "invalid value 'soon' for '-t <SECONDS>': must be a number of seconds above 0: see noctule o --help"),
        ("tg -u -m", 2, "the argument '-u' cannot be used with '-m': see noctule tg --help"),
        ("run --hop-penalty", 2, "a value is required for '--hop-penalty <N>' but none was supplied: see noctule run --help"),
        ("if add", 2, "the following required arguments were not provided: <NAME>...: see noctule if --help"),
        ("if swap e1", 2, "invalid value 'swap' for '[ACTION]' [possible values: add, del]: see noctule if --help"),
        ("vlans --vlan 0", 2, "invalid value '0' for '--vlan <ID>': 0 is not in 1..=4095: see noctule vlans --help"),
        ("set gw server 1mbit 2mbit", 2, "unexpected argument '2mbit' found: see noctule set --help"),
        ("ping", 1, "the following required arguments were not provided: <DESTINATION>: see noctule ping --help"),
        ("--mesh bat1 p -c 0 02:00:00:00:00:01", 1, "invalid value '0' for '-c <COUNT>': 0 is not in 1..=2147483647: see noctule p --help"),
        ("--json tr", 1, "the following required arguments were not provided: <DESTINATION>: see noctule tr --help"),
    ];
    for (line, code, expected) in rows {
        let failure = typed(line).map(drop).unwrap_err();
        assert_eq!((failure.code(), failure.sentence()), (code, Some(expected)), "{line}");
    }
}
