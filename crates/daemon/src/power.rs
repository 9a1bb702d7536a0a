//! Whether this machine runs on its battery.

use std::fs;
use std::path::Path;

/// Where the kernel lists what supplies the machine.
pub(crate) const SUPPLIES: &str = "/sys/class/power_supply";

/// Whether there is a plug, and none has power. A machine without any, like most routers, does not run on a battery.
pub(crate) fn on_battery(supplies: &Path) -> bool {
    let Ok(entries) = fs::read_dir(supplies) else { return false };
    let mut plugs = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        let kind = fs::read_to_string(path.join("type")).ok()?;
        let online = fs::read_to_string(path.join("online")).ok()?;
        (kind.trim() != "Battery").then(|| online.trim() != "0")
    });
    let Some(first) = plugs.next() else { return false };
    !first && !plugs.any(|online| online)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_runs_on_its_battery_when_no_plug_has_power() {
        let rows: [(&[(&str, &str)], bool, &str); 6] = [
            (&[], false, "nothing is known"),
            (&[("Mains", "1")], false, "plugged in"),
            (&[("Mains", "0")], true, "not plugged in"),
            (&[("Battery", "1"), ("Mains", "1")], false, "charging"),
            (&[("Mains", "0"), ("USB", "1")], false, "by another plug"),
            (&[("Battery", "1")], false, "a battery without a plug, as in a mouse"),
        ];
        for (number, (supplies, expected, because)) in rows.iter().enumerate() {
            let place =
                std::env::temp_dir().join(format!("noctule-power-{}-{number}", std::process::id()));
            fs::create_dir(&place).unwrap();
            for (number, (kind, online)) in supplies.iter().enumerate() {
                let supply = place.join(number.to_string());
                fs::create_dir(&supply).unwrap();
                fs::write(supply.join("type"), format!("{kind}\n")).unwrap();
                fs::write(supply.join("online"), format!("{online}\n")).unwrap();
            }
            assert_eq!(on_battery(&place), *expected, "{because}");
            fs::remove_dir_all(&place).unwrap();
        }
        assert!(!on_battery(Path::new("/nowhere")));
    }
}
