//! Results of whole runs.

use super::Story;
use deadpeer::judge::{judge, outcome};
use deadpeer::report::{
    Accelerator, Frames, Image, Phase, PhaseKind, RunResult, SCHEMA_VERSION, ScenarioId, Times, Versions,
    guest_kernels, hosts,
};
use indexmap::IndexMap;

pub fn result(story: &Story) -> RunResult {
    let expectations = judge(&story.scenario, &story.events);
    let mut hosts = hosts(&story.scenario, &story.events);
    for host in hosts.values_mut() {
        host.image = Some(Image { key: "5b2f0e".to_owned(), suite: "trixie".to_owned() });
    }
    let phase = |name: &str, seconds, kind| Phase { name: name.to_owned(), seconds, virtual_seconds: None, kind };
    let Story { scenario, events, .. } = story;
    RunResult {
        schema: SCHEMA_VERSION,
        scenario: ScenarioId {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            section: scenario.section.clone(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        },
        outcome: outcome(&expectations),
        error: None,
        expectations,
        time: Times {
            started: "2026-03-01T12:34:56.789Z".to_owned(),
            wall_seconds: 6.731,
            virtual_seconds: None,
            checkpoint: None,
            overhead_seconds: 0.262,
            phases: vec![
                phase("prepare", 0.182, PhaseKind::Overhead),
                phase("boot client, server", 2.914, PhaseKind::Boot),
                phase("start echo-server", 0.289, PhaseKind::Step),
                phase("start echo-client", 0.290, PhaseKind::Step),
                phase("power on server", 2.923, PhaseKind::Reboot),
                phase("judge and report", 0.080, PhaseKind::Overhead),
            ],
        },
        seed: None,
        accelerator: Some(Accelerator { used: "tcg".to_owned(), why: "/dev/kvm is not there".to_owned() }),
        provider: None,
        versions: Versions {
            deadpeer: "0.1.0".to_owned(),
            qemu: Some("10.0.2".to_owned()),
            host_kernel: Some("6.1.0-38-amd64".to_owned()),
            guest_kernels: guest_kernels(scenario, events),
        },
        hosts,
        own_programs: IndexMap::new(),
        witnesses: IndexMap::new(),
        frames: Frames::of(events),
        folder: "/home/student/runs/20260301T123456-crash-reboot".into(),
        files: ["result.json", "events.jsonl", "wire.pcapng"].map(str::to_owned).into(),
    }
}
