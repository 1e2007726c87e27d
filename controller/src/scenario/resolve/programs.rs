//! Programs.

use super::lookup::Known;
use super::{command, inner};
use crate::scenario::model::{Host, Program};
use crate::scenario::names;
use crate::scenario::problem::{Problem, Problems};
use crate::scenario::source::{Field, Map, ProgramSource, read_name};
use indexmap::IndexMap;

/// The programs by name. One with a problem is there too, so that what refers to it is not a problem as well.
pub(super) fn programs(
    field: &Field<Map<ProgramSource>>,
    hosts: &IndexMap<String, Host>,
    problems: &mut Problems,
) -> IndexMap<String, Program> {
    let known = Known::new(hosts, &IndexMap::new(), Vec::new());
    let mut programs = IndexMap::new();
    let Some((map, _)) = field.given("the map of programs", problems) else { return programs };
    for entry in &map.0 {
        if let Err(wrong) = read_name(&entry.name, names::LONGEST_NAME) {
            problems.add(wrong.at(&entry.at));
        }
        let (owner, shown) = (&entry.name, format!("`{}`", entry.name));
        let Field::Given(source, _) = &entry.value else {
            let what = format!("{shown} has neither `host` nor `run`");
            let help = format!("as in `{owner}: {{ host: server, run: echo-server }}`");
            problems.add(Problem::at(&entry.at, what).label("a program without a host and a command").help(help));
            programs.insert(owner.clone(), Program { host: String::new(), command: Vec::new(), service: false });
            continue;
        };
        let host = inner(&source.host, "host", &shown, &entry.at, problems).and_then(|host| known.host(host, problems));
        let run = inner(&source.run, "run", &shown, &entry.at, problems).and_then(|run| run.read(problems));
        let words = run.and_then(|run| match command::words(&run) {
            Ok(words) => Some(words),
            Err((message, help)) => {
                let at = source.run.span().unwrap_or(&entry.at);
                problems.add(Problem::at(at, message).label("this command").help(help));
                None
            }
        });
        let service = source.service.read(problems).unwrap_or_default();
        let program = Program { host: host.unwrap_or_default(), command: words.unwrap_or_default(), service };
        programs.insert(owner.clone(), program);
    }
    programs
}
