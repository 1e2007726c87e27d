//! Rows to lines: lanes, texts and headings in columns.

use super::super::canvas::Canvas;
use super::super::style::{Paint, Style};
use super::super::text::{columns, elided, span, wrapped};
use super::super::words;
use super::arrow;
use super::rows::{Cell, Lane, Row};
use crate::scenario::Scenario;
use crate::timeline::LabTime;

/// Nothing happened for so long: worth a row that says so, in nanoseconds.
const IDLE: u64 = 1_000_000_000;
/// A text takes so many lines at most.
const LINES: usize = 4;

/// Where everything stands.
pub(super) struct Sheet {
    pub(super) style: Style,
    /// Columns of the time.
    time: usize,
    /// First column right of time and frame number.
    left: usize,
    /// First column right of everything.
    right: usize,
    /// The column of each lane.
    pub(super) lanes: Vec<usize>,
    /// How each lane looks now.
    pub(super) state: Vec<Lane>,
    lines: Vec<String>,
}

/// Draws `rows` in lanes for `hosts`.
pub(super) fn draw(scenario: &Scenario, rows: &[Row], hosts: &[&str], style: Style) -> String {
    let mut sheet = Sheet::new(rows, hosts.len(), style);
    sheet.header(scenario, hosts);
    let mut before: Option<&Row> = None;
    for row in rows {
        if let Some(before) = before {
            sheet.idle(before, row);
        }
        sheet.row(row);
        before = Some(row);
    }
    sheet.legend(rows);
    sheet.lines.push(String::new());
    sheet.lines.join("\n")
}

impl Sheet {
    fn new(rows: &[Row], hosts: usize, style: Style) -> Self {
        let time = rows.iter().map(|row| row.at.to_string().len()).max().unwrap_or(0).max(5) + 1;
        let number = |row: &Row| match &row.what {
            Cell::Arrow(arrow) => arrow.number.to_string().len() + 1,
            _ => 0,
        };
        let left = time + 1 + rows.iter().map(number).max().unwrap_or(0).max(3) + 1;
        let right = style.columns();
        // The last lane stands in the last column, the others at equal distances; one alone stands left.
        let gaps = hosts.saturating_sub(1).max(1);
        let lanes = (0..hosts).map(|lane| left + lane * (right - 1 - left) / gaps).collect();
        Self { style, time, left, right, lanes, state: vec![Lane::Off; hosts], lines: Vec::new() }
    }

    fn is_last(&self, lane: usize) -> bool {
        lane > 0 && lane + 1 == self.lanes.len()
    }

    /// Columns for a text in `lane`: between it and the next lane, or the one before if it is the last.
    fn room(&self, lane: usize) -> (usize, usize) {
        let at = |lane: usize| self.lanes.get(lane).copied();
        match (at(lane), at(lane + 1)) {
            (None, _) => (self.left, self.right),
            (Some(own), Some(next)) => (own + 2, next - 1),
            (Some(own), None) if self.is_last(lane) => (at(lane - 1).unwrap_or(self.left) + 2, own - 1),
            (Some(own), None) => (own + 2, self.right),
        }
    }

    fn header(&mut self, scenario: &Scenario, hosts: &[&str]) {
        let section = scenario.section.as_ref().map(|s| format!(" (UNP {s})")).unwrap_or_default();
        let title = self.style.clean(&format!("{}: {}{section}", scenario.name, scenario.title));
        for line in wrapped(&title, self.right) {
            self.lines.push(self.style.paint(Paint::Bold, &line));
        }
        self.lines.push(String::new());
        let addresses: Vec<String> = scenario
            .hosts
            .values()
            .map(|host| host.addresses.first().map(|(address, _)| address.to_string()).unwrap_or_default())
            .collect();
        let names: Vec<String> = hosts.iter().map(|name| (*name).to_owned()).collect();
        self.heads(&names, Paint::Bold, "time");
        self.heads(&addresses, Paint::Dim, "s");
    }

    /// A text above each lane.
    fn heads(&mut self, texts: &[String], paint: Paint, unit: &str) {
        let mut canvas = Canvas::new();
        canvas.put(self.time.saturating_sub(unit.len()), unit, Paint::Dim);
        for (lane, text) in texts.iter().enumerate() {
            let (from, to) = self.room(lane);
            let column = self.lanes[lane];
            let text = elided(&self.style.clean(text), to - from + 1, self.style.sign("…", "~"));
            let start = if self.is_last(lane) { (column + 1).saturating_sub(columns(&text)) } else { column };
            canvas.put(start, &text, paint);
        }
        self.lines.push(canvas.line(self.style));
    }

    /// A line with its lanes and, if given, its time.
    pub(super) fn canvas(&self, at: Option<LabTime>) -> Canvas {
        let mut canvas = Canvas::new();
        if let Some(at) = at {
            canvas.put(0, &format!("{at:>width$}", width = self.time), Paint::Dim);
        }
        for (column, state) in self.lanes.iter().zip(&self.state) {
            canvas.put(*column, self.glyph(*state), Paint::Dim);
        }
        canvas
    }

    pub(super) fn glyph(&self, state: Lane) -> &'static str {
        match state {
            Lane::Off => " ",
            Lane::Booting => self.style.sign("┊", ":"),
            Lane::Up => self.style.sign("│", "|"),
        }
    }

    fn push(&mut self, canvas: &Canvas) {
        self.lines.push(canvas.line(self.style));
    }

    /// Says how long nothing happened, unless the next row says so itself.
    fn idle(&mut self, before: &Row, row: &Row) {
        let idle = row.at.0.saturating_sub(before.at.0);
        let says_itself = matches!(&row.what, Cell::Arrow(arrow) if arrow.again.is_some_and(|last| last >= before.at) && arrow::tells_wait(self, arrow));
        if idle < IDLE || says_itself {
            return;
        }
        let mut canvas = self.canvas(None);
        let text = format!("{} {}", self.style.sign("⋮", ":"), span(idle));
        canvas.put((self.time - 1).min(self.left.saturating_sub(columns(&text) + 1)), &text, Paint::Dim);
        self.push(&canvas);
    }

    fn row(&mut self, row: &Row) {
        match &row.what {
            Cell::Heading(text) => self.heading(row.at, text),
            Cell::Note { lane, text, paint, turns } => {
                let text = if self.style.unicode { &text.unicode } else { &text.ascii };
                self.note(row.at, *lane, text, *paint, *turns);
            }
            Cell::Arrow(arrow) => {
                let mut canvas = self.canvas(Some(row.at));
                let number = format!("#{}", arrow.number);
                canvas.put(self.left.saturating_sub(number.len() + 1), &number, Paint::Dim);
                arrow::draw(&mut canvas, self, arrow);
                self.push(&canvas);
            }
            Cell::Background(text) => {
                let text = self.style.clean(&format!("{} {text}", self.style.sign("…", "...")));
                let room = self.lanes.last().filter(|_| self.lanes.len() > 1).map_or(self.right, |last| last - 1);
                let mut canvas = self.canvas(Some(row.at));
                let start = self.left + 2;
                canvas.put(start, &elided(&text, room.saturating_sub(start), self.style.sign("…", "~")), Paint::Dim);
                self.push(&canvas);
            }
            Cell::BrokenOff => {
                let mut canvas = self.canvas(None);
                let text = format!("{} the run ended here, in the middle of this step", self.style.sign("✗", "X"));
                canvas.put(self.left, &text, Paint::Bad);
                self.push(&canvas);
            }
        }
    }

    fn heading(&mut self, at: LabTime, text: &str) {
        let rule = self.style.sign("━", "=");
        let mut canvas = Canvas::new();
        canvas.put(0, &format!("{at:>width$}", width = self.time), Paint::Dim);
        canvas.fill(self.time + 1, self.right, rule, Paint::Dim);
        let room = self.right.saturating_sub(self.left + 4);
        let text = elided(&self.style.clean(text), room, self.style.sign("…", "~"));
        canvas.put(self.left, &format!(" {text} "), Paint::Bold);
        self.push(&canvas);
    }

    fn note(&mut self, at: LabTime, lane: usize, text: &str, paint: Paint, turns: Option<Lane>) {
        let (from, to) = self.room(lane);
        let mut lines = wrapped(&self.style.clean(text), to.saturating_sub(from));
        if lines.len() > LINES {
            lines.truncate(LINES);
            if let Some(last) = lines.last_mut() {
                let sign = self.style.sign("…", "~");
                *last = elided(&format!("{last}{}", " ".repeat(to)), to.saturating_sub(from), sign);
            }
        }
        // In the last lane the text leans on it as a block: only its longest line touches.
        let widest = lines.iter().map(|line| columns(line)).max().unwrap_or(0);
        let start = if self.is_last(lane) { to - widest } else { from };
        for (index, line) in lines.iter().enumerate() {
            let mut canvas = self.canvas((index == 0).then_some(at));
            if let (0, Some(turns), Some(column)) = (index, turns, self.lanes.get(lane)) {
                let (mark, paint) = self.mark(turns);
                canvas.put(*column, mark, paint);
                if let Some(state) = self.state.get_mut(lane) {
                    *state = turns;
                }
            }
            canvas.put(start, line, paint);
            self.push(&canvas);
        }
    }

    /// What stands in a lane where it turns into another state.
    fn mark(&self, turns: Lane) -> (&'static str, Paint) {
        match turns {
            Lane::Off => (self.style.sign("✗", "X"), Paint::Bad),
            Lane::Booting => (self.style.sign("╷", "."), Paint::Plain),
            Lane::Up => (self.style.sign("┬", "+"), Paint::Good),
        }
    }

    /// What the signs mean, as far as they were used.
    fn legend(&mut self, rows: &[Row]) {
        let used = |sign: (&str, &str)| {
            let sign = format!(" {} ", sign.0);
            rows.iter().any(|row| matches!(&row.what, Cell::Note { text, .. } if text.unicode.contains(&sign)))
        };
        let arrows =
            || rows.iter().filter_map(|row| if let Cell::Arrow(arrow) = &row.what { Some(arrow) } else { None });
        let fate = |fate| arrows().any(|arrow| arrow.fate == fate);
        let pick = |signs: (&'static str, &'static str)| self.style.sign(signs.0, signs.1);
        let parts = [
            used(words::TYPED).then(|| format!("{} typed in", pick(words::TYPED))),
            used(words::PRINTED).then(|| format!("{} printed", pick(words::PRINTED))),
            arrows().next().map(|_| "#7 frame 7 in wire.pcapng".to_owned()),
            fate(super::rows::Fate::Cut).then(|| format!("{} dropped by a rule", pick(arrow::CUT))),
            fate(super::rows::Fate::Air).then(|| format!("{} nobody there", pick(arrow::AIR))),
        ];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("   ");
        if text.is_empty() {
            return;
        }
        self.lines.push(String::new());
        for line in wrapped(&text, self.right) {
            self.lines.push(self.style.paint(Paint::Dim, &line));
        }
    }
}
