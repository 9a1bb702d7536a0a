//! Settings from a TOML file. Whatever is wrong with it is told in one sentence with file and line.

use super::{BadSetting, INTERFACE_KEYS, KEYS, VLAN_KEYS, Written, nearest};
use std::fs::OpenOptions;
use std::io::Read;
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// Longest file that is read, bytes: far more than all settings of 16 interfaces take.
const FILE_LEN_MAX: u64 = 64 * 1024;

/// Reads and checks a file of settings.
///
/// # Errors
/// One sentence with file and, where it is about the content, line.
pub fn read_file(path: &Path) -> Result<Written, String> {
    let shown = path.display();
    let cannot = |error: std::io::Error| format!("cannot read {shown}: {}", reason(&error));
    // A named pipe that nobody writes to must not be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(format!("cannot read {shown}: it is not a file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        return Err(format!("cannot read {shown}: it is longer than {FILE_LEN_MAX} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format!(
            "{shown} line {}: not UTF-8 text",
            line_of(error.as_bytes(), error.utf8_error().valid_up_to())
        )
    })?;
    parse(&text).map_err(|bad| match bad.at {
        Some(at) => format!("{shown} line {}: {}", line_of(text.as_bytes(), at), bad.sentence),
        None => format!("{shown}: {}", bad.sentence),
    })
}

/// What the system says, without its number.
fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "no permission".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

/// What is wrong with a text, and at which byte.
struct Bad {
    at: Option<usize>,
    sentence: String,
}

fn parse(text: &str) -> Result<Written, Bad> {
    let from_toml = |error: toml::de::Error| Bad {
        at: error.span().map(|span| span.start),
        sentence: error.message().lines().collect::<Vec<_>>().join(", "),
    };
    let table = DeTable::parse(text).map_err(from_toml)?;
    check_keys(table.get_ref())?;
    let written: Written = toml::from_str(text).map_err(|error| {
        let key = error.span().and_then(|span| key_of(table.get_ref(), span.start));
        let Bad { at, sentence } = from_toml(error);
        let sentence = match key {
            Some(key) => format!("{key}: {sentence}"),
            None => sentence,
        };
        Bad { at, sentence }
    })?;
    written.check().map_err(|bad| Bad {
        at: find(table.get_ref(), &bad).map(|span| span.start),
        sentence: bad.to_string(),
    })?;
    Ok(written)
}

/// Names every key that nobody knows, before anything else is said about the file.
fn check_keys(table: &DeTable<'_>) -> Result<(), Bad> {
    let check = |table: &DeTable<'_>, known: &[&str]| {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let meant = nearest(name, known).map_or_else(
                    || format!("known are {}", known.join(", ")),
                    |near| format!("did you mean \"{near}\"?"),
                );
                return Err(Bad {
                    at: Some(key.span().start),
                    sentence: format!("unknown key {name:?}: {meant}"),
                });
            }
        }
        Ok(())
    };
    check(table, KEYS)?;
    for interface in tables(table, "interface") {
        check(interface, INTERFACE_KEYS)?;
    }
    for vlan in tables(table, "vlan") {
        check(vlan, VLAN_KEYS)?;
    }
    Ok(())
}

/// The tables of an array of tables.
fn tables<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> impl Iterator<Item = &'t DeTable<'i>> {
    let array = table.get(name).and_then(|value| match value.get_ref() {
        DeValue::Array(array) => Some(array),
        _ => None,
    });
    array.into_iter().flatten().filter_map(|value| match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    })
}

/// The key whose value stands at a byte.
fn key_of(table: &DeTable<'_>, at: usize) -> Option<String> {
    std::iter::once(table)
        .chain(tables(table, "interface"))
        .chain(tables(table, "vlan"))
        .flat_map(|table| table.iter())
        // The value of "interface" is all of the interfaces: the key in there is named.
        .filter(|(_, value)| {
            value.span().contains(&at) && !matches!(value.get_ref(), DeValue::Array(_))
        })
        .map(|(key, _)| key.get_ref().to_string())
        .next()
}

/// Where a bad value stands.
fn find(table: &DeTable<'_>, bad: &BadSetting) -> Option<Range<usize>> {
    let (table, key) = match bad.interface {
        Some(index) => (
            tables(table, "interface").nth(index)?,
            if bad.key == "interface" { "name" } else { bad.key },
        ),
        None => match bad.vlan {
            Some(index) => (tables(table, "vlan").nth(index)?, bad.key),
            None => (table, bad.key),
        },
    };
    let other_name = match key {
        "gw_mode" => "gateway_mode",
        "gw_bandwidth" => "gateway_bandwidth",
        "gw_sel_class" => "gateway_class",
        _ => key,
    };
    table.get(key).or_else(|| table.get(other_name)).map(|value| value.span())
}

fn line_of(text: &[u8], at: usize) -> usize {
    1 + text.iter().take(at).filter(|byte| **byte == b'\n').count()
}
