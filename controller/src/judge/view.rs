//! The timeline as the claims ask for it: in order of time, by host and program, and within a window.

use super::words;
use crate::scenario::{Moment, Scenario};
use crate::timeline::{Event, Frame, KernelEvent, LabTime, MachineEvent, ProgramEvent, StepEvent, What};

/// A timeline in order of time, beside its scenario.
pub(super) struct View<'a> {
    pub(super) scenario: &'a Scenario,
    events: Vec<&'a Event>,
    /// The lab was watched until then.
    pub(super) end: LabTime,
}

/// The time that a claim speaks of.
#[derive(Debug)]
pub(super) struct Window {
    /// Its first instant; none if it never opened.
    pub(super) from: Option<LabTime>,
    /// The first instant after it; none if it ends with the run.
    until: Option<LabTime>,
    /// Why it was not watched to its end, as a clause; none if it was.
    pub(super) gap: Option<String>,
    /// Watching until then would close the gap.
    pub(super) open_until: Option<LabTime>,
}

impl Window {
    /// Whether `at` lies in it.
    pub(super) fn holds(&self, at: LabTime) -> bool {
        self.from.is_some_and(|from| from <= at) && self.is_before_end(at)
    }

    /// The first instant after it; that of the run's end where it ends with the run.
    pub(super) fn until(&self, view: &View<'_>) -> LabTime {
        self.until.unwrap_or(LabTime(view.end.0.saturating_add(1)))
    }

    /// Whether `at` lies before its end, be it before its beginning or not.
    pub(super) fn is_before_end(&self, at: LabTime) -> bool {
        self.until.is_none_or(|until| at < until)
    }
}

impl<'a> View<'a> {
    pub(super) fn new(scenario: &'a Scenario, timeline: &'a [Event], watched: LabTime) -> Self {
        // Witnesses share a clock, not a queue: what two of them saw may be collected in another order.
        let mut events: Vec<&Event> = timeline.iter().collect();
        events.sort_by_key(|e| e.at);
        let end = events.last().map_or(watched, |e| e.at.max(watched));
        Self { scenario, events, end }
    }

    /// When step `index` began.
    pub(super) fn began(&self, index: usize) -> Option<LabTime> {
        self.step(index, &StepEvent::Began)
    }

    fn step(&self, wanted: usize, as_wanted: &StepEvent) -> Option<LabTime> {
        self.events.iter().find_map(|e| match &e.what {
            What::Step { index, event, .. } if *index == wanted && event == as_wanted => Some(e.at),
            _ => None,
        })
    }

    /// The first step that was not carried out to its end; none if the run is whole.
    pub(super) fn broken_at(&self) -> Option<usize> {
        (0..self.scenario.steps.len()).find(|&index| self.step(index, &StepEvent::Done).is_none())
    }

    /// What the program did.
    pub(super) fn program<'b>(&'b self, name: &'b str) -> impl DoubleEndedIterator<Item = (LabTime, &'a ProgramEvent)> {
        self.events.iter().filter_map(move |e| match &e.what {
            What::Program { program, event, .. } if program == name => Some((e.at, event)),
            _ => None,
        })
    }

    /// What happened to the host's machine.
    pub(super) fn machine<'b>(&'b self, name: &'b str) -> impl DoubleEndedIterator<Item = (LabTime, &'a MachineEvent)> {
        self.events.iter().filter_map(move |e| match &e.what {
            What::Machine { host, event } if host == name => Some((e.at, event)),
            _ => None,
        })
    }

    /// The frames on the cable.
    pub(super) fn frames(&self) -> impl DoubleEndedIterator<Item = (LabTime, &'a Frame)> {
        self.events.iter().filter_map(|e| match &e.what {
            What::Wire(frame) => Some((e.at, &**frame)),
            _ => None,
        })
    }

    /// What the host's kernel told.
    pub(super) fn kernel<'b>(&'b self, host: &'b str) -> impl DoubleEndedIterator<Item = (LabTime, &'a KernelEvent)> {
        self.events.iter().filter_map(move |e| match &e.what {
            What::Kernel(event) if event.host == host => Some((e.at, &**event)),
            _ => None,
        })
    }

    /// The time that `moment` names, and whether it was watched to its end.
    pub(super) fn window(&self, moment: &Moment) -> Window {
        let from = match moment.after {
            Some(step) => self.began(step),
            None => Some(LabTime(0)),
        };
        let Some(start) = from else {
            let gap = moment.after.map(|step| format!("{} never began", words::step(self.scenario, step)));
            return Window { from, until: None, gap, open_until: None };
        };
        // A window may have two ends; the earlier one counts.
        let deadline = moment.within.map(|within| start.after(within));
        let before = moment.before.and_then(|step| self.began(step));
        let ends = deadline.map(|d| LabTime(d.0.saturating_add(1))).into_iter().chain(before);
        let until = ends.min();
        let (gap, open_until) = match (until, deadline) {
            (Some(until), _) if until.0 <= self.end.0.saturating_add(1) => (None, None),
            (Some(_), Some(deadline)) => {
                let gap = format!(
                    "the lab was watched until {} s only, and the time in question runs until {deadline} s",
                    self.end
                );
                (Some(gap), Some(deadline))
            }
            _ => (self.broken_off(moment), None),
        };
        Window { from, until, gap, open_until }
    }

    /// For a window that ends with a step or with the run: why that end was not reached, if it was not.
    fn broken_off(&self, moment: &Moment) -> Option<String> {
        if let Some(before) = moment.before {
            return Some(format!("{} never began", words::step(self.scenario, before)));
        }
        self.broken_at().map(|step| format!("the run broke off in {}", words::step(self.scenario, step)))
    }
}
