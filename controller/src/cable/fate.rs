//! What becomes of a frame at each of its destinations, and what that makes of the frame as a whole.

use crate::timeline::Verdict;
use nix::errno::Errno;
use std::time::Duration;

/// What became of a frame for one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Handed on.
    Sent,
    /// Swallowed by a rule.
    Dropped,
    /// Held back by a rule, for this long.
    Held(Duration),
    /// There is no cable in that port, or the machine at its end is gone.
    NoLink,
    /// The machine takes no frames out of its queue, and the queue is full.
    Full,
    /// The operating system refused it.
    Refused(Errno),
}

/// The one verdict on a frame. What a rule did is told before all else, as it is an intervention: *dropped* if a rule dropped it
/// for any destination, else *delayed* by the longest time that a rule held it for any. Otherwise the frame *passed* if
/// anybody got it, and is *lost* if nobody did. For a frame with one destination this is simply what became of it; for the
/// others the comment in the capture tells each.
pub(super) fn verdict(fates: impl IntoIterator<Item = Fate>) -> Verdict {
    let mut verdict = Verdict::Lost;
    for fate in fates {
        verdict = match (verdict, fate) {
            (Verdict::Dropped, _) | (_, Fate::Dropped) => return Verdict::Dropped,
            (Verdict::Delayed(known), Fate::Held(by)) => Verdict::Delayed(known.max(nanos(by))),
            (_, Fate::Held(by)) => Verdict::Delayed(nanos(by)),
            (Verdict::Lost, Fate::Sent) => Verdict::Passed,
            (known, _) => known,
        };
    }
    verdict
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a reader of the capture should know: each destination, by name, that did not get the frame at once.
pub(super) fn comment<'a>(fates: impl IntoIterator<Item = (&'a str, Fate)>) -> Option<String> {
    let mut nobody = true;
    let mut words = Vec::new();
    for (to, fate) in fates {
        nobody = false;
        match fate {
            Fate::Sent => {}
            Fate::Dropped => words.push(format!("dropped by a rule (to {to})")),
            Fate::Held(by) => words.push(format!("delayed by a rule for {by:?} (to {to})")),
            Fate::NoLink => words.push(format!("lost: {to} has no link")),
            Fate::Full => words.push(format!("lost: the queue of {to} is full")),
            Fate::Refused(errno) => words.push(format!("lost: {to}: {}", errno.desc())),
        }
    }
    if nobody {
        words.push("lost: no other port to go to".to_owned());
    }
    (!words.is_empty()).then(|| words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Fate = Fate::Held(Duration::from_nanos(5));
    const LONG: Fate = Fate::Held(Duration::from_nanos(9));

    #[test]
    fn with_one_destination_the_verdict_is_what_became_of_it() {
        assert_eq!(verdict([Fate::Sent]), Verdict::Passed);
        assert_eq!(verdict([Fate::Dropped]), Verdict::Dropped);
        assert_eq!(verdict([SHORT]), Verdict::Delayed(5));
        for lost in [Fate::NoLink, Fate::Full, Fate::Refused(Errno::EIO)] {
            assert_eq!(verdict([lost]), Verdict::Lost);
        }
    }

    #[test]
    fn with_several_a_rule_is_told_first_and_lost_means_nobody_got_it() {
        assert_eq!(verdict([Fate::Sent, Fate::NoLink]), Verdict::Passed);
        assert_eq!(verdict([Fate::NoLink, Fate::Sent]), Verdict::Passed);
        assert_eq!(verdict([Fate::NoLink, Fate::Full]), Verdict::Lost);
        assert_eq!(verdict([Fate::Sent, LONG, SHORT, Fate::NoLink]), Verdict::Delayed(9));
        assert_eq!(verdict([LONG, Fate::Dropped, Fate::Sent]), Verdict::Dropped);
        assert_eq!(verdict([]), Verdict::Lost);
    }

    #[test]
    fn the_comment_names_each_destination_that_did_not_get_it_at_once() {
        assert_eq!(comment([("b", Fate::Sent)]), None);
        assert_eq!(
            comment([("b", Fate::Held(Duration::from_millis(50))), ("c", Fate::Sent), ("d", Fate::NoLink)]).as_deref(),
            Some("delayed by a rule for 50ms (to b); lost: d has no link")
        );
        assert_eq!(comment([]).as_deref(), Some("lost: no other port to go to"));
    }
}
