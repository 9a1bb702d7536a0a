//! A node's tables as both programs print them: `batctl` for the kernel module, `noctule` for ours.
//!
//! Both print JSON with the same keys (MGMT-31), so one set of types reads both.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A row of the originator table: one candidate for one originator (IV-103).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Originator {
    /// The originator's address.
    pub(crate) orig_address: String,
    /// The neighbour by which it is reached.
    pub(crate) neigh_address: String,
    /// The hard interface towards that neighbour.
    pub(crate) hard_ifname: String,
    /// The averaged transmission quality, 0 to 255: `BATMAN_IV`.
    #[serde(default)]
    pub(crate) tq: u8,
    /// The throughput in kbit/s: `BATMAN_V`.
    #[serde(default)]
    pub(crate) throughput: u32,
    /// Whether this candidate is the router.
    #[serde(default)]
    pub(crate) best: bool,
}

/// A row of the neighbour table (IV-105).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Neighbor {
    /// The neighbour's interface address.
    pub(crate) neigh_address: String,
    /// The throughput of the link in kbit/s: `BATMAN_V`.
    #[serde(default)]
    pub(crate) throughput: u32,
    /// The hard interface on which it is heard.
    pub(crate) hard_ifname: String,
    /// Milliseconds since its last own OGM.
    pub(crate) last_seen_msecs: u64,
}

/// A row of the gateway table.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Gateway {
    /// The gateway's originator address.
    pub(crate) orig_address: String,
    /// Whether it is the chosen one.
    #[serde(default)]
    pub(crate) best: bool,
    /// The quality of the route.
    pub(crate) tq: u8,
    /// What it announces, in 100 kbit/s.
    pub(crate) bandwidth_down: u32,
    /// The same, upwards.
    pub(crate) bandwidth_up: u32,
}

/// A row of the local translation table.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LocalClient {
    /// The client's address.
    pub(crate) tt_address: String,
    /// The CRC over the client's VLAN.
    pub(crate) tt_crc32: u32,
    /// The VLAN; -1 is untagged.
    pub(crate) tt_vid: i32,
}

/// A row of the global translation table.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct GlobalClient {
    /// The originator that announced the client.
    pub(crate) orig_address: String,
    /// The client's address.
    pub(crate) tt_address: String,
    /// The originator's last translation table version.
    pub(crate) tt_last_ttvn: u8,
    /// The CRC over the originator's VLAN.
    pub(crate) tt_crc32: u32,
    /// The VLAN; -1 is untagged.
    pub(crate) tt_vid: i32,
    /// The client's flags.
    pub(crate) tt_flags: ClientFlags,
}

/// The flags of a client (TT-08 and the local state above bit 7).
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct ClientFlags {
    /// Learned from payload, not announced yet.
    pub(crate) temp: bool,
    /// Isolated.
    pub(crate) isolated: bool,
    /// Behind a radio.
    pub(crate) wifi: bool,
}

/// The counters of `statistics`, by name.
pub(crate) type Statistics = BTreeMap<String, u64>;

/// Reads what `batctl statistics` prints: a tab, the name, a colon, the value.
pub(crate) fn statistics(text: &str) -> Statistics {
    text.lines()
        .filter_map(|line| {
            let (name, value) = line.trim().split_once(':')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MGMT-31: rows as the manual page of the reference shows them; absent keys are left out.
    #[test]
    fn rows_of_both_programs_are_read() {
        let rows: Vec<Originator> = serde_json::from_str(
            r#"[{"hard_ifindex":3,"hard_ifname":"eth0","orig_address":"02:00:5e:30:00:03","best":true,"last_seen_msecs":640,"neigh_address":"02:00:5e:20:00:02","tq":81},
                {"hard_ifindex":3,"hard_ifname":"eth0","orig_address":"02:00:5e:30:00:03","last_seen_msecs":640,"neigh_address":"02:00:5e:20:00:04","tq":7}]"#,
        )
        .unwrap();
        let seen: Vec<_> = rows.iter().map(|row| (row.best, row.tq)).collect();
        assert_eq!(seen, [(true, 81), (false, 7)]);
        let rows: Vec<GlobalClient> = serde_json::from_str(
            r#"[{"orig_address":"02:00:5e:30:00:03","tt_address":"06:00:5e:0c:00:11","tt_ttvn":5,"tt_last_ttvn":7,"tt_crc32":523124044,"tt_vid":-1,"tt_flags":{"del": false,"roam": false,"wifi": true,"isolated": false,"nopurge": false,"new": false,"pending": false,"temp": false,"raw": 16},"best":true}]"#,
        )
        .unwrap();
        assert_eq!((rows[0].tt_vid, rows[0].tt_last_ttvn), (-1, 7));
    }

    #[test]
    fn counters_are_read() {
        let counters = statistics("\ttx: 3\n\ttx_bytes: 294\nnonsense\n");
        assert_eq!(counters.get("tx_bytes"), Some(&294));
        assert_eq!(counters.len(), 2);
    }
}
