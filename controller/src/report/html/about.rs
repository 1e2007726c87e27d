//! The foot of the page: what the run was made with, what the kernels' word is worth, and where the proof is.

use super::super::result::RunResult;
use super::super::text::{harmless, span};
use maud::{Markup, html};

/// What the run was made with.
pub(super) fn about(result: &RunResult) -> Markup {
    let seconds = |seconds: f64| span((seconds.max(0.0) * 1e9) as u64);
    let time = match result.time.virtual_seconds {
        Some(virtual_seconds) => {
            format!(
                "{} of virtual time, in {} (lockstep time)",
                seconds(virtual_seconds),
                seconds(result.time.wall_seconds)
            )
        }
        None => seconds(result.time.wall_seconds),
    };
    let accounts: Vec<_> =
        result.witnesses.iter().flat_map(|(host, all)| all.iter().map(move |it| (host, it))).collect();
    html! {
        section id="run" aria-labelledby="run-head" {
            h2 id="run-head" { "The run" }
            dl class="facts" {
                dt { "took" } dd { (time) }
                @for (host, kernel) in &result.versions.guest_kernels {
                    dt { (harmless(host)) }
                    dd {
                        "Linux " (harmless(kernel))
                        @if let Some(of) = result.hosts.get(host) {
                            @if let Some(boxed) = &of.boxed { ", box " (harmless(boxed)) }
                            @if let Some(image) = &of.image { ", Debian " (harmless(&image.suite)) ", image " (harmless(&image.key)) }
                            "; " (of.addresses.join(", "))
                        }
                    }
                }
                @for (program, own) in &result.own_programs {
                    dt { (harmless(program)) }
                    dd { "a program of the user's own, SHA-256 " (harmless(&own.sha256)) }
                }
                @if let Some(qemu) = &result.versions.qemu {
                    dt { "QEMU" }
                    dd {
                        (harmless(qemu))
                        @if let Some(accelerator) = &result.accelerator { ", " (harmless(&accelerator.used)) " (" (harmless(&accelerator.why)) ")" }
                    }
                }
                @if let Some(it) = &result.provider {
                    dt { "Vagrant" }
                    dd {
                        (harmless(&it.vagrant)) ", vagrant-libvirt " (harmless(&it.plugin)) ", libvirt " (harmless(&it.libvirt)) " at " (harmless(&it.uri))
                    }
                }
                dt { "Deadpeer" } dd { (harmless(&result.versions.deadpeer)) }
                dt { "scenario" } dd { "SHA-256 " (harmless(&result.scenario.sha256)) }
            }
            @if !accounts.is_empty() {
                h3 { "What the kernels' word is worth" }
                ul {
                    @for (host, account) in accounts {
                        li {
                            (harmless(host)) ", boot " (harmless(&account.boot_id)) ": " (account.events) " trace events, " (account.lost) " lost"
                            @if let Some(error) = account.clock_error { ", placed to within " (format!("{:.2}", error as f64 / 1e6)) " ms" }
                            @if let Some(unread) = account.unread { "; its last " (unread.div_ceil(1_000_000)) " ms unread" }
                            @for problem in &account.problems { "; " (harmless(problem)) }
                        }
                    }
                }
            }
            h3 { "The proof" }
            p {
                "Beside this file: " code { "wire.pcapng" } " for Wireshark, " code { "events.jsonl" } ", every console, and " code { "result.json" }
                ". A frame of the ladder:"
            }
            pre { "tshark -r wire.pcapng -Y frame.number==1 -V" }
            p { "To run it again: " code { "controller run scenario.yaml" (if result.provider.is_some() { " --provider vagrant" } else { "" }) } }
        }
    }
}
