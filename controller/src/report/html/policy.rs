//! The page's style and script, and the policy that allows them alone.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The style sheet, with what hides the marks of each of so many hosts.
pub(super) fn style(hosts: usize) -> String {
    let mut style = include_str!("style.css").to_owned();
    for host in 0..hosts {
        let _ = writeln!(style, ".no-h{host} .h{host}:is(li,tr){{display:none}}");
    }
    style
}

/// The script.
pub(super) const SCRIPT: &str = include_str!("script.js");

/// A Content-Security-Policy (CSP level 2) under which this style and this script work, and nothing else does.
pub(super) fn policy(style: &str, script: &str) -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        source(style),
        source(script)
    )
}

/// A hash source: `sha256-...`.
fn source(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text.as_bytes())))
}

/// Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 0x3f) as usize] as char;
            text.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        let told: Vec<String> =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|it| base64(it.as_bytes())).into();
        assert_eq!(told, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
