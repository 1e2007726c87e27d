//! Evidence without what changes from run to run by itself.

use crate::judge::Judged;

/// So many pieces of evidence are shown, the first.
const SHOWN: usize = 3;

/// Words after which a number is a matter of chance.
const COUNTERS: [&str; 6] = ["frame", "frames", "pid", "process", "child", "thread"];

/// The first port that a kernel chooses by itself (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: u32 = 32_768;

/// What decided it, in words.
pub(super) fn evidence(judged: &Judged) -> Vec<String> {
    let mut told: Vec<String> = judged.evidence.iter().take(SHOWN).map(|evidence| steady(&evidence.text)).collect();
    told.dedup();
    if let more @ 1.. = judged.evidence.len().saturating_sub(SHOWN) {
        // How many may be chance itself (a retransmission more or less).
        told.push(if more == 1 { "and one more".to_owned() } else { "and more".to_owned() });
    }
    told
}

/// `text` with an ellipsis in the place of times, ids and numbers of chance.
fn steady(text: &str) -> String {
    let mut last = "";
    let words = text.split(' ').map(|word| {
        let bare = word.trim_matches(|c: char| "(),.:;\"".contains(c));
        let chance = is_uuid(bare)
            || bare.strip_prefix("0x").is_some_and(|hex| hex.chars().all(|c| c.is_ascii_hexdigit()))
            || (COUNTERS.contains(&last) && bare.parse::<u64>().is_ok())
            || (last == "port" && is_ephemeral(bare))
            || bare.rsplit_once(':').is_some_and(|(_, port)| is_ephemeral(port))
            || (bare.contains('.') && bare.parse::<f64>().is_ok());
        last = bare;
        if chance { word.replace(bare, "…") } else { word.to_owned() }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn is_ephemeral(port: &str) -> bool {
    port.parse().is_ok_and(|port: u32| (EPHEMERAL..=65_535).contains(&port))
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36
        && word
            .char_indices()
            .all(|(at, c)| if [8, 13, 18, 23].contains(&at) { c == '-' } else { c.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_decides_is_left_out_and_the_rest_stays() {
        for (text, kept) in [
            ("server booted: 4cab4966-18f5-434d-bd11-98ffaa9925c5", "server booted: …"),
            (
                "ACK from client to server, seq 14, 13 bytes, answered by frame 29",
                "ACK from client to server, seq 14, 13 bytes, answered by frame …",
            ),
            ("child 162 serves 192.0.2.1 port 34302", "child … serves 192.0.2.1 port …"),
            ("connected to 192.0.2.2 port 9877 from 192.0.2.1:41612", "connected to 192.0.2.2 port 9877 from …"),
            ("read (pid 301) returned -104 after 3.250 s", "read (pid …) returned -104 after … s"),
            ("client: carrier lost 0 times", "client: carrier lost 0 times"),
        ] {
            assert_eq!(steady(text), kept);
        }
    }
}
