//! What the controller carries with it.

/// Every scenario of the catalogue: its name and its text, in the order of the names.
pub const SCENARIOS: &[(&str, &str)] = &[("crash-reboot", include_str!("../../scenarios/crash-reboot.yaml"))];
