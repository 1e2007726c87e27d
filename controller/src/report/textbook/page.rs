//! The document, in Markdown.

use super::{Finding, Told, Verdict, find, kernel, numbered};
use crate::scenario::{self, Expectation, Scenario};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
# The textbook and the kernel

<!-- Made by `controller textbook` from the folders of runs. Not to be edited: run the catalogue again. -->

What W. R. Stevens, *UNIX Network Programming*, vol. 1, 3rd ed., says will happen, and what Linux did when it really
happened: on machines with these kernels, whose own traces, the frames on the cable and the programs' words are the evidence.
";

/// One scenario's runs by kernel.
struct Case<'a> {
    scenario: &'a Scenario,
    kernels: BTreeMap<Kernel, Vec<&'a Told>>,
}

/// A kernel's numbers, to be sorted by, and its name.
type Kernel = (Vec<u32>, String);

/// What `runs` showed, by the textbook's sections. Where kernels differ, each is told.
#[must_use]
pub fn textbook(runs: &[Told]) -> String {
    let cases = cases(runs);
    let kernels: BTreeSet<&Kernel> = cases.iter().flat_map(|case| case.kernels.keys()).collect();
    let mut page = HEAD.to_owned();
    page.push('\n');
    for kernel in &kernels {
        let _ = writeln!(page, "- {}: {}", kernel.1, releases(&cases, kernel));
    }
    overview(&mut page, &cases, &kernels);
    if kernels.len() > 1 {
        differences(&mut page, &cases);
    }
    for case in &cases {
        chapter(&mut page, case);
    }
    page
}

/// The runs by scenario, in the order of the sections, then of the names.
fn cases(runs: &[Told]) -> Vec<Case<'_>> {
    let mut by_name: IndexMap<&str, Case<'_>> = IndexMap::new();
    for told in runs {
        let new = || Case { scenario: &told.scenario, kernels: BTreeMap::new() };
        let case = by_name.entry(&told.scenario.name).or_insert_with(new);
        case.kernels.entry(numbered(kernel(&told.result))).or_default().push(told);
    }
    let mut cases: Vec<Case<'_>> = by_name.into_values().collect();
    // Those without a section come last.
    let key = |case: &Case<'_>| {
        let section = case.scenario.section.clone().map(|section| numbered(section).0);
        (section.is_none(), section, case.scenario.name.clone())
    };
    cases.sort_by_cached_key(key);
    cases
}

/// The whole releases behind a kernel's short name, with Debian's suites.
fn releases(cases: &[Case<'_>], kernel: &Kernel) -> String {
    let runs = cases.iter().filter_map(|case| case.kernels.get(kernel)).flatten();
    let of = |told: &&Told| -> Vec<String> {
        let suite = |host: &String| told.result.hosts.get(host)?.image.as_ref().map(|image| image.suite.clone());
        let named = |(host, release): (&String, &String)| match suite(host) {
            Some(suite) => format!("`{release}` (Debian {suite})"),
            None => format!("`{release}`"),
        };
        told.result.versions.guest_kernels.iter().map(named).collect()
    };
    runs.flat_map(of).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

/// A row for each scenario, a column for each kernel.
fn overview(page: &mut String, cases: &[Case<'_>], kernels: &BTreeSet<&Kernel>) {
    page.push_str(
        "\n✓ all that the scenario expects held, ✗ something did not, ? it could not be judged, – not run\n\n",
    );
    let heads: String = kernels.iter().map(|kernel| format!(" {} |", kernel.1)).collect();
    let _ =
        writeln!(page, "| scenario | section | what happens |{heads}\n|---|---|---|{}", ":-:|".repeat(kernels.len()));
    for case in cases {
        let Scenario { name, title, section, .. } = case.scenario;
        let section = section.as_deref().unwrap_or_default();
        let signs: String = kernels.iter().map(|kernel| format!(" {} |", case.sign(kernel))).collect();
        let _ = writeln!(page, "| [{name}](#{name}) | {section} | {} |{signs}", words(title));
    }
}

/// Where what was seen is not the same on all kernels.
fn differences(page: &mut String, cases: &[Case<'_>]) {
    page.push_str("\n## Where the kernels differ\n\n");
    let before = page.len();
    for case in cases {
        for expectation in &case.scenario.expectations {
            let groups = case.findings(expectation);
            if groups.len() > 1 {
                let told: Vec<String> =
                    groups.iter().map(|(kernels, finding)| format!("{kernels}: {}", in_short(finding))).collect();
                let name = &case.scenario.name;
                let _ = writeln!(page, "- [{name}](#{name}), {}: {}", expectation.name, told.join("; "));
            }
        }
    }
    if page.len() == before {
        page.push_str("In nothing that the scenarios expect or measure.\n");
    }
}

/// One scenario: the claim of the textbook, and each expectation with what was seen.
fn chapter(page: &mut String, case: &Case<'_>) {
    let Scenario { name, title, section, textbook, .. } = case.scenario;
    let _ = write!(page, "\n## {name}\n\n{title}.");
    if let Some(claim) = textbook {
        let section = section.as_ref().map(|section| format!(", section {section}")).unwrap_or_default();
        let _ = write!(page, " The textbook{section}:\n\n> {}\n", words(claim));
    } else {
        page.push('\n');
    }
    page.push('\n');
    if case.kernels.keys().all(|kernel| case.sign(kernel) == sign(Verdict::Unknown)) {
        page.push_str("No run of it came to its end, so nothing can be said.\n");
        return;
    }
    for expectation in &case.scenario.expectations {
        let claim = words(&scenario::claim(case.scenario, &expectation.claim));
        let groups = case.findings(expectation);
        let _ = match &groups[..] {
            [(_, finding)] => {
                writeln!(
                    page,
                    "- {} **{}**: {claim}.{}",
                    sign(finding.verdict),
                    expectation.name,
                    at_length(finding, "  ")
                )
            }
            _ => writeln!(page, "- **{}**: {claim}.", expectation.name),
        };
        for (kernels, finding) in groups.iter().filter(|_| groups.len() > 1) {
            let _ = writeln!(page, "  - {} {kernels}:{}", sign(finding.verdict), at_length(finding, "    "));
        }
    }
}

impl Case<'_> {
    /// What was seen of an expectation, by the kernels that agree on it; the evidence is that of the first.
    fn findings(&self, expectation: &Expectation) -> Vec<(String, Finding)> {
        let mut groups: Vec<(Vec<&str>, Finding)> = Vec::new();
        for ((_, kernel), runs) in &self.kernels {
            let finding = find(runs, &expectation.name);
            let alike = |other: &Finding| (other.verdict, &other.values) == (finding.verdict, &finding.values);
            match groups.iter_mut().find(|(_, other)| alike(other)) {
                Some((kernels, _)) => kernels.push(kernel),
                None => groups.push((vec![kernel], finding)),
            }
        }
        groups.into_iter().map(|(kernels, finding)| (kernels.join(", "), finding)).collect()
    }

    /// What the scenario came to on this kernel.
    fn sign(&self, kernel: &Kernel) -> &'static str {
        let Some(runs) = self.kernels.get(kernel) else { return "–" };
        let verdicts: Vec<Verdict> =
            self.scenario.expectations.iter().map(|expectation| find(runs, &expectation.name).verdict).collect();
        let worst = [Verdict::NotHeld, Verdict::Both, Verdict::Unknown].into_iter().find(|it| verdicts.contains(it));
        sign(worst.unwrap_or(Verdict::Held))
    }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "✓",
        Verdict::NotHeld | Verdict::Both => "✗",
        Verdict::Unknown => "?",
    }
}

fn in_short(finding: &Finding) -> String {
    let verdict = match finding.verdict {
        Verdict::Held => "held",
        Verdict::NotHeld => "did not hold",
        Verdict::Both => "held in some runs only",
        Verdict::Unknown => "could not be judged",
    };
    if finding.values.is_empty() { verdict.to_owned() } else { format!("{verdict}, measured {}", measured(finding)) }
}

fn measured(finding: &Finding) -> String {
    finding.values.join(" or ")
}

/// What is learnt, what was measured, and the evidence, below `indent`.
fn at_length(finding: &Finding, indent: &str) -> String {
    let mut text = String::new();
    if !finding.lesson.is_empty() {
        let _ = write!(text, "\n{indent}{}", words(&finding.lesson));
    }
    if !finding.values.is_empty() {
        let _ = write!(text, "\n{indent}Measured: {}.", measured(finding));
    }
    if !finding.evidence.is_empty() {
        let evidence: Vec<String> = finding.evidence.iter().map(|evidence| words(evidence)).collect();
        let _ = write!(text, "\n{indent}*Seen: {}.*", evidence.join("; "));
    }
    text
}

/// `text` on one line, with nothing in it that Markdown would take for its own.
fn words(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        // Within a word an underscore is one (SO_KEEPALIVE).
        let inner = last.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric());
        if "\\`*<[|".contains(c) || (c == '_' && !inner) {
            out.push('\\');
        }
        out.push(c);
        last = c;
    }
    out
}
