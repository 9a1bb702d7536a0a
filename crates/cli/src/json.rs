//! JSON as `batctl` writes it (MGMT-31): all on one line, no blanks between outer keys and values, one blank after each
//! colon in nested objects.

use crate::failure::Outcome;
use serde::Serialize;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// Writes one value and a newline.
///
/// # Errors
/// Of the writer.
pub(crate) fn print(out: &mut dyn Write, value: &impl Serialize) -> Outcome<u8> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Batctl { depth: 0 });
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(0)
}

struct Batctl {
    /// Objects that are open.
    depth: usize,
}

impl Formatter for Batctl {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        writer.write_all(b"}")
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.depth > 1 { b": " } else { b":" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noctule_daemon::api::{GlobalClient, Neighbor};
    use noctule_wire::Mac;
    use noctule_wire::tvlv::translation_table::ClientFlags;

    fn printed(value: &impl Serialize) -> String {
        let mut out = Vec::new();
        print(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// MGMT-31: the nested object of the protocol page, blank for blank.
    #[test]
    fn mgmt_31_nested_objects_have_a_blank_after_each_colon() {
        let row = GlobalClient {
            orig_address: Mac([2, 0, 0x5e, 0x30, 0, 3]).into(),
            tt_address: Mac([6, 0, 0x5e, 0x0c, 0, 0x11]).into(),
            tt_ttvn: 5,
            tt_last_ttvn: 7,
            tt_crc32: 523_124_044,
            tt_vid: -1,
            tt_flags: ClientFlags::WIFI.into(),
            best: true,
        };
        assert_eq!(
            printed(&[row]),
            "[{\"orig_address\":\"02:00:5e:30:00:03\",\"tt_address\":\"06:00:5e:0c:00:11\",\"tt_ttvn\":5,\"tt_last_ttvn\":7,\"tt_crc32\":523124044,\"tt_vid\":-1,\"tt_flags\":{\"del\": false,\"roam\": false,\"wifi\": true,\"isolated\": false,\"nopurge\": false,\"new\": false,\"pending\": false,\"temp\": false,\"raw\": 16},\"best\":true}]\n"
        );
    }

    /// MGMT-31: dumps are `[`, objects, `]` and newline; quotes and backslashes are escaped.
    #[test]
    fn mgmt_31_an_empty_dump_and_a_strange_name() {
        assert_eq!(printed(&Vec::<Neighbor>::new()), "[]\n");
        let row = Neighbor {
            throughput: None,
            hard_ifindex: 3,
            hard_ifname: "a\"b\\c\u{1}".into(),
            last_seen_msecs: 0,
            neigh_address: Mac::ZERO.into(),
        };
        assert!(printed(&[row]).contains(r#""hard_ifname":"a\"b\\c\u0001""#));
    }
}
