//! What a host's kernel says of itself, for the controller to compare with what it knows from elsewhere.

use crate::wrap::{complain, say};
use std::fs;
use std::path::Path;

/// Prints the boot id; then, of the first link NIC, whether there is a carrier (1 or 0) and how often it was lost. (All of a
/// host's NICs are plugged and unplugged together.) A line each. Returns an exit status.
#[must_use]
pub fn tell() -> i32 {
    match lines(Path::new("/")) {
        Ok(lines) => {
            say(format_args!("{}", lines.join("\n")));
            0
        }
        Err(why) => {
            complain(format_args!("{why}"));
            1
        }
    }
}

fn lines(root: &Path) -> Result<Vec<String>, String> {
    let nics = root.join("sys/class/net");
    let names = fs::read_dir(&nics).map_err(|e| format!("{}: {e}", nics.display()))?;
    let names = names.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let first = names.filter(|name| name.starts_with("eth")).min().ok_or("there is no link NIC")?;
    let nic = nics.join(first);
    [root.join("proc/sys/kernel/random/boot_id"), nic.join("carrier"), nic.join("carrier_down_count")]
        .iter()
        .map(|file| match fs::read_to_string(file) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(e) => Err(format!("{}: {e}", file.display())),
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn three_lines_of_the_first_link_nic_or_why_not() {
        let root = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        assert!(lines(root.path()).unwrap_err().contains("sys/class/net"));
        put("sys/class/net/ctl0/carrier", "1\n");
        assert_eq!(lines(root.path()).unwrap_err(), "there is no link NIC");
        for nic in ["eth1", "eth0"] {
            put(&format!("sys/class/net/{nic}/carrier"), "0\n");
            put(&format!("sys/class/net/{nic}/carrier_down_count"), if nic == "eth0" { "2\n" } else { "7\n" });
        }
        assert!(lines(root.path()).unwrap_err().contains("boot_id"));
        put("proc/sys/kernel/random/boot_id", "0d3c6a5e\n");
        assert_eq!(lines(root.path()).unwrap(), ["0d3c6a5e", "0", "2"]);
    }
}
