//! The check that a map does exactly one thing, with all that it needs and nothing else.

use super::lookup::start_of;
use crate::scenario::names::listed;
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::Verb;

/// A sort of map that holds exactly one verb.
pub(super) struct Sort {
    /// "step".
    pub(super) name: &'static str,
    /// What is said of one without a verb.
    pub(super) none: &'static str,
    /// What is said of one with several.
    pub(super) several: &'static str,
    pub(super) verbs: &'static [Verb],
}

impl Sort {
    /// The verbs beside which `key` can stand.
    fn places(&self, key: &str) -> Vec<&'static str> {
        let beside = self.verbs.iter().filter(|verb| verb.needs.contains(&key) || verb.may.contains(&key));
        beside.map(|verb| verb.key).collect()
    }
}

/// The one verb among the fields `given` of the map at `span`. Fields that are missing or do not belong are problems, but
/// the verb is known then.
pub(super) fn one(
    sort: &Sort,
    given: &[(&'static str, &Span)],
    span: &Span,
    problems: &mut Problems,
) -> Option<&'static str> {
    let find = |key: &str| sort.verbs.iter().find(|verb| verb.key == key);
    let mut found: Vec<(&Verb, Span)> =
        given.iter().filter_map(|(key, at)| Some((find(key)?, problems.key_of(key, at)))).collect();
    found.sort_by_key(|(_, at)| at.start);
    let Some((verb, at)) = found.first() else {
        let at = start_of(span, problems.text());
        problems.add(none(sort, given, &at));
        return None;
    };
    if let Some((second, second_at)) = found.get(1) {
        let together: Vec<String> = found.iter().map(|(verb, _)| format!("`{}`", verb.key)).collect();
        let fact = format!("{}: {} stand together here", sort.several, together.join(" and "));
        problems.add(
            Problem::at(second_at, fact)
                .label(format!("`{}` is another one", second.key))
                .also(at, format!("`{}` is one", verb.key))
                .help(format!("make each a {} of its own", sort.name).replace("a e", "an e")),
        );
        return None;
    }
    for key in verb.needs.iter().filter(|key| !given.iter().any(|(given, _)| given == *key)) {
        let fact = format!("`{}` needs `{key}` beside it", verb.key);
        problems.add(Problem::at(at, fact).label(format!("`{key}` is missing")));
    }
    for (key, at) in given {
        if *key != verb.key && !verb.needs.contains(key) && !verb.may.contains(key) {
            let at = problems.key_of(key, at);
            let fact = format!("`{key}` does not belong to `{}`", verb.key);
            let help = format!("`{key}` goes with {}", listed(&sort.places(key)));
            problems.add(Problem::at(&at, fact).label("means nothing here").help(help));
        }
    }
    Some(verb.key)
}

fn none(sort: &Sort, given: &[(&'static str, &Span)], at: &Span) -> Problem {
    let all: Vec<&str> = sort.verbs.iter().map(|verb| verb.key).collect();
    let stray = given.iter().map(|(key, _)| (key, sort.places(key))).find(|(_, places)| !places.is_empty());
    let help = match stray {
        Some((key, places)) => format!("`{key}` goes with {}", listed(&places)),
        None => format!("exactly one of {}", listed(&all)),
    };
    Problem::at(at, sort.none).label(format!("this {} does not", sort.name)).help(help)
}
