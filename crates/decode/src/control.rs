//! What the routing algorithms say (MGMT-42, MGMT-43).

use crate::{Names, tvlv};
use noctule_wire::ethernet::Frame;
use noctule_wire::ogm::OgmFlags;
use noctule_wire::{COMPAT_VERSION, Elp, Ogm, Ogm2, Throughput};
use std::fmt::Write;

/// One OGM of B.A.T.M.A.N. IV, with its containers.
pub(crate) fn ogm(outer: &Frame<'_>, ogm: &Ogm<'_>, names: Names<'_>) -> String {
    let flag = |flag, letter| if ogm.flags.contains(flag) { letter } else { '.' };
    let mut text = format!(
        "BAT {}: OGM IV via neigh {}, seq {}, tq {:3}, ttl {:2}, v {COMPAT_VERSION}, flags [{}{}{}], length {}, tvlv_len {}",
        names(ogm.originator),
        names(outer.source),
        ogm.seqno.0,
        ogm.tq,
        ogm.ttl,
        flag(OgmFlags::NOT_BEST, 'N'),
        flag(OgmFlags::DIRECT_LINK, 'D'),
        flag(OgmFlags(0x08), 'F'),
        ogm.wire_len(),
        ogm.tvlvs.len(),
    );
    tvlv::lines(&mut text, ogm.tvlvs, names);
    text
}

/// One OGM of B.A.T.M.A.N. V.
pub(crate) fn ogm2(outer: &Frame<'_>, ogm: &Ogm2<'_>, names: Names<'_>) -> String {
    let mut text = format!(
        "BAT {}: OGM2 via neigh {}, seq {}, throughput {}, ttl {}, v {COMPAT_VERSION}, flags [{:x}], length {}, tvlv_len {}",
        names(ogm.originator),
        names(outer.source),
        ogm.seqno.0,
        speed(ogm.throughput),
        ogm.ttl,
        ogm.flags,
        ogm.wire_len(),
        ogm.tvlvs.len(),
    );
    tvlv::lines(&mut text, ogm.tvlvs, names);
    text
}

fn speed(throughput: Throughput) -> String {
    match throughput {
        Throughput::MAX => "MAX".to_owned(),
        Throughput(units) => format!("{}.{}Mbps", units / 10, units % 10),
    }
}

/// A link probe.
pub(crate) fn elp(outer: &Frame<'_>, elp: &Elp, names: Names<'_>) -> String {
    let mut text = format!("BAT {}: ELP via neigh {}", names(elp.originator), names(outer.source));
    let _ = write!(
        text,
        ", seq {}, interval {}ms, v {COMPAT_VERSION}, length {}",
        elp.seqno.0,
        elp.interval_ms,
        outer.payload.len()
    );
    text
}
