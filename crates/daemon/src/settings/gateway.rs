//! The settings of gateway choice, in the words of `batctl gw_mode` (GW-01, GW-02).

use super::BadSetting;
use noctule_control::GatewayMode;
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

/// `down/up`, or `down` alone, which leaves `up` as it is (GW-03).
pub(super) fn bandwidth(text: &str) -> Result<Gateway, BadSetting> {
    let (down, up) = text.split_once('/').map_or((text, None), |(down, up)| (down, Some(up)));
    let read = |part: &str| {
        speed(part).ok_or_else(|| {
            BadSetting::new(
                "gw_bandwidth",
                text,
                "must be like 10mbit/2mbit or 10000kbit/2000kbit, each 100kbit to 429496729500kbit",
            )
        })
    };
    let up = up.map_or(Ok(Gateway::DEFAULT.up), read)?;
    Ok(Gateway { down: read(down)?, up })
}

/// One number with `mbit`, `kbit` or nothing, which is kbit, behind it (GW-02). A 0 would say "no gateway" (GW-03).
fn speed(text: &str) -> Option<Throughput> {
    let text = text.trim().to_ascii_lowercase();
    let number = |digits: &str| {
        let digits = digits.trim_end();
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let units = match text.strip_suffix("mbit") {
        Some(digits) => number(digits)?.checked_mul(10)?,
        None => number(text.strip_suffix("kbit").unwrap_or(&text))? / 100,
    };
    u32::try_from(units).ok().filter(|units| *units > 0).map(Throughput)
}

/// The selection class of algorithm IV (GW-01).
pub(super) fn class(value: i64) -> Result<u8, BadSetting> {
    u8::try_from(value)
        .ok()
        .filter(|class| *class > 0)
        .ok_or_else(|| BadSetting::new("gw_sel_class", value, "must be 1 to 255"))
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
        assert_eq!((class(1), class(255)), (Ok(1), Ok(255)));
        assert!(class(0).is_err() && class(256).is_err() && class(-1).is_err());
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
            let read = bandwidth(text).ok().map(|read| (read.down.0, read.up.0));
            assert_eq!(read, expected, "{text:?}");
        }
    }
}
