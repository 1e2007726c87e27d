//! Whatever is read, nothing panics, and what is told is about a place in the file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use deadpeer::scenario::{describe, parse, render, summary};
use proptest::prelude::*;

const BASE: &str = include_str!("scenario/base.yaml");

/// Pieces that mean something to YAML, to the language, or to a terminal.
const PIECES: &[&str] = &[
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "#",
    "&a ",
    "*a",
    "!!int ",
    "<<: ",
    "|\n",
    ">-\n",
    "? ",
    "---\n",
    "~",
    "null",
    "é",
    "\u{202e}",
    "\u{feff}",
    "\0",
    "\\x00",
    "10 s",
    "99999999999999999999",
    "-1",
    "0",
    "after: line\n",
    "within: ",
    "start: ",
    "power-off: server\n",
    "client",
    "echo-client",
    "latest",
    "192.0.2.1/24",
    "2001:db8::1",
    "flags: [",
    "%YAML 1.2\n",
];

/// Reads a text and checks what is promised about the answer.
fn read(text: &str) -> Result<(), TestCaseError> {
    match parse("fuzz.yaml", text) {
        Ok(scenario) => {
            prop_assert_eq!(&scenario.source, text);
            prop_assert!(describe(&scenario).contains(&scenario.name));
            prop_assert!(summary(&scenario, 20).contains(&scenario.title));
        }
        Err(problems) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            prop_assert!(!problems.is_empty());
            for problem in problems.list() {
                let (line, column) = problems.place(problem);
                prop_assert!(!problem.message().is_empty());
                if let Some(span) = problem.span() {
                    prop_assert!(span.start <= span.end && span.end <= text.len(), "{span:?} of {}", text.len());
                    let lines: Vec<&str> = text.split('\n').collect();
                    prop_assert!((1..=lines.len()).contains(&line), "line {line} of {}", lines.len());
                    prop_assert!((1..=lines[line - 1].chars().count() + 1).contains(&column), "column {column}");
                }
            }
            let plain = render(&problems, false);
            prop_assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{plain:?}");
            prop_assert_eq!(plain, render(&problems, false));
            prop_assert!(!render(&problems, true).is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in any::<String>()) {
        read(&text)?;
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        read(&pieces.concat())?;
    }

    #[test]
    fn a_scenario_with_pieces_cut_out_and_put_in(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, prop::option::of(prop::sample::select(PIECES))), 1..4),
    ) {
        let mut text: Vec<char> = BASE.chars().collect();
        for (at, cut, piece) in changes {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, piece.unwrap_or_default().chars());
        }
        read(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_scenario_with_lines_left_out_doubled_and_moved(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..3), 1..6),
    ) {
        let mut lines: Vec<&str> = BASE.lines().collect();
        for (from, to, what) in changes {
            let line = lines[from.index(lines.len())];
            match what {
                0 => { lines.remove(from.index(lines.len())); }
                1 => lines.insert(to.index(lines.len()), line),
                _ => { let from = from.index(lines.len()); let to = to.index(lines.len()); lines.swap(from, to); }
            }
        }
        read(&(lines.join("\n") + "\n"))?;
    }
}
