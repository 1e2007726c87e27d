//! The order of the steps: can each be done when its turn comes? A small machine is run over the steps, with a state for
//! every host and every program.
//!
//! It knows what the steps tell, no more: a program that was sent SIGKILL runs until a step has seen its end. After a
//! step that cannot be, the machine goes on as if what the step takes for granted were so: one slip is one problem.

use super::steps::Placed;
use crate::scenario::model::{Action, Pattern, Program, Until};
use crate::scenario::problem::{Problem, Problems, Span};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};

/// Checks the order. Returns the programs that are started at all.
pub(super) fn check(
    steps: &[Placed],
    programs: &IndexMap<String, Program>,
    problems: &mut Problems,
) -> BTreeSet<String> {
    let mut lab = Lab { programs, hosts: BTreeMap::new(), lives: BTreeMap::new(), started: BTreeSet::new(), problems };
    for step in steps {
        lab.step(&step.step.action, &step.subject);
    }
    lab.started
}

/// A host, as the steps so far leave it. At the start: on, and plugged in.
#[derive(Default)]
struct HostState {
    /// Where it was switched off.
    off: Option<Span>,
    /// Where it was unplugged.
    unplugged: Option<Span>,
}

/// A program, as the steps so far leave it.
enum Life {
    Runs {
        since: Span,
        input_ended: Option<Span>,
    },
    Ended {
        at: Span,
    },
    /// Its host went down under it.
    HostGone {
        at: Span,
    },
}

struct Lab<'a> {
    programs: &'a IndexMap<String, Program>,
    hosts: BTreeMap<String, HostState>,
    lives: BTreeMap<String, Life>,
    started: BTreeSet<String>,
    problems: &'a mut Problems,
}

impl Lab<'_> {
    fn step(&mut self, action: &Action, at: &Span) {
        match action {
            Action::Start { program, until } => {
                self.start(program, at);
                self.wait(program, until.as_ref(), at);
            }
            Action::Type { program, until, .. } => {
                self.input(program, "be typed into", at);
                self.wait(program, until.as_ref(), at);
            }
            Action::EndInput { program, until } => {
                self.input(program, "be typed into", at);
                if let Some(Life::Runs { input_ended, .. }) = self.lives.get_mut(program) {
                    *input_ended = Some(at.clone());
                }
                self.wait(program, until.as_ref(), at);
            }
            Action::Await { program, until } => {
                self.running(program, "be waited for", at);
                self.wait(program, Some(until), at);
            }
            Action::Signal { program, .. } => self.running(program, "get a signal", at),
            Action::Run { host, .. } => self.needs_power(host, "run a command", at),
            Action::PowerOn(host) => self.power_on(host, at),
            Action::PowerOff(host) => self.down(host, "be powered off", at, true),
            Action::Shutdown(host) => self.down(host, "be shut down", at, true),
            Action::Reset(host) => self.down(host, "be reset", at, false),
            Action::Reboot(host) => self.down(host, "be rebooted", at, false),
            Action::Unplug(host) => self.unplug(host, at),
            Action::Plug(host) => self.plug(host, at),
            Action::AwaitState { host, .. } => self.needs_power(host, "be watched for a change of state", at),
            Action::Cable(_) | Action::Pause(_) | Action::AwaitSegment { .. } => {}
        }
    }

    fn start(&mut self, program: &str, at: &Span) {
        if let Some(Life::Runs { since, .. }) = self.lives.get(program) {
            self.problems.add(
                Problem::at(at, format!("`{program}` cannot be started: it runs already"))
                    .label("started again")
                    .also(since, "started here")
                    .help("wait for its end first (`wait-for` with `until: ends`), or declare a second program"),
            );
        }
        if let Some(host) = self.programs.get(program).map(|p| p.host.clone()).filter(|host| !host.is_empty()) {
            self.needs_power(&host, &format!("start `{program}`"), at);
        }
        self.started.insert(program.to_owned());
        self.lives.insert(program.to_owned(), Life::Runs { since: at.clone(), input_ended: None });
    }

    /// The program must run, with its input open.
    fn input(&mut self, program: &str, what: &str, at: &Span) {
        if self.programs.get(program).is_some_and(|program| program.service) {
            self.problems.add(
                Problem::at(at, format!("`{program}` cannot {what}: it is a service"))
                    .label("has no terminal")
                    .help("init gives a service no input; leave out `service: true`, or make it read from elsewhere"),
            );
            return;
        }
        self.running(program, what, at);
        if let Some(Life::Runs { input_ended: Some(ended), .. }) = self.lives.get(program) {
            self.problems.add(
                Problem::at(at, format!("`{program}` cannot {what}: its input has ended"))
                    .label("typed into after its end of file")
                    .also(ended, "the end of file was typed here"),
            );
        }
    }

    /// The program must run; after the problem that it does not, it is taken to.
    fn running(&mut self, program: &str, what: &str, at: &Span) {
        let problem = match self.lives.get(program) {
            Some(Life::Runs { .. }) => return,
            None => Problem::at(at, format!("`{program}` cannot {what}: it is not started yet"))
                .label("not started")
                .help(format!("put `- start: {program}` before this step")),
            Some(Life::Ended { at: end }) => Problem::at(at, format!("`{program}` cannot {what}: it has ended"))
                .label("no longer there")
                .also(end, "its end was seen here"),
            Some(Life::HostGone { at: end }) => {
                let host = self.programs.get(program).map_or("its host", |p| p.host.as_str());
                Problem::at(at, format!("`{program}` cannot {what}: it died with {host}"))
                    .label("no longer there")
                    .also(end, format!("{host} went down here"))
                    .help(format!("start it again once {host} is up"))
            }
        };
        self.problems.add(problem);
        self.lives.insert(program.to_owned(), Life::Runs { since: at.clone(), input_ended: None });
    }

    fn wait(&mut self, program: &str, until: Option<&Until>, at: &Span) {
        if until.is_some_and(|until| until.what == Pattern::Ends) {
            self.lives.insert(program.to_owned(), Life::Ended { at: at.clone() });
        }
    }

    /// The host must be on; after the problem that it is not, it is taken to be.
    fn needs_power(&mut self, host: &str, what: &str, at: &Span) {
        let state = self.hosts.entry(host.to_owned()).or_default();
        if let Some(off) = state.off.take() {
            self.problems.add(
                Problem::at(at, format!("`{host}` cannot {what}: it is off"))
                    .label("the host is off")
                    .also(&off, "switched off here")
                    .help(format!("put `- power-on: {host}` before this step")),
            );
        }
    }

    fn power_on(&mut self, host: &str, at: &Span) {
        if self.hosts.entry(host.to_owned()).or_default().off.take().is_none() {
            self.problems.add(
                Problem::at(at, format!("`{host}` cannot be powered on: it is on"))
                    .label("on already")
                    .help("every host is on when the first step begins"),
            );
        }
    }

    /// The host goes down, and stays off if `stays`; what runs on it is gone.
    fn down(&mut self, host: &str, what: &str, at: &Span, stays: bool) {
        self.needs_power(host, what, at);
        if stays {
            self.hosts.entry(host.to_owned()).or_default().off = Some(at.clone());
        }
        for (name, program) in self.programs {
            if let (true, Some(life @ Life::Runs { .. })) = (program.host == host, self.lives.get_mut(name)) {
                *life = Life::HostGone { at: at.clone() };
            }
        }
    }

    fn unplug(&mut self, host: &str, at: &Span) {
        self.needs_power(host, "lose its carrier", at);
        let state = self.hosts.entry(host.to_owned()).or_default();
        if let Some(first) = state.unplugged.replace(at.clone()) {
            self.problems.add(
                Problem::at(at, format!("`{host}` cannot be unplugged: it is unplugged"))
                    .label("unplugged again")
                    .also(&first, "unplugged here"),
            );
        }
    }

    fn plug(&mut self, host: &str, at: &Span) {
        self.needs_power(host, "get its carrier back", at);
        let state = self.hosts.entry(host.to_owned()).or_default();
        if state.unplugged.take().is_none() {
            self.problems.add(
                Problem::at(at, format!("`{host}` cannot be plugged in: it is plugged in"))
                    .label("plugged in already")
                    .help("every host is plugged in when the first step begins"),
            );
        }
    }
}
