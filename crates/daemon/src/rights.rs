//! What the process may do: the two capabilities that a node needs.

use std::fs;

/// `CAP_NET_ADMIN`: make the mesh interface.
const NET_ADMIN: u32 = 12;
/// `CAP_NET_RAW`: open packet sockets.
const NET_RAW: u32 = 13;

/// Checks that this process may open packet sockets and make network interfaces.
///
/// # Errors
/// One sentence with the fix.
pub(crate) fn check() -> Result<(), String> {
    // Where /proc is not mounted the system calls will tell.
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return Ok(()) };
    let program = std::env::current_exe()
        .map_or_else(|_| "noctule".into(), |path| path.display().to_string());
    check_status(&status, &program)
}

fn check_status(status: &str, program: &str) -> Result<(), String> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let Some(effective) = line.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()) else {
        return Ok(());
    };
    let missing: Vec<&str> = [(NET_ADMIN, "CAP_NET_ADMIN"), (NET_RAW, "CAP_NET_RAW")]
        .into_iter()
        .filter(|(bit, _)| effective & (1 << bit) == 0)
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not permitted to use network interfaces ({} missing): run it with sudo, or allow it once with \"sudo setcap cap_net_admin,cap_net_raw+ep {program}\"",
        missing.join(" and ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_missing_right_is_named_with_the_fix() {
        let status = |bits: &str| format!("Name:\tnoctule\nCapEff:\t{bits}\nCapBnd:\t0\n");
        assert_eq!(check_status(&status("000001ffffffffff"), "/x"), Ok(()));
        assert_eq!(check_status(&status("0000000000003000"), "/x"), Ok(()));
        assert_eq!(check_status("Name:\tnoctule\n", "/x"), Ok(()), "the kernel does not tell");
        assert_eq!(
            check_status(&status("0000000000000000"), "/usr/bin/noctule").unwrap_err(),
            "not permitted to use network interfaces (CAP_NET_ADMIN and CAP_NET_RAW missing): run it with sudo, or allow it once with \"sudo setcap cap_net_admin,cap_net_raw+ep /usr/bin/noctule\""
        );
        assert!(
            check_status(&status("0000000000001000"), "/x")
                .unwrap_err()
                .contains("(CAP_NET_RAW missing)")
        );
    }
}
