//! The cable's rules: a frame in, a verdict out.

use crate::scenario::{Rule, RuleVerdict};
use crate::timeline::FrameKind;
use crate::witness::wire;

/// What the rules do with a frame of this kind, from one host to another. The first rule that fits decides; a frame that fits none
/// passes. A broadcast is judged for each destination alone.
///
/// ```
/// use deadpeer::{cable::verdict, scenario::{Rule, RuleVerdict}, timeline::FrameKind};
/// let rules = [Rule { from: Some("client".to_owned()), to: None, kind: None, verdict: RuleVerdict::Drop }];
/// let frame = FrameKind::Other { text: "anything".to_owned() };
/// assert_eq!(verdict(&rules, "client", "server", &frame), RuleVerdict::Drop);
/// assert_eq!(verdict(&rules, "server", "client", &frame), RuleVerdict::Pass);
/// ```
#[must_use]
pub fn verdict(rules: &[Rule], from: &str, to: &str, frame: &FrameKind) -> RuleVerdict {
    rules.iter().find(|rule| fits(rule, from, to, frame)).map_or(RuleVerdict::Pass, |rule| rule.verdict)
}

/// Whether every part that the rule gives fits.
fn fits(rule: &Rule, from: &str, to: &str, frame: &FrameKind) -> bool {
    rule.from.as_deref().is_none_or(|host| host == from)
        && rule.to.as_deref().is_none_or(|host| host == to)
        && rule.kind.is_none_or(|kind| wire::fits(kind, frame))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SegmentKind;
    use std::time::Duration;

    fn rule(from: Option<&str>, to: Option<&str>, kind: Option<SegmentKind>, verdict: RuleVerdict) -> Rule {
        Rule { from: from.map(str::to_owned), to: to.map(str::to_owned), kind, verdict }
    }

    fn arp() -> FrameKind {
        FrameKind::Arp { text: String::new() }
    }

    #[test]
    fn without_rules_everything_passes() {
        assert_eq!(verdict(&[], "a", "b", &arp()), RuleVerdict::Pass);
    }

    #[test]
    fn the_first_rule_that_fits_decides_even_if_it_passes() {
        let delay = RuleVerdict::Delay(Duration::from_millis(5));
        let rules = [
            rule(Some("c"), None, None, RuleVerdict::Drop),
            rule(None, None, Some(SegmentKind::Arp), RuleVerdict::Pass),
            rule(Some("a"), None, None, delay),
        ];
        assert_eq!(verdict(&rules, "a", "b", &arp()), RuleVerdict::Pass);
        assert_eq!(verdict(&rules, "a", "b", &FrameKind::Other { text: String::new() }), delay);
    }

    #[test]
    fn every_given_part_must_fit() {
        let rules = [rule(Some("a"), Some("b"), Some(SegmentKind::Arp), RuleVerdict::Drop)];
        assert_eq!(verdict(&rules, "a", "b", &arp()), RuleVerdict::Drop);
        assert_eq!(verdict(&rules, "a", "c", &arp()), RuleVerdict::Pass);
        assert_eq!(verdict(&rules, "c", "b", &arp()), RuleVerdict::Pass);
        assert_eq!(verdict(&rules, "a", "b", &FrameKind::Other { text: String::new() }), RuleVerdict::Pass);
    }
}
