//! Progress on a terminal: a spinner for each line of work under way, at the bottom; what is done scrolls up.

use super::super::style::{Paint, Style};
use super::super::text::{harmless, span};
use crate::progress::Progress as Told;
use indexmap::IndexMap;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

pub(super) struct Live {
    screen: MultiProgress,
    style: Style,
    /// Work under way, by id, in the order in which it began.
    lines: IndexMap<String, Line>,
}

/// One line of work under way.
struct Line {
    bar: ProgressBar,
    began: Instant,
    /// All it ever said, and when, to be shown whole if it fails.
    said: Vec<(Duration, String)>,
}

impl Live {
    pub(super) fn new(target: ProgressDrawTarget, style: Style) -> Self {
        Self { screen: MultiProgress::with_draw_target(target), style, lines: IndexMap::new() }
    }

    pub(super) fn show(&mut self, told: Told) {
        match told {
            Told::Began { id, what } | Told::Now { id, what, done: None } => self.say(&id, &what, None),
            Told::Now { id, what, done } => self.say(&id, &what, done),
            Told::Done { id, what } => {
                self.take(&id);
                let sign = self.style.paint(Paint::Good, self.style.sign("✓", "+"));
                self.print(&format!("{sign} {}  {}", self.name(&id), harmless(&what)));
            }
            Told::Failed { id, what } => {
                let Some(line) = self.take(&id) else { return self.fail(&id, &what) };
                let ends = line.said.iter().skip(1).map(|(at, _)| *at).chain([line.began.elapsed()]);
                for ((at, said), end) in line.said.iter().zip(ends) {
                    let nanos = u64::try_from(end.saturating_sub(*at).as_nanos()).unwrap_or(u64::MAX);
                    let row = format!("  {}  {said} ({})", self.name(&id), span(nanos));
                    self.print(&self.style.paint(Paint::Dim, &row));
                }
                self.fail(&id, &what);
            }
        }
    }

    /// The work `id` is over, and `line`, ready to be printed, says all that is to be said of it.
    pub(super) fn over(&mut self, id: &str, line: &str) {
        self.take(id);
        self.print(line);
    }

    fn fail(&self, id: &str, what: &str) {
        let sign = self.style.paint(Paint::Bad, self.style.sign("✗", "X"));
        self.print(&format!("{sign} {}  {}", self.name(id), harmless(what)));
    }

    /// Shows what `id` is doing now, on a line of its own.
    fn say(&mut self, id: &str, what: &str, done: Option<u8>) {
        let what = harmless(what);
        if !self.lines.contains_key(id) {
            let bar = self.screen.add(ProgressBar::new_spinner().with_style(self.spinner()).with_prefix(self.name(id)));
            self.lines.insert(id.to_owned(), Line { bar, began: Instant::now(), said: Vec::new() });
        }
        let Some(line) = self.lines.get_mut(id) else { return };
        let message = done.map_or_else(|| what.clone(), |percent| format!("{what} {percent} %"));
        line.bar.set_message(message);
        line.bar.enable_steady_tick(TICK);
        if line.said.last().is_none_or(|(_, last)| *last != what) {
            line.said.push((line.began.elapsed(), what));
        }
    }

    /// Ends the line of `id`.
    fn take(&mut self, id: &str) -> Option<Line> {
        let line = self.lines.shift_remove(id)?;
        line.bar.finish_and_clear();
        self.screen.remove(&line.bar);
        Some(line)
    }

    fn print(&self, line: &str) {
        // A terminal that is gone is no reason to stop the run.
        let _ = self.screen.println(line);
    }

    fn name(&self, id: &str) -> String {
        self.style.paint(Paint::Bold, &format!("{:<8}", harmless(id)))
    }

    fn spinner(&self) -> ProgressStyle {
        let turns = self.style.sign("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ", "|/-\\ ");
        let template = "{spinner} {prefix}  {wide_msg} {elapsed}";
        // The template is ours: it can only fail by a mistake that the tests would show.
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).tick_chars(turns)
    }

    /// Runs `print` while no spinner is on the terminal.
    pub(super) fn suspended<T>(&self, print: impl FnOnce() -> T) -> T {
        self.screen.suspend(print)
    }

    /// Takes all spinners off the terminal.
    pub(super) fn clear(&mut self) {
        for (_, line) in self.lines.drain(..) {
            line.bar.finish_and_clear();
        }
        let _ = self.screen.clear();
    }
}
