//! The story as a ladder: a lane per host, arrows between them, time running down.
//!
//! Two passes. [`rows`] turns events into rows in words (what to say, in whose lane, which arrow), which knows
//! nothing of columns; [`draw`] puts rows into columns, which knows nothing of events.

mod arrow;
mod chatter;
mod draw;
mod kernel;
mod rows;

use super::style::Style;
use crate::scenario::Scenario;
use crate::timeline::Event;

/// The run as a ladder, ready to print, with a newline at its end: what programs printed, what happened to
/// machines, and every segment between them, in order of time. Fits into `style.width` columns (60 at least).
#[must_use]
pub fn ladder(scenario: &Scenario, timeline: &[Event], style: &Style) -> String {
    let hosts: Vec<&str> = scenario.hosts.keys().map(String::as_str).collect();
    let rows = rows::rows(scenario, timeline, &hosts);
    draw::draw(scenario, &rows, &hosts, *style)
}
