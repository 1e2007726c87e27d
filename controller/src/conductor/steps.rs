//! Carries out a scenario's steps.

use super::lab::Lab;
use super::watch::Mark;
use crate::error::{Error, Result};
use crate::image;
use crate::remote::{Launch, quote};
use crate::report::PhaseKind;
use crate::scenario::{Action, Host, Init, Pattern, Step, Until};
use crate::timeline::{Ended, MachineEvent, ProgramEvent, StepEvent, What};
use deadpeer_guest::WITNESS;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Within which time an orderly shutdown or reboot by init must have brought the machine down. Debian's System V init waits 10 s
/// between SIGTERM and SIGKILL (its `sendsigs`), systemd 90 s (systemd-system.conf(5), `DefaultTimeoutStopSec`).
const INIT_WITHIN: Duration = Duration::from_secs(150);

/// Of what a program printed, an error shows so many lines at most, the last.
const SAID_LINES: usize = 20;

impl Lab<'_> {
    /// Carries out all steps, in order.
    ///
    /// # Errors
    /// The first step that cannot be carried out, or that does not come to the point it waits for.
    pub(super) fn carry_out_steps(&mut self) -> Result<()> {
        for (index, step) in self.scenario.steps.iter().enumerate() {
            let text = step.action.to_string();
            let id = format!("step {}", index + 1);
            self.watch.part()?;
            self.reporter.began(&id, text.clone());
            self.note_step(index, step, &text, StepEvent::Began);
            let began = self.recorder.clock().now();
            if let Err(error) = self.carry_out(index, step) {
                self.reporter.failed(&id, text.clone());
                return Err(error.during(&format!("step {} ({text}, line {})", index + 1, step.line)));
            }
            self.note_step(index, step, &text, StepEvent::Done);
            let took = self.recorder.clock().now().since(began);
            self.reporter.done(&id, format!("{text} ({:.1} s)", took.as_secs_f64()));
            self.phases.end(text, kind_of(&step.action));
        }
        Ok(())
    }

    fn note_step(&self, index: usize, step: &Step, text: &str, event: StepEvent) {
        self.recorder.note(What::Step { index, name: step.name.clone(), text: text.to_owned(), event });
    }

    fn carry_out(&mut self, index: usize, step: &Step) -> Result<()> {
        let mark = self.watch.mark();
        match &step.action {
            Action::Start { program, until } => {
                self.start(program)?;
                self.until(mark, program, until.as_ref())
            }
            Action::Type { program, line, until } => {
                let typed = self.program(program)?;
                let line = line.clone();
                self.watch.perform(move || typed.type_line(&line))?;
                self.until(mark, program, until.as_ref())
            }
            Action::EndInput { program, until } => {
                let typed = self.program(program)?;
                self.watch.perform(move || typed.end_input())?;
                self.until(mark, program, until.as_ref())
            }
            // What the program did before this step counts as well: the step only says how far to wait.
            Action::Await { program, until } => self.until(Mark::START, program, Some(until)),
            Action::Signal { program, signal } => {
                let target = self.program(program)?;
                let signal = signal.clone();
                self.watch.perform(move || target.signal(&signal))
            }
            Action::Run { host, command, within } => self.run(host, command, *within),
            Action::PowerOff(host) => self.power_off(host),
            Action::PowerOn(host) => self.bring_up(std::slice::from_ref(host), index),
            Action::Reset(host) => {
                self.hear_until_now(host)?;
                self.restart(host, index, |lab, host| lab.guest(host)?.machine.reset())
            }
            Action::Reboot(host) => self.restart(host, index, |lab, host| lab.ask_init(host, image::reboot_command)),
            Action::Shutdown(host) => self.shut_down(host),
            Action::Unplug(host) => self.set_carrier(host, false),
            Action::Plug(host) => self.set_carrier(host, true),
            Action::Cable(rules) => self.wires.set_rules(rules.clone()),
            Action::AwaitSegment { flow, after, within } => self.await_segment(index, flow, *after, *within),
            Action::AwaitState { host, change, after, within } => {
                self.await_state(index, host, change, *after, *within)
            }
            Action::Pause(time) => self.watch.pass_time(self.recorder.clock().now().after(*time), |_| false),
        }
    }

    fn program(&mut self, name: &str) -> Result<Arc<crate::remote::Program>> {
        let host = self.host_of(name)?;
        let running = self.guest(&host)?.programs.get(name).cloned();
        running.ok_or_else(|| Error::broken(format!("{name} does not run on host '{host}'")))
    }

    fn host_of(&self, program: &str) -> Result<String> {
        let found = self.scenario.programs.get(program).map(|p| p.host.clone());
        found.ok_or_else(|| Error::broken(format!("the scenario has no program '{program}'")))
    }

    fn start(&mut self, program: &str) -> Result<()> {
        let host = self.host_of(program)?;
        let words = self.scenario.programs.get(program).map(|p| p.command.clone()).unwrap_or_default();
        let command = words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ");
        let service = self.scenario.programs.get(program).is_some_and(|p| p.service);
        let (recorder, on, name) = (self.recorder.clone(), host.clone(), program.to_owned());
        let events = move |event: ProgramEvent| {
            recorder.note(What::Program { host: on.clone(), program: name.clone(), event });
        };
        let session = self.guest(&host)?.session()?;
        let name = program.to_owned();
        let started = self.watch.perform(move || {
            session.start(&Launch { witness: WITNESS, name: &name, command: &command, service }, events)
        })?;
        self.guest(&host)?.programs.insert(program.to_owned(), Arc::new(started));
        Ok(())
    }

    /// Waits until `program` does what `until` says.
    fn until(&mut self, mark: Mark, program: &str, until: Option<&Until>) -> Result<()> {
        let Some(until) = until else { return Ok(()) };
        let mut said = VecDeque::new();
        let found = self.watch.event(mark, until.within, &format!("{program} to do this: {}", until.what), |event| {
            let What::Program { program: name, event, .. } = &event.what else { return None };
            if name != program {
                return None;
            }
            match (event, &until.what) {
                (ProgramEvent::Line { text }, Pattern::Prints(wanted)) if text.contains(wanted) => Some(None),
                (ProgramEvent::Line { text }, _) => {
                    said.push_back(text.clone());
                    if said.len() > SAID_LINES {
                        said.pop_front();
                    }
                    None
                }
                (ProgramEvent::Muted, _) => {
                    said.push_back("(and so much more that it was not kept)".to_owned());
                    None
                }
                (ProgramEvent::Ended { .. }, Pattern::Ends) => Some(None),
                (ProgramEvent::Ended { how }, Pattern::Prints(_)) => Some(Some(how.clone())),
                _ => None,
            }
        });
        let said = || {
            let lines: Vec<&str> = said.iter().map(String::as_str).collect();
            match lines.len() {
                0 => "it printed nothing".to_owned(),
                SAID_LINES.. => format!("its last lines:\n{}", lines.join("\n")),
                _ => format!("it printed:\n{}", lines.join("\n")),
            }
        };
        match found {
            Ok(None) => Ok(()),
            Ok(Some(how)) => Err(ended_instead(program, &until.what, &how).detail(said())),
            Err(error) => Err(error.detail(said())),
        }
    }

    fn run(&mut self, host: &str, command: &str, within: Duration) -> Result<()> {
        let session = self.guest(host)?.session()?;
        let asked = command.to_owned();
        let output = self.watch.perform(move || session.run(&asked, within))?;
        if output.ended == Ended::Exit(0) {
            return Ok(());
        }
        Err(Error::broken(format!("`{command}` on host '{host}' {}", output.ended))
            .detail(format!("{}{}", output.stdout, output.stderr)))
    }

    /// Has something restart the host, and waits until it is up again.
    fn restart(&mut self, host: &str, from: usize, by: impl FnOnce(&mut Self, &str) -> Result<()>) -> Result<()> {
        let mark = self.watch.mark();
        self.watch.unguard(host);
        self.guest(host)?.let_go();
        by(self, host)?;
        self.watch.event(mark, INIT_WITHIN, &format!("host '{host}' to restart"), |e| match &e.what {
            What::Machine { host: on, event: MachineEvent::Reset { .. } } if on == host => Some(()),
            _ => None,
        })?;
        self.wires.sleep(host)?;
        self.watch.guard_restart(host);
        self.guest(host)?.forget_boot();
        self.await_boots(&[host.to_owned()], mark, from)
    }

    /// Shuts a host down in order; done when its machine is off.
    fn shut_down(&mut self, host: &str) -> Result<()> {
        let mark = self.watch.mark();
        self.watch.unguard(host);
        self.guest(host)?.let_go();
        self.ask_init(host, image::shutdown_command)?;
        self.watch.event(mark, INIT_WITHIN, &format!("host '{host}' to shut down"), |e| match &e.what {
            What::Machine { host: on, event: MachineEvent::ShutDown { .. } } if on == host => Some(()),
            _ => None,
        })?;
        let guest = self.guest(host)?;
        guest.session = None;
        guest.programs.clear();
        Ok(())
    }

    /// Tells init to shut down or to reboot. Nobody waits for its answer, which may never come: init ends our session too.
    fn ask_init(&mut self, host: &str, command: fn(Init) -> &'static str) -> Result<()> {
        let command = command(self.scenario.hosts.get(host).map(Host::init).unwrap_or_default());
        let session = self.guest(host)?.session()?;
        session.tell(command, INIT_WITHIN)
    }
}

fn ended_instead(program: &str, wanted: &Pattern, how: &Ended) -> Error {
    let error = Error::broken(format!("waited for {program} to do this: {wanted}; instead it {how}"));
    if *how == Ended::Exit(127) {
        return error.help("127 is how the shell says that there is no such program: does the first word of its `run:` exist on that host?");
    }
    error
}

/// Whose time the rest of a step is; a boot that it asked for has been counted by then.
fn kind_of(action: &Action) -> PhaseKind {
    match action {
        Action::Start { until, .. } | Action::Type { until, .. } | Action::EndInput { until, .. }
            if until.is_none() =>
        {
            PhaseKind::Step
        }
        Action::Start { .. }
        | Action::Type { .. }
        | Action::EndInput { .. }
        | Action::Await { .. }
        | Action::AwaitSegment { .. }
        | Action::AwaitState { .. }
        | Action::Run { .. }
        | Action::Pause(_) => PhaseKind::Wait,
        Action::Shutdown(_) => PhaseKind::Reboot,
        Action::PowerOn(_)
        | Action::Reset(_)
        | Action::Reboot(_)
        | Action::Signal { .. }
        | Action::PowerOff(_)
        | Action::Unplug(_)
        | Action::Plug(_)
        | Action::Cable(_) => PhaseKind::Step,
    }
}
