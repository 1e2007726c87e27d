//! Which of the lines that came is nearest to the one expected.

use super::errno::errnos_in;

/// `lines` with the nearest to `expected` first; equals stay in the order they came in, later ones first.
pub(super) fn nearest_first<'a, T>(expected: &str, lines: Vec<(T, &'a str)>) -> Vec<(T, &'a str)> {
    let mut scored: Vec<(f64, (T, &str))> =
        lines.into_iter().rev().map(|line| (likeness(expected, line.1), line)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().map(|(_, line)| line).collect()
}

/// From 0 (nothing in common) up. A line that names an error is nearer to a text that names one than any likeness
/// of letters could make it: who expects ETIMEDOUT wants to see the error that came instead.
fn likeness(expected: &str, line: &str) -> f64 {
    let both_errors = !errnos_in(expected).is_empty() && !errnos_in(line).is_empty();
    strsim::sorensen_dice(&expected.to_lowercase(), &line.to_lowercase()) + if both_errors { 1.0 } else { 0.0 }
}
