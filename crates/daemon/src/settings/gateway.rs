//! The settings of gateway choice, in the words of `batctl gw_mode` (GW-01, GW-02).

use super::BadSetting;
use noctule_control::{GatewayMode, RoutingAlgorithm};
use noctule_wire::ogm2::Throughput;
use noctule_wire::tvlv::gateway::Gateway;

/// Names of the modes, in the order of their numbers.
pub(super) const MODES: [(&str, GatewayMode); 3] =
    [("off", GatewayMode::Off), ("client", GatewayMode::Client), ("server", GatewayMode::Server)];

/// A mode by its name.
pub(super) fn mode(text: &str) -> Result<GatewayMode, BadSetting> {
    let found = MODES.iter().find(|(name, _)| *name == text);
    found
        .map(|(_, mode)| *mode)
        .ok_or_else(|| BadSetting::new("gw_mode", text, "must be off, client or server"))
}

/// The name of a mode.
pub(crate) fn mode_name(mode: GatewayMode) -> &'static str {
    MODES.iter().find(|(_, known)| *known == mode).map_or("off", |(name, _)| name)
}

/// How a bandwidth is written.
pub(super) const BANDWIDTHS: &str =
    "like 10mbit/2mbit or 10000kbit/2000kbit, each 100kbit to 429496729500kbit";

/// `down/up`, or `down` alone, which leaves `up` as it was `before` (GW-03, MGMT-13).
pub(super) fn bandwidth(text: &str, before: Gateway) -> Result<Gateway, BadSetting> {
    let (down, up) = text.split_once('/').map_or((text, None), |(down, up)| (down, Some(up)));
    let read = |part: &str| {
        speed(part)
            .ok_or_else(|| BadSetting::new("gw_bandwidth", text, format!("must be {BANDWIDTHS}")))
    };
    let up = up.map_or(Ok(before.up), read)?;
    Ok(Gateway { down: read(down)?, up })
}

/// How a throughput override is written.
pub(super) const OVERRIDES: &str =
    "0 to measure, or like 54mbit or 500kbit, 100kbit to 429496729500kbit";

/// What a link counts as, units of 100 kbit/s; 0: as what it is (V-19).
pub(super) fn throughput_override(text: &str) -> Result<u32, BadSetting> {
    let units = if text == "0" { Some(Throughput(0)) } else { speed(text) };
    units
        .map(|Throughput(units)| units)
        .ok_or_else(|| BadSetting::new("throughput_override", text, format!("must be {OVERRIDES}")))
}

/// A throughput override as it can be written.
pub(super) fn written_override(units: u32) -> String {
    match units {
        0 => "0".to_owned(),
        units if units % 10 == 0 => format!("{}mbit", units / 10),
        units => format!("{}kbit", u64::from(units) * 100),
    }
}

/// A 0 would say "no gateway" (GW-03).
fn speed(text: &str) -> Option<Throughput> {
    number(text).filter(|units| units.0 > 0)
}

/// One number with `mbit`, `kbit` or nothing, which is kbit, behind it (GW-02).
fn number(text: &str) -> Option<Throughput> {
    let text = text.trim().to_ascii_lowercase();
    let number = |digits: &str| {
        let digits = digits.trim_end();
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let units = match text.strip_suffix("mbit") {
        Some(digits) => number(digits)?.checked_mul(10)?,
        None => number(text.strip_suffix("kbit").unwrap_or(&text))? / 100,
    };
    u32::try_from(units).ok().map(Throughput)
}

/// A bandwidth as it can be written.
pub(super) fn written_bandwidth(bandwidth: Gateway) -> String {
    let one = |Throughput(units): Throughput| match units % 10 {
        0 => format!("{}mbit", units / 10),
        _ => format!("{}kbit", u64::from(units) * 100),
    };
    format!("{}/{}", one(bandwidth.down), one(bandwidth.up))
}

/// What `batctl gw_mode` prints (MGMT section 4.1), if it is more than the name.
pub(super) fn shown_mode(
    algorithm: RoutingAlgorithm,
    mode: GatewayMode,
    class: u32,
    bandwidth: Gateway,
) -> Option<String> {
    let Gateway { down: Throughput(down), up: Throughput(up) } = bandwidth;
    match mode {
        GatewayMode::Off => None,
        GatewayMode::Client if algorithm == RoutingAlgorithm::BatmanV => {
            Some(format!("client (selection class: {}.{} MBit)", class / 10, class % 10))
        }
        GatewayMode::Client => Some(format!("client (selection class: {class})")),
        GatewayMode::Server => Some(format!(
            "server (announced bw: {}.{}/{}.{} MBit)",
            down / 10,
            down % 10,
            up / 10,
            up % 10
        )),
    }
}

/// The selection class (GW-01).
pub(super) fn class(algorithm: RoutingAlgorithm, value: i64) -> Result<u32, BadSetting> {
    let most = algorithm.class_max();
    u32::try_from(value)
        .ok()
        .filter(|class| (1..=most).contains(class))
        .ok_or_else(|| BadSetting::new("gw_sel_class", value, format!("must be 1 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gw_01_modes_and_classes() {
        for (name, known) in MODES {
            assert_eq!(mode(name), Ok(known));
            assert_eq!(mode_name(known), name);
        }
        assert!(mode("on").unwrap_err().to_string().contains("off, client or server"));
        let class_of = class;
        let class = |value| class_of(RoutingAlgorithm::BatmanIv, value);
        assert_eq!((class(1), class(255)), (Ok(1), Ok(255)));
        assert!(class(0).is_err() && class(256).is_err() && class(-1).is_err());
        let class = |value| class_of(RoutingAlgorithm::BatmanV, value);
        assert_eq!((class(1), class(u32::MAX.into())), (Ok(1), Ok(u32::MAX)));
        assert!(class(0).is_err() && class(1 << 32).is_err() && class(-1).is_err());
    }

    #[test]
    fn mgmt_13_mgmt_23_what_is_shown_can_be_written_and_down_alone_leaves_up() {
        let before = Gateway { down: Throughput(7), up: Throughput(31) };
        for text in ["20mbit/5mbit", "100kbit/3100kbit", "429496729500kbit/1mbit"] {
            assert_eq!(written_bandwidth(bandwidth(text, before).unwrap()), text);
        }
        let one = bandwidth("1250", before).unwrap();
        assert_eq!((one.down.0, one.up.0), (12, 31), "kbit if nothing is said, cut to 100 kbit/s");
        let server = shown_mode(RoutingAlgorithm::BatmanIv, GatewayMode::Server, 20, one).unwrap();
        assert_eq!(server, "server (announced bw: 1.2/3.1 MBit)");
        let client = shown_mode(RoutingAlgorithm::BatmanIv, GatewayMode::Client, 20, one).unwrap();
        assert_eq!(client, "client (selection class: 20)");
        assert_eq!(shown_mode(RoutingAlgorithm::BatmanIv, GatewayMode::Off, 20, one), None);
    }

    #[test]
    fn gw_02_gw_03_bandwidths() {
        let rows = [
            ("10mbit/2mbit", Some((100, 20))),
            ("10MBit/2048KBit", Some((100, 20))),
            ("5000", Some((50, 20))),
            ("599kbit/100kbit", Some((5, 1))),
            ("429496729mbit", Some((4_294_967_290, 20))),
            ("429496730mbit", None),
            ("99999999999999999999", None),
            ("512kbit/99kbit", None),
            ("0", None),
            ("10.5mbit", None),
            ("-1mbit", None),
            ("+1mbit", None),
            ("mbit", None),
            ("10mbit/", None),
            ("10gbit", None),
            ("", None),
        ];
        for (text, expected) in rows {
            let read = bandwidth(text, Gateway::DEFAULT).ok().map(|read| (read.down.0, read.up.0));
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
