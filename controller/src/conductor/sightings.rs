//! Steps that wait for what is seen on the wire, or for what a host's kernel tells.

use super::lab::Lab;
use super::watch::Mark;
use crate::error::Result;
use crate::judge;
use crate::scenario::{Flow, StateChange};
use crate::timeline::{Event, FrameKind, KernelFact, LabTime, StepEvent, What};
use std::collections::VecDeque;
use std::time::Duration;

/// So many of what came instead an error shows, the last.
const SHOWN: usize = 8;

impl Lab<'_> {
    /// Step `step` waits for a segment of `flow`, seen after step `after` or since the run began.
    ///
    /// # Errors
    /// It does not come within the time given: what was awaited, and the segments that came instead.
    pub(super) fn await_segment(
        &mut self,
        step: usize,
        flow: &Flow,
        after: Option<usize>,
        within: Duration,
    ) -> Result<()> {
        let since = self.since(after)?;
        let mut others = Others::default();
        let found = self.watch.event(Mark::START, within, &format!("{flow}{}", words(since)), |event| {
            let What::Wire(frame) = &event.what else { return None };
            if event.at >= since && judge::fits(flow, frame) {
                return Some(event.at);
            }
            if matches!(frame.kind, FrameKind::Tcp(_) | FrameKind::Icmp { .. }) {
                others.push(event, format!("frame {}: {}", frame.number, judge::frame(frame)));
            }
            None
        });
        self.sighted.insert(step, found.map_err(|error| error.detail(others.told("segment")))?);
        Ok(())
    }

    /// Step `step` waits until a connection of `host` changes its state so, as its kernel tells, after step `after` or since the
    /// run began.
    ///
    /// # Errors
    /// It does not come within the time given: what was awaited, and the changes that came instead.
    pub(super) fn await_state(
        &mut self,
        step: usize,
        host: &str,
        change: &StateChange,
        after: Option<usize>,
        within: Duration,
    ) -> Result<()> {
        let since = self.since(after)?;
        let mut others = Others::default();
        let awaited = format!("a connection of {host} to go{change}{}", words(since));
        let found = self.watch.event(Mark::START, within, &awaited, |event| {
            let What::Kernel(kernel) = &event.what else { return None };
            let KernelFact::State { from, to, .. } = &kernel.fact else { return None };
            if kernel.host != host {
                return None;
            }
            if event.at >= since && change.from.is_none_or(|it| it == *from) && change.to.is_none_or(|it| it == *to) {
                return Some(event.at);
            }
            others.push(event, format!("from {from} to {to}"));
            None
        });
        let what = || format!("change of a connection's state on {host}");
        self.sighted.insert(step, found.map_err(|error| error.detail(others.told(&what())))?);
        Ok(())
    }

    /// From when on something is after step `after`, or in the run: when that began; or, if it waited for such a thing itself, just
    /// after that came.
    fn since(&mut self, after: Option<usize>) -> Result<LabTime> {
        let Some(wanted) = after else { return Ok(LabTime(0)) };
        if let Some(at) = self.sighted.get(&wanted) {
            return Ok(at.after(Duration::from_nanos(1)));
        }
        let awaited = format!("step {} to have begun", wanted + 1);
        self.watch.event(Mark::START, Duration::ZERO, &awaited, |event| match &event.what {
            What::Step { index, event: StepEvent::Began, .. } if *index == wanted => Some(event.at),
            _ => None,
        })
    }
}

fn words(since: LabTime) -> String {
    if since == LabTime(0) { String::new() } else { format!(" after {since} s") }
}

/// What came instead of what was awaited.
#[derive(Default)]
struct Others {
    count: usize,
    last: VecDeque<String>,
}

impl Others {
    fn push(&mut self, event: &Event, what: String) {
        self.count += 1;
        self.last.push_back(format!("{} s  {what}", event.at));
        if self.last.len() > SHOWN {
            self.last.pop_front();
        }
    }

    fn told(&self, what: &str) -> String {
        if self.count == 0 {
            return format!("not one {what} was seen");
        }
        let lines: Vec<&str> = self.last.iter().map(String::as_str).collect();
        let which = if self.count > SHOWN { format!("the last {SHOWN} of {}", self.count) } else { "seen".to_owned() };
        format!("{which}:\n{}", lines.join("\n"))
    }
}
