//! Looking up names of hosts, programs and steps.

use crate::scenario::model::{Host, Program};
use crate::scenario::names;
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::{Reference, Value};
use indexmap::IndexMap;

/// What can be referred to.
pub(super) struct Known {
    hosts: Vec<String>,
    /// Programs with their hosts.
    programs: Vec<(String, String)>,
    /// Steps' names with their indices.
    steps: Vec<(String, usize)>,
}

impl Known {
    pub(super) fn new(
        hosts: &IndexMap<String, Host>,
        programs: &IndexMap<String, Program>,
        steps: Vec<(String, usize)>,
    ) -> Self {
        let hosts = hosts.keys().cloned().collect();
        let programs = programs.iter().map(|(name, program)| (name.clone(), program.host.clone())).collect();
        Self { hosts, programs, steps }
    }

    /// The host that is named, or the nearest one with a problem.
    pub(super) fn host(&self, value: &Value<Reference>, problems: &mut Problems) -> Option<String> {
        let (name, span) = word(value, "a host's name", problems)?;
        if self.hosts.contains(&name) {
            return Some(name);
        }
        let problem = Problem::at(&span, format!("there is no host `{name}`")).label("not among `hosts`");
        if let Some((_, host)) = self.programs.iter().find(|(program, _)| *program == name) {
            problems.add(problem.help(format!("`{name}` is a program; its host is `{host}`")));
            return Some(host.clone());
        }
        let known: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        nearest(problem, &name, &known, "host", problems)
    }

    /// The program that is named, or the nearest one with a problem.
    pub(super) fn program(&self, value: &Value<Reference>, problems: &mut Problems) -> Option<String> {
        let (name, span) = word(value, "a program's name", problems)?;
        if self.programs.iter().any(|(program, _)| *program == name) {
            return Some(name);
        }
        let problem = Problem::at(&span, format!("there is no program `{name}`")).label("not among `programs`");
        let on_host: Vec<&str> =
            self.programs.iter().filter(|(_, host)| *host == name).map(|(program, _)| program.as_str()).collect();
        if let [program] = on_host[..] {
            problems.add(problem.help(format!("`{name}` is a host; the program on it is `{program}`")));
            return Some(program.to_owned());
        }
        let known: Vec<&str> = self.programs.iter().map(|(program, _)| program.as_str()).collect();
        nearest(problem, &name, &known, "program", problems)
    }

    /// The index of the step that is named, or of the nearest one with a problem.
    pub(super) fn step(&self, value: &Value<Reference>, problems: &mut Problems) -> Option<usize> {
        let (name, span) = word(value, "a step's name", problems)?;
        let index = |name: &str| self.steps.iter().find(|(step, _)| step == name).map(|(_, index)| *index);
        if let Some(index) = index(&name) {
            return Some(index);
        }
        let problem = Problem::at(&span, format!("there is no step named `{name}`")).label("no step has this `name`");
        let known: Vec<&str> = self.steps.iter().map(|(step, _)| step.as_str()).collect();
        if known.is_empty() {
            problems.add(problem.help(format!("give the step that is meant a `name: {name}`")));
            return None;
        }
        index(&nearest(problem, &name, &known, "named step", problems)?)
    }
}

fn word(value: &Value<Reference>, what: &str, problems: &mut Problems) -> Option<(String, Span)> {
    let (_, span) = value.given(what, problems)?;
    Some((value.read(problems)?, span.clone()))
}

fn nearest(problem: Problem, name: &str, known: &[&str], kind: &str, problems: &mut Problems) -> Option<String> {
    let (help, near) = names::suggest(name, known, kind);
    problems.add(problem.help(help));
    near.map(str::to_owned)
}

/// The first word of what stands at `span`: where to put the caret for "something is missing in here".
pub(super) fn start_of(span: &Span, text: &str) -> Span {
    let rest = text.get(span.start..).unwrap_or_default();
    let end = rest.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(rest.len());
    span.start..span.start + end.max(1).min(rest.len())
}

/// The first word of the file that is no comment: where to put the caret for "something is missing in this file".
pub(super) fn first_key(text: &str) -> Span {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() && !line.starts_with(['#', '%', '-']) {
            break;
        }
        start += line.len();
    }
    start_of(&(start..start), text)
}
