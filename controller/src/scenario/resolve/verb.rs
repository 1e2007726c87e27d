//! The check that a map does exactly one thing, with all that it needs and nothing else.

use super::lookup::start_of;
use crate::scenario::names::listed;
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::Verb;

/// The one verb among the fields `given` of a map of kind `what` at `span`. Fields that are missing or do not belong
/// are problems, but the verb is known then.
pub(super) fn one(
    what: &str,
    given: &[(&'static str, &Span)],
    verbs: &'static [Verb],
    span: &Span,
    problems: &mut Problems,
) -> Option<&'static str> {
    let find = |key: &str| verbs.iter().find(|verb| verb.key == key);
    let mut found: Vec<(&Verb, Span)> =
        given.iter().filter_map(|(key, at)| Some((find(key)?, problems.key_of(key, at)))).collect();
    found.sort_by_key(|(_, at)| at.start);
    let all: Vec<&str> = verbs.iter().map(|verb| verb.key).collect();
    let Some((verb, at)) = found.first() else {
        problems.add(none(what, given, verbs, &all, &start_of(span, problems.text())));
        return None;
    };
    if let Some((second, second_at)) = found.get(1) {
        let together: Vec<String> = found.iter().map(|(verb, _)| format!("`{}`", verb.key)).collect();
        problems.add(
            Problem::at(
                second_at,
                format!("{what} does exactly one thing: {} stand together here", together.join(" and ")),
            )
            .label(format!("`{}` is another one", second.key))
            .also(at, format!("`{}` is one", verb.key))
            .help(format!("make each a {} of its own", bare(what))),
        );
        return None;
    }
    for key in verb.needs.iter().filter(|key| !given.iter().any(|(given, _)| given == *key)) {
        let fact = format!("`{}` needs `{key}` beside it", verb.key);
        problems.add(Problem::at(at, fact).label(format!("`{key}` is missing")));
    }
    for (key, at) in given {
        if *key == verb.key || verb.needs.contains(key) || verb.may.contains(key) {
            continue;
        }
        let places: Vec<&str> = verbs
            .iter()
            .filter(|verb| verb.needs.contains(key) || verb.may.contains(key))
            .map(|verb| verb.key)
            .collect();
        problems.add(
            Problem::at(&problems.key_of(key, at), format!("`{key}` does not belong to `{}`", verb.key))
                .label("means nothing here")
                .help(format!("`{key}` goes with {}", listed(&places))),
        );
    }
    Some(verb.key)
}

fn none(what: &str, given: &[(&'static str, &Span)], verbs: &[Verb], all: &[&str], at: &Span) -> Problem {
    let goes_with = given.iter().find_map(|(key, _)| {
        let verbs = verbs.iter().filter(|verb| verb.needs.contains(key) || verb.may.contains(key));
        let places: Vec<&str> = verbs.map(|verb| verb.key).collect();
        (!places.is_empty()).then(|| format!("`{key}` goes with {}", listed(&places)))
    });
    Problem::at(at, format!("{what} says what it is about, and this one does not"))
        .label(format!("this {}", bare(what)))
        .help(goes_with.unwrap_or_else(|| format!("exactly one of {}", listed(all))))
}

/// "a step" without its article.
fn bare(what: &str) -> &str {
    what.split_once(' ').map_or(what, |(_, noun)| noun)
}
