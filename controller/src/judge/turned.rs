//! Claims turned around: what can be claimed, but cannot hold where the claim itself does.
//!
//! An expectation that can never fail shows nothing. That one can is seen by turning it around and judging it against the
//! same evidence: what was seen is claimed not to have been, a number to be another one, an error another error. If
//! the evidence really decides, the turned claim is judged *not held*.

use crate::scenario::{Answering, Claim, Count, KernelClaim, KernelPattern, Moment, ProgramEnd, Returns, SegmentClaim};

/// A claim that is another one, turned around.
#[derive(Debug, Clone, PartialEq)]
pub struct Turned {
    /// What was turned: "not seen", "another error".
    pub how: &'static str,
    /// The claim.
    pub claim: Claim,
}

/// An error that no scenario meets: it comes from execve(2) alone, of a damaged shared library.
const ANOTHER_ERROR: &str = "ELIBBAD";

/// A signal that Linux never sends (signal(7)).
const ANOTHER_SIGNAL: &str = "STKFLT";

/// The claims that cannot hold on evidence on which `claim` does. At least one of each claim.
///
/// A claim that something else was seen has no deadline, as a run may end before the deadline that it would have to be
/// watched until.
#[must_use]
pub fn turned_around(claim: &Claim) -> Vec<Turned> {
    let one = |how, claim| vec![Turned { how, claim }];
    match claim {
        Claim::Printed { program, text, seen, when } => {
            let claim = |text: String, seen, when| Claim::Printed { program: program.clone(), text, seen, when };
            let mut turned = one(seen_or_not(*seen), claim(text.clone(), !seen, when.clone()));
            if *seen {
                let other = format!("{text}, or rather something else");
                turned.push(Turned { how: "another line", claim: claim(other, true, without_deadline(when)) });
            }
            turned
        }
        Claim::Ended { program, how, when } => {
            let other = other_end(how);
            one("another end", Claim::Ended { program: program.clone(), how: other, when: when.clone() })
        }
        Claim::Segment(claim) => segments(claim),
        Claim::BootIdChanged { host, changed } => {
            one("the other way", Claim::BootIdChanged { host: host.clone(), changed: !changed })
        }
        Claim::CarrierLost { host, lost } => {
            one("the other way", Claim::CarrierLost { host: host.clone(), lost: !lost })
        }
        Claim::Kernel(claim) => kernel(claim),
        Claim::Zombies { program, count, before } => {
            let (how, count) = other_count(*count);
            one(how, Claim::Zombies { program: program.clone(), count, before: *before })
        }
    }
}

fn seen_or_not(seen: bool) -> &'static str {
    if seen { "not seen" } else { "seen" }
}

fn segments(claim: &SegmentClaim) -> Vec<Turned> {
    let (how, count) = other_count(claim.count);
    let mut turned = vec![Turned { how, claim: Claim::Segment(SegmentClaim { count, ..claim.clone() }) }];
    if let (Some(asked), Some(_), 1..) = (&claim.answering, &claim.flow.from, claim.count.at_least) {
        // Nobody answers himself.
        let mut flow = asked.flow.clone();
        flow.from.clone_from(&claim.flow.from);
        let answering = Some(Answering { flow, after: asked.after });
        let claim = SegmentClaim { answering, when: without_deadline(&claim.when), ..claim.clone() };
        turned.push(Turned { how: "answering another segment", claim: Claim::Segment(claim) });
    }
    turned
}

fn kernel(claim: &KernelClaim) -> Vec<Turned> {
    let (how, count) = other_count(claim.count);
    let mut turned = vec![Turned { how, claim: Claim::Kernel(KernelClaim { count, ..claim.clone() }) }];
    if claim.count.at_least == 0 {
        return turned;
    }
    let mut what = claim.what.clone();
    let how = match &mut what {
        KernelPattern::Call { returns, .. } if !returns.is_empty() => {
            *returns = vec![Returns::Error(ANOTHER_ERROR.to_owned())];
            "another error"
        }
        KernelPattern::Delivered { signal, .. } | KernelPattern::Sent { signal, .. } => {
            ANOTHER_SIGNAL.clone_into(signal);
            "another signal"
        }
        _ => return turned,
    };
    let claim = KernelClaim { what, when: without_deadline(&claim.when), ..claim.clone() };
    turned.push(Turned { how, claim: Claim::Kernel(claim) });
    turned
}

/// A number outside of the bounds: above them, or below where there is no above.
fn other_count(count: Count) -> (&'static str, Count) {
    match (count.at_least, count.at_most) {
        (_, Some(0)) => ("seen", Count::SOME),
        (_, Some(most)) => ("more", Count { at_least: most.saturating_add(1), at_most: None }),
        (1, None) => ("not seen", Count::NONE),
        (least, None) => ("fewer", Count { at_least: 0, at_most: Some(least.saturating_sub(1)) }),
    }
}

fn other_end(how: &ProgramEnd) -> ProgramEnd {
    match how {
        // An exit status has eight bits.
        ProgramEnd::Exit(status) => ProgramEnd::Exit(status ^ 1),
        ProgramEnd::Signal(_) | ProgramEnd::WithHost => ProgramEnd::Exit(0),
        ProgramEnd::Any => ProgramEnd::Running,
        ProgramEnd::Running => ProgramEnd::Any,
    }
}

fn without_deadline(when: &Moment) -> Moment {
    Moment { within: None, ..when.clone() }
}
