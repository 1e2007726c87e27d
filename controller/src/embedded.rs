//! What the controller carries with it, so that it works from any folder: the guest programs and the QEMU plugin, built by
//! `build.rs`, and the catalogue of scenarios.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// A guest program by its name, as in `echo-server`: a static executable for the processor that this controller was
/// built for.
#[must_use]
pub fn guest_program(name: &str) -> Option<&'static [u8]> {
    GUEST_PROGRAMS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

/// The names of all guest programs, in order.
pub fn guest_programs() -> impl Iterator<Item = &'static str> {
    GUEST_PROGRAMS.iter().map(|(name, _)| *name)
}

/// The QEMU plugin that binds a machine to lockstep time (`controller/plugin`), a shared object. It is a program of its own, under
/// the GPL: QEMU loads it, and nothing here is linked with it.
#[must_use]
pub fn lockstep_plugin() -> &'static [u8] {
    LOCKSTEP_PLUGIN
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    #[test]
    fn all_guest_programs_are_here_and_are_static_executables() {
        assert!(guest_programs().eq(["echo-client", "echo-server", "witness"]));
        for name in guest_programs() {
            let bytes = guest_program(name).unwrap();
            assert_eq!(&bytes[..4], b"\x7fELF", "{name}");
            // A program that needs a loader names it.
            assert!(!bytes.windows(7).any(|window| window == b"/ld-lin"), "{name}");
        }
        assert_eq!(guest_program("echo"), None);
    }

    #[test]
    fn an_embedded_program_runs() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(guest_program("echo-client").unwrap()).unwrap();
        let path = file.into_temp_path();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        let output = Command::new(&path).arg("--help").output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().starts_with("usage: echo-client "));
    }

    #[test]
    fn the_plugin_is_a_shared_object_that_says_what_it_is() {
        let bytes = lockstep_plugin();
        assert_eq!((&bytes[..4], bytes[16]), (&b"\x7fELF"[..], 3), "ET_DYN of elf(5)");
        for name in ["\0qemu_plugin_install\0", "\0qemu_plugin_version\0"] {
            assert!(bytes.windows(name.len()).any(|window| window == name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn the_catalogue_is_here_in_order() {
        assert!(SCENARIOS.iter().any(|(name, text)| *name == "crash-reboot" && text.contains("crash-reboot")));
        assert!(SCENARIOS.is_sorted_by_key(|(name, _)| *name));
    }
}
