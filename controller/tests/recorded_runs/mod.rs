//! Timelines of genuine runs, kept with the tests.

use deadpeer::judge::Outcome;
use deadpeer::report::{RunResult, read_events};
use deadpeer::scenario::Scenario;
use deadpeer::timeline::Event;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(name).join("events.jsonl.gz")
}

/// The timeline of the recorded run of scenario `name`; none if there is none.
pub(crate) fn read(name: &str) -> Option<Vec<Event>> {
    let lines = BufReader::new(GzDecoder::new(File::open(file(name)).ok()?)).lines();
    let event = |line: String| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{name}: {e}: {line}"));
    Some(lines.map(|line| event(line.unwrap())).collect())
}

/// Takes over, for each of `scenarios`, the newest run in `folder` that passed and ran just that text.
pub(crate) fn record(folder: &Path, scenarios: &[Scenario]) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    runs.push(folder.to_owned());
    let passed: Vec<(PathBuf, RunResult)> = runs
        .into_iter()
        .filter_map(|run| {
            let result: RunResult = serde_json::from_slice(&fs::read(run.join("result.json")).ok()?).ok()?;
            (result.outcome == Outcome::Pass).then_some((run, result))
        })
        .collect();
    for scenario in scenarios {
        let same_text =
            |run: &Path| fs::read_to_string(run.join("scenario.yaml")).is_ok_and(|text| text == scenario.source);
        let runs = passed.iter().filter(|(run, result)| result.scenario.name == scenario.name && same_text(run));
        let Some((run, _)) = runs.max_by_key(|(_, result)| result.time.started.clone()) else { continue };
        // The run's own file, byte for byte; read once, so that nothing is kept that cannot be read.
        read_events(&run.join("events.jsonl")).unwrap();
        let to = file(&scenario.name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        let mut packed = GzEncoder::new(File::create(&to).unwrap(), Compression::best());
        std::io::copy(&mut File::open(run.join("events.jsonl")).unwrap(), &mut packed).unwrap();
        packed.finish().unwrap();
    }
}
