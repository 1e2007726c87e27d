//! Steps, one by one: what each does, to which host or program.

use super::lookup::{Known, start_of};
use super::parts;
use super::verb::{self, Sort};
use super::{items, twice};
use crate::scenario::model::{Action, Pattern, Rule, RuleVerdict, Step, Until};
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::{Field, List, RuleSource, StepSource, UntilSource, VERBS, VERDICTS};
use std::time::Duration;

/// How long is waited where the scenario does not say.
const USUAL_WAIT: Duration = Duration::from_secs(10);

/// Most steps of a scenario.
const MOST_STEPS: usize = 500;

/// Most rules of the cable.
const MOST_RULES: usize = 64;

const STEP: Sort =
    Sort { name: "step", none: "a step must do something", several: "a step does exactly one thing", verbs: VERBS };

const RULE: Sort = Sort {
    name: "rule",
    none: "a rule must say what it does",
    several: "a rule does exactly one thing",
    verbs: VERDICTS,
};

/// A step, and where the name of the host or program stands that it is about.
pub(super) struct Placed {
    pub(super) step: Step,
    pub(super) subject: Span,
}

/// The names that steps have, with their indices; ill-formed ones too, which are a problem where they stand alone.
pub(super) fn names(list: &List<StepSource>) -> Vec<(String, usize)> {
    let Field::Given(list, _) = list else { return Vec::new() };
    // The same items in the same order as `steps` counts: those that hold something.
    let given = list.iter().filter_map(|item| match item {
        Field::Given(step, _) => Some(step),
        _ => None,
    });
    let named = given.enumerate().map(|(index, step)| (step.name.text().map(str::to_owned), index));
    named.filter_map(|(name, index)| Some((name?, index))).collect()
}

/// The steps. One that cannot be made out is a pause of no time, so that the others keep their indices.
pub(super) fn steps(list: &List<StepSource>, known: &Known, problems: &mut Problems) -> Vec<Placed> {
    let sources = items(list, "steps", "a scenario without a step shows nothing", problems);
    if let Some((_, span)) = sources.get(MOST_STEPS) {
        let at = start_of(span, problems.text());
        let fact = format!("{} steps are more than {MOST_STEPS}", sources.len());
        problems.add(Problem::at(&at, fact).label("one too many"));
    }
    let mut named: Vec<(String, Span)> = Vec::new();
    let mut out = Vec::new();
    for (index, (source, span)) in sources.into_iter().take(MOST_STEPS).enumerate() {
        let name = source.name.read(problems);
        if let (Some(name), Some(at)) = (&name, source.name.span()) {
            match named.iter().find(|(other, _)| other == name) {
                Some((_, first)) => twice(name, "steps", first, at, problems),
                None => named.push((name.clone(), at.clone())),
            }
        }
        let verb = verb::one(&STEP, &source.given(), span, problems);
        let (action, subject) = match verb {
            Some(verb) => Reader { index, source, known, problems }.action(verb),
            None => (None, None),
        };
        let action = action.unwrap_or(Action::Pause(Duration::ZERO));
        let step = Step { name, action, line: problems.line(span) };
        out.push(Placed { step, subject: subject.unwrap_or_else(|| span.clone()) });
    }
    out
}

/// Reads one step.
struct Reader<'a> {
    index: usize,
    source: &'a StepSource,
    known: &'a Known,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    /// What `verb` does here, and where its subject stands.
    fn action(&mut self, verb: &str) -> (Option<Action>, Option<Span>) {
        let source = self.source;
        let subject = match verb {
            "start" => &source.start,
            "type" => &source.into,
            "end-input" => &source.end_input,
            "wait-for" => &source.wait_for,
            "signal" => &source.to,
            "run" => &source.host,
            "power-off" => &source.power_off,
            "power-on" => &source.power_on,
            "reset" => &source.reset,
            "shutdown" => &source.shutdown,
            "reboot" => &source.reboot,
            "unplug" => &source.unplug,
            "plug" => &source.plug,
            "wait-for-state" => &source.host,
            "wait-for-segment" => return (self.await_segment(), None),
            "cable" => return (self.rules().map(Action::Cable), None),
            _ => return (source.pause.read(self.problems).map(Action::Pause), None),
        };
        let action = match verb {
            "start" | "type" | "end-input" | "wait-for" | "signal" => {
                let program = self.known.program(subject, self.problems);
                self.on_program(verb, program)
            }
            _ => {
                let host = self.known.host(subject, self.problems);
                self.on_host(verb, host)
            }
        };
        (action, subject.span().cloned())
    }

    /// Reads everything of the step even where the program is unknown, for all its problems.
    fn on_program(&mut self, verb: &str, program: Option<String>) -> Option<Action> {
        let until = if verb == "signal" { None } else { self.until() };
        match verb {
            "start" => Some(Action::Start { program: program?, until }),
            "type" => {
                let line = self.source.r#type.read(self.problems);
                Some(Action::Type { program: program?, line: line?, until })
            }
            "end-input" => Some(Action::EndInput { program: program?, until }),
            "wait-for" => Some(Action::Await { program: program?, until: until? }),
            _ => {
                let signal = self.source.signal.read(self.problems);
                Some(Action::Signal { program: program?, signal: signal? })
            }
        }
    }

    fn on_host(&mut self, verb: &str, host: Option<String>) -> Option<Action> {
        if verb == "run" {
            let command = self.source.run.read(self.problems);
            let within = self.source.within.read(self.problems).unwrap_or(USUAL_WAIT);
            return Some(Action::Run { host: host?, command: command?, within });
        }
        if verb == "wait-for-state" {
            let change = parts::change(&self.source.wait_for_state, self.problems);
            let (after, within) = self.awaited();
            return Some(Action::AwaitState { host: host?, change: change?, after, within });
        }
        let action = match verb {
            "power-off" => Action::PowerOff,
            "power-on" => Action::PowerOn,
            "reset" => Action::Reset,
            "shutdown" => Action::Shutdown,
            "reboot" => Action::Reboot,
            "unplug" => Action::Unplug,
            _ => Action::Plug,
        };
        host.map(action)
    }

    fn await_segment(&mut self) -> Option<Action> {
        let (after, within) = self.awaited();
        let (flow, at) = self.source.wait_for_segment.given("which segments", self.problems)?;
        let flow = parts::flow(parts::FlowParts::of(flow), false, at, self.known, self.problems)?;
        Some(Action::AwaitSegment { flow, after, within })
    }

    /// Since which step something is awaited, and for how long.
    fn awaited(&mut self) -> (Option<usize>, Duration) {
        let after = self.known.step(&self.source.after, self.problems);
        if let (Some(after), Some(at)) = (after, self.source.after.span())
            && after > self.index
        {
            let fact = "nothing can be awaited that comes after a later step";
            let problem = Problem::at(at, fact).label("comes after this step");
            self.problems.add(problem.help("an earlier step, or this one for what is seen from now on"));
        }
        (after, self.source.within.read(self.problems).unwrap_or(USUAL_WAIT))
    }

    fn until(&mut self) -> Option<Until> {
        let within = self.source.within.read(self.problems);
        if let (Field::Absent, Some(span)) = (&self.source.until, self.source.within.span()) {
            let at = self.problems.key_of("within", span);
            let problem =
                Problem::at(&at, "`within` bounds a wait, and nothing is waited for").label("without `until`");
            self.problems.add(problem.help("as in `until: { prints: ... }` or `until: ends`"));
        }
        let (until, _) = self.source.until.given("what to wait for", self.problems)?;
        let what = match until {
            UntilSource::Prints(text) => Pattern::Prints(text.read(self.problems)?),
            UntilSource::Ends => Pattern::Ends,
        };
        Some(Until { what, within: within.unwrap_or(USUAL_WAIT) })
    }

    fn rules(&mut self) -> Option<Vec<Rule>> {
        let (list, span) = self.source.cable.given("the list of rules (`[]` to clear them)", self.problems)?;
        if list.len() > MOST_RULES {
            let fact = format!("{} rules are more than {MOST_RULES}", list.len());
            self.problems.add(Problem::at(span, fact).label("too many"));
        }
        let mut rules = Vec::new();
        for item in list {
            if let Some((rule, span)) = item.given("a rule", self.problems) {
                rules.extend(self.rule(rule, span));
            }
        }
        Some(rules)
    }

    fn rule(&mut self, source: &RuleSource, span: &Span) -> Option<Rule> {
        let verb = verb::one(&RULE, &source.given(), span, self.problems)?;
        let from = self.known.host(&source.from, self.problems);
        let to = self.known.host(&source.to, self.problems);
        if let (Some(from_host), Some(to_host), Some(at)) = (&from, &to, source.to.span())
            && from_host == to_host
        {
            let fact = format!("nothing goes from {from_host} to itself by the cable");
            self.problems.add(Problem::at(at, fact).label("the same host"));
        }
        let (kind, verdict) = match verb {
            "drop" => (source.drop.read(self.problems), RuleVerdict::Drop),
            "pass" => (source.pass.read(self.problems), RuleVerdict::Pass),
            _ => {
                let by = source.by.read(self.problems);
                (source.delay.read(self.problems), RuleVerdict::Delay(by?))
            }
        };
        Some(Rule { from, to, kind: kind?.0, verdict })
    }
}
