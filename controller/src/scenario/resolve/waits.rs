//! Waits that may be over as soon as they begin, because an earlier step waited for the same.
//!
//! A wait looks back: to where the step named by its `after` begins, or to what ended that if it is a wait too, or to where
//! the lab begins. Where it looks back beyond an earlier step that waits for the same, the segment or change of state that
//! ends that step may end this one too.

use super::lookup::start_of;
use super::steps::Placed;
use crate::scenario::model::Action;
use crate::scenario::problem::{Problem, Problems};

/// Checks all waits for segments and for changes of state.
pub(super) fn check(steps: &[Placed], problems: &mut Problems) {
    for (index, wait) in steps.iter().enumerate() {
        let Some(after) = after(&wait.step.action) else { continue };
        let from_its_end = |step: &usize| steps.get(*step).is_some_and(|it| self::after(&it.step.action).is_some());
        let back_to = match after {
            Some(step) if from_its_end(&step) => step + 1,
            Some(step) => step,
            None => 0,
        };
        let seen = steps.get(back_to..index).unwrap_or_default();
        if let Some(earlier) = seen.iter().rfind(|earlier| same(&earlier.step.action, &wait.step.action)) {
            let at = start_of(&wait.subject, problems.text());
            let before = start_of(&earlier.subject, problems.text());
            problems.add(
                Problem::at(&at, "this wait may be over at once: an earlier step waits for the same")
                    .label("what ends that one may end this one")
                    .also(&before, "waited for here")
                    .help("to wait for the next, give that step a `name`, and this one `after` with that name"),
            );
        }
    }
}

/// The step that a wait is to come after, if it is a wait and if it names one.
fn after(action: &Action) -> Option<Option<usize>> {
    match action {
        Action::AwaitSegment { after, .. } | Action::AwaitState { after, .. } => Some(*after),
        _ => None,
    }
}

/// Whether both wait for the same.
fn same(one: &Action, other: &Action) -> bool {
    use Action::{AwaitSegment, AwaitState};
    match (one, other) {
        (AwaitSegment { flow: one, .. }, AwaitSegment { flow: other, .. }) => one == other,
        (AwaitState { host, change, .. }, AwaitState { host: other_host, change: other_change, .. }) => {
            host == other_host && change == other_change
        }
        _ => false,
    }
}
