//! What a run came to: the judgement, and the files of the run's folder.

use super::assemble::Carried;
use super::folder::Folder;
use super::inputs::inputs;
use super::phases::Phases;
use super::provider::told;
use super::{Found, Options, Run};
use crate::cable;
use crate::error::{Context, Error, Kind, Result};
use crate::judge::{self, Outcome};
use crate::own::Placed;
use crate::report::{
    self, Broken, EventWriter, Frames, HostResult, OwnProgram, RunResult, ScenarioId, Times, Versions,
};
use crate::scenario::Scenario;
use crate::timeline::{Event, KernelAccount, LabTime};
use indexmap::IndexMap;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

/// The time as a run's folder is named by it, in UTC: `2026-03-01T12-34-56`. It sorts, and needs no quoting.
pub(super) fn stamp(at: SystemTime) -> String {
    report::rfc3339(at).chars().take(19).map(|c| if c == ':' { '-' } else { c }).collect()
}

/// Judges what was carried out, writes the folder's files and closes the folder.
///
/// # Errors
/// A file cannot be written.
pub(super) fn conclude(
    scenario: &Scenario,
    options: &Options,
    found: Option<&Found>,
    carried: Carried,
    mut folder: Folder,
    (started, virtual_time): (SystemTime, Option<LabTime>),
    mut phases: Phases,
) -> Result<Run> {
    let Carried { error, timeline, watched, accounts, command_lines, checkpoint } = carried;
    let expectations = judge::judge_at(scenario, &timeline, watched);
    let outcome = if error.is_some() { Outcome::Unknown } else { judge::outcome(&expectations) };
    write_events(&folder, &timeline)?;
    let inputs = inputs(scenario, options, found, &command_lines, &folder.private());
    folder.write("inputs.json", report::inputs_to_json(&inputs).as_bytes())?;
    comment_capture(&folder, &report::comments(scenario, &expectations, &timeline));
    folder.close();
    phases.end("judge and write", report::PhaseKind::Overhead);
    let result = RunResult {
        schema: report::SCHEMA_VERSION,
        scenario: identify(scenario),
        outcome,
        error: error.as_ref().map(Broken::from),
        expectations,
        time: Times {
            started: report::rfc3339(started),
            wall_seconds: phases.wall().as_secs_f64(),
            virtual_seconds: virtual_time.map(|time| time.since(LabTime(0)).as_secs_f64()),
            checkpoint,
            overhead_seconds: phases.overhead(),
            phases: phases.all().to_vec(),
        },
        seed: options.seed_of(scenario),
        accelerator: found.map(|f| report::Accelerator {
            used: f.accelerator.accelerator.to_string().to_lowercase(),
            why: f.accelerator.why.clone(),
        }),
        provider: found.and_then(|found| found.vagrant.as_ref()).map(told),
        versions: Versions {
            deadpeer: env!("CARGO_PKG_VERSION").to_owned(),
            qemu: found.map(|f| f.qemu.version.to_string()),
            host_kernel: host_kernel(),
            guest_kernels: report::guest_kernels(scenario, &timeline),
        },
        hosts: hosts(scenario, found, &timeline),
        own_programs: own_programs(scenario, &options.own),
        witnesses: by_host(scenario, accounts),
        frames: Frames::of(&timeline),
        folder: folder.path().to_owned(),
        files: files(&folder)?,
    };
    folder.write("report.html", report::html(scenario, &result, &timeline).as_bytes())?;
    folder.write("result.json", report::to_json(&result).as_bytes())?;
    Ok(Run { result, error, timeline })
}

impl Run {
    /// The run that `error` kept from being made: it left no folder. *Skipped* if the user interrupted before it began, else *unknown*.
    #[must_use]
    pub fn not_made(scenario: &Scenario, options: &Options, error: Error) -> Self {
        let outcome = if error.kind == Kind::Interrupted { Outcome::Skipped } else { Outcome::Unknown };
        let result = RunResult {
            schema: report::SCHEMA_VERSION,
            scenario: identify(scenario),
            outcome,
            error: Some(Broken::from(&error)),
            expectations: Vec::new(),
            time: Times::default(),
            seed: options.seed_of(scenario),
            accelerator: None,
            provider: None,
            versions: Versions { deadpeer: env!("CARGO_PKG_VERSION").to_owned(), ..Versions::default() },
            hosts: report::hosts(scenario, &[]),
            own_programs: IndexMap::new(),
            witnesses: IndexMap::new(),
            frames: Frames::default(),
            folder: PathBuf::new(),
            files: Vec::new(),
        };
        Self { result, error: Some(error), timeline: Vec::new() }
    }

    /// The process's exit code: that of the error that ended the run, if one did, else that of its outcome.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match &self.error {
            Some(error) if error.kind != Kind::Broken => error.kind.exit_code(),
            _ => self.result.exit_code(),
        }
    }
}

/// The timeline in order, beside what was written as it came, and then in its place.
fn write_events(folder: &Folder, timeline: &[Event]) -> Result<()> {
    let fresh = folder.private().join("events.jsonl");
    let mut writer = EventWriter::new(std::io::BufWriter::new(
        fs::File::create(&fresh).broken(|| format!("cannot make {}", fresh.display()))?,
    ));
    timeline.iter().try_for_each(|event| writer.write(event))?;
    drop(writer);
    fs::rename(&fresh, folder.file("events.jsonl")).broken(|| "cannot put events.jsonl in its place".to_owned())
}

/// The capture with the story as comments on its frames, in the place of the one without. That it cannot be made (the capture was
/// never begun, or the disk is full) takes nothing from the evidence, and is no error of the run.
fn comment_capture(folder: &Folder, comments: &BTreeMap<u64, Vec<String>>) {
    let (plain, fresh) = (folder.file("wire.pcapng"), folder.private().join("wire.pcapng"));
    if comments.is_empty() || !plain.exists() {
        return;
    }
    let done = cable::remark(&plain, &fresh, comments)
        .and_then(|()| fs::rename(&fresh, &plain).broken(|| "cannot put wire.pcapng in its place".to_owned()));
    if let Err(error) = done {
        tracing::warn!("the frames in {} have no comments: {error}", plain.display());
    }
}

/// The accounts of each host, hosts in the scenario's order.
fn by_host(scenario: &Scenario, accounts: Vec<(String, KernelAccount)>) -> IndexMap<String, Vec<KernelAccount>> {
    let mut hosts: IndexMap<_, Vec<_>> = scenario.hosts.keys().map(|host| (host.clone(), Vec::new())).collect();
    for (host, account) in accounts {
        hosts.entry(host).or_default().push(account);
    }
    hosts
}

fn identify(scenario: &Scenario) -> ScenarioId {
    let digest = Sha256::digest(scenario.source.as_bytes());
    ScenarioId {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        section: scenario.section.clone(),
        sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The hosts, with what each booted from.
fn hosts(scenario: &Scenario, found: Option<&Found>, timeline: &[Event]) -> IndexMap<String, HostResult> {
    let mut hosts = report::hosts(scenario, timeline);
    for (name, image) in found.iter().flat_map(|found| &found.images) {
        if let Some(host) = hosts.get_mut(name) {
            host.image = Some(report::Image { key: image.key.clone(), suite: image.contents.suite.clone() });
        }
    }
    for (name, boxed) in found.iter().flat_map(|found| &found.boxes) {
        if let Some(host) = hosts.get_mut(name) {
            host.boxed = Some(boxed.to_string());
        }
    }
    hosts
}

fn own_programs(scenario: &Scenario, own: &[Placed]) -> IndexMap<String, OwnProgram> {
    let told = |Placed { program, own, .. }: &Placed| {
        let command = scenario.programs.get(program).map(|it| it.command.clone()).unwrap_or_default();
        (program.clone(), OwnProgram { file: own.path.clone(), sha256: own.sha256(), command })
    };
    own.iter().map(told).collect()
}

fn host_kernel() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|release| release.trim().to_owned())
}

/// The names of the folder's public files; `result.json` and `report.html` are written after this, and are among them.
fn files(folder: &Folder) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder.path()).broken(|| format!("cannot read {}", folder.path().display()))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.extend(["report.html", "result.json"].map(str::to_owned));
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn stamps_sort_and_hold_no_colon() {
        let early = stamp(UNIX_EPOCH + Duration::from_secs(1_772_368_496));
        assert_eq!(early, "2026-03-01T12-34-56");
        assert!(early < stamp(UNIX_EPOCH + Duration::from_secs(1_772_368_497)));
    }
}
