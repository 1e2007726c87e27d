//! Two runs side by side, for a person.

use super::result::RunResult;
use super::style::{Paint, Style};
use super::text::{columns, elided, hanging, padded};
use crate::compare::{Again, Claimed, Compared, Comparison, Item};
use crate::judge::Outcome;

/// So many events in common are shown before and after a parting.
const CONTEXT: usize = 2;

/// What two runs were run with, where that differs: what it is, and how it was in each.
#[must_use]
pub fn conditions(one: &RunResult, other: &RunResult) -> Vec<(String, [String; 2])> {
    let none = || "unknown".to_owned();
    let mut all: Vec<(String, [String; 2])> = Vec::new();
    let mut add = |what: &str, of: &dyn Fn(&RunResult) -> String| all.push((what.to_owned(), [of(one), of(other)]));
    add("scenario", &|it| it.scenario.name.clone());
    add("scenario's text (SHA-256)", &|it| it.scenario.sha256.chars().take(12).collect());
    add("time", &|it| (if it.time.virtual_seconds.is_some() { "lockstep" } else { "real" }).to_owned());
    add("accelerator", &|it| it.accelerator.as_ref().map_or_else(none, |it| it.used.clone()));
    add("QEMU", &|it| it.versions.qemu.clone().unwrap_or_else(none));
    add("controller", &|it| it.versions.deadpeer.clone());
    let hosts = one.hosts.keys().chain(other.hosts.keys().filter(|host| !one.hosts.contains_key(*host)));
    for host in hosts {
        add(&format!("kernel of {host}"), &|it| it.versions.guest_kernels.get(host).cloned().unwrap_or_else(none));
        let image = |it: &RunResult| it.hosts.get(host)?.image.as_ref().map(|image| image.key.clone());
        let boxed = |it: &RunResult| it.hosts.get(host)?.boxed.clone();
        add(&format!("box of {host}"), &|it| boxed(it).unwrap_or_else(none));
        add(&format!("image of {host}"), &|it| image(it).unwrap_or_else(none));
    }
    let programs =
        one.own_programs.keys().chain(other.own_programs.keys().filter(|it| !one.own_programs.contains_key(*it)));
    for program in programs {
        let own = |it: &RunResult| it.own_programs.get(program).map(|own| own.sha256.chars().take(12).collect());
        add(&format!("program {program}"), &|it| own(it).unwrap_or_else(|| "the scenario's own".to_owned()));
    }
    all.retain(|(_, [left, right])| left != right);
    all
}

/// Two runs side by side: what they were run with where that differs, what they came to, and every strand of events that parts.
#[must_use]
pub fn comparison(names: [&str; 2], results: [&RunResult; 2], compared: &Comparison, style: &Style) -> String {
    let mut page = Page { style, text: String::new() };
    page.pair("", names.map(str::to_owned), Paint::Bold);
    for (what, values) in conditions(results[0], results[1]) {
        page.pair(&what, values, Paint::Plain);
    }
    page.outcomes(compared.outcomes);
    page.claims(&compared.expectations);
    page.measured(&compared.expectations);
    for strand in compared.strands.iter().filter(|strand| !strand.is_same()) {
        page.strand(strand);
    }
    let (same, all) = (compared.strands.iter().filter(|it| it.is_same()).count(), compared.strands.len());
    let claims = compared.expectations.iter().filter(|it| it.held[0] == it.held[1]).count();
    let verdict = if compared.is_same() { "The two runs are the same" } else { "The two runs part" };
    let of = compared.expectations.len();
    page.paragraph(&format!(
        "{verdict}: {claims} of {of} expectations came out alike, and {same} of {all} strands of events have the same kinds in the same order."
    ));
    page.text
}

/// The verdict of a run that was made again, in a word.
#[must_use]
pub fn again_word(again: Again) -> &'static str {
    match again {
        Again::Reproduced => "reproduced",
        Again::NotReproduced => "not reproduced",
        Again::Unknown => "unknown",
    }
}

struct Page<'a> {
    style: &'a Style,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        self.line("");
        for line in hanging("", &self.style.clean(text), self.style.columns()) {
            self.line(&line);
        }
    }

    /// What it is, then how it is on either side.
    fn pair(&mut self, what: &str, sides: [String; 2], paint: Paint) {
        self.beside(self.style.columns() / 4, what, sides, paint);
    }

    /// Likewise, with `first` columns for what it is.
    fn beside(&mut self, first: usize, what: &str, sides: [String; 2], paint: Paint) {
        let side = (self.style.columns() - first - 4) / 2;
        let sign = self.style.sign("…", "...");
        let short = |text: &str, width: usize| elided(&self.style.clean(text), width, sign);
        let [left, right] = sides.map(|text| short(&text, side));
        let what = padded(&short(what, first), first);
        let left = format!("{}{}", self.style.paint(paint, &left), " ".repeat(side.saturating_sub(columns(&left))));
        let line = format!("{what}  {left}  {}", self.style.paint(paint, &right));
        self.line(&line);
    }

    fn outcomes(&mut self, outcomes: [Outcome; 2]) {
        let paint = |outcome: Outcome| match outcome {
            Outcome::Pass => Paint::Good,
            Outcome::Fail => Paint::Bad,
            Outcome::Unknown | Outcome::Skipped => Paint::Warn,
        };
        let differs = outcomes[0] != outcomes[1];
        let paint = if differs { Paint::Bad } else { paint(outcomes[0]) };
        self.pair("outcome", outcomes.map(|outcome| outcome.to_string()), paint);
    }

    /// The expectations that came out differently, with what was seen of each.
    fn claims(&mut self, claims: &[Claimed]) {
        for claim in claims.iter().filter(|it| it.held[0] != it.held[1]) {
            self.line("");
            let held = |held: Option<bool>| match held {
                Some(true) => "held",
                Some(false) => "did not hold",
                None => "not judged",
            };
            self.pair(&claim.name, claim.held.map(|it| held(it).to_owned()), Paint::Bad);
            for (side, why) in ["left: ", "right: "].into_iter().zip(&claim.why).filter(|(_, why)| !why.is_empty()) {
                for line in hanging(&format!("    {side}"), &self.style.clean(why), self.style.columns()) {
                    self.line(&line);
                }
            }
        }
    }

    /// What came out differently in expectations that leave it open.
    fn measured(&mut self, claims: &[Claimed]) {
        let mut differ = claims.iter().filter(|it| it.values[0] != it.values[1]).peekable();
        if differ.peek().is_some() {
            self.paragraph("Measured, and not compared:");
        }
        for claim in differ {
            let values = claim.values.clone().map(|value| value.unwrap_or_else(|| "nothing".to_owned()));
            self.pair(&format!("  {}", claim.name), values, Paint::Plain);
        }
    }

    /// A strand around its partings.
    fn strand(&mut self, strand: &Compared) {
        self.line("");
        let name = self.style.paint(Paint::Bold, &self.style.clean(&strand.name));
        self.line(&name);
        let parts: Vec<bool> = strand.rows.iter().map(|[left, right]| left.is_none() || right.is_none()).collect();
        let near = |n: usize| {
            let (from, to) = (n.saturating_sub(CONTEXT), (n + CONTEXT + 1).min(parts.len()));
            parts[from..to].contains(&true)
        };
        let mut left_out = 0;
        for (n, [left, right]) in strand.rows.iter().enumerate() {
            if !near(n) {
                left_out += 1;
                continue;
            }
            self.left_out(&mut left_out);
            let same = !parts[n];
            let text = |item: &Option<Item>| item.as_ref().map(said).unwrap_or_default();
            let paint = if same { Paint::Dim } else { Paint::Bad };
            let mark = if same { "" } else { self.style.sign("≠", "!") };
            self.beside(1, mark, [text(left), text(right)], paint);
        }
        self.left_out(&mut left_out);
    }

    fn left_out(&mut self, count: &mut usize) {
        if *count > 0 {
            let rows = if *count == 1 { "kind" } else { "kinds" };
            let line = self.style.paint(Paint::Dim, &format!("  {count} {rows} of events alike"));
            self.line(&line);
            *count = 0;
        }
    }
}

/// An item as it is shown: `3.123 s  data again, 4 times`.
fn said(item: &Item) -> String {
    let Item { kind, count, at } = item;
    let seconds = at.since(crate::timeline::LabTime(0)).as_secs_f64();
    match count {
        1 => format!("{seconds:.3} s  {kind}"),
        _ => format!("{seconds:.3} s  {kind}, {count} times"),
    }
}
