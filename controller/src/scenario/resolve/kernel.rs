//! Claims on the word of a host's kernel: calls, signals, changes of state.

use super::expectations::Reader;
use super::parts;
use crate::scenario::model::{CallFamily, Claim, Count, DescriptorClass, KernelClaim, KernelPattern, Returns};
use crate::scenario::problem::{Problem, Span};
use crate::scenario::source::{CallSource, DeliveredSource, Field, ReturnsSource, SentSource, Value};

impl Reader<'_> {
    /// What `verb` claims of a kernel, if it is such a verb.
    pub(super) fn kernel(&mut self, verb: &str) -> Option<Claim> {
        let when = self.moment();
        let source = self.source;
        let (what, none) = match verb {
            "call" => (self.call(&source.call), Some("no-call")),
            "no-call" => (self.call(&source.no_call), None),
            "delivered" => (self.delivered(&source.delivered), Some("never-delivered")),
            "never-delivered" => (self.delivered(&source.never_delivered), None),
            "sent" => (self.sent(&source.sent), Some("never-sent")),
            "never-sent" => (self.sent(&source.never_sent), None),
            "state" | "no-state" => {
                let seen = verb == "state";
                let field = if seen { &source.state } else { &source.no_state };
                let (host, change) =
                    (self.known.host(&source.host, self.problems), parts::change(field, self.problems));
                let what = host.zip(change).map(|(host, change)| KernelPattern::State { host, change });
                (what, seen.then_some("no-state"))
            }
            _ => {
                let seen = verb == "tcp";
                let field = if seen { &source.tcp } else { &source.no_tcp };
                let (host, deed) = (self.known.host(&source.host, self.problems), field.read(self.problems));
                (host.zip(deed).map(|(host, deed)| KernelPattern::Tcp { host, deed }), seen.then_some("no-tcp"))
            }
        };
        let count = match none {
            Some(none) => self.count(verb, none),
            None => Some(Count::NONE),
        };
        Some(Claim::Kernel(KernelClaim { what: what?, count: count?, when }))
    }

    /// The number in `count`; one or more if it is left out.
    pub(super) fn count(&mut self, verb: &str, none: &str) -> Option<Count> {
        if self.source.count.is_absent() {
            return Some(Count::SOME);
        }
        let help = format!("write `{none}:` instead of `{verb}:`, without `count`");
        parts::count(&self.source.count, Some(&help), self.problems)
    }

    pub(super) fn zombies(&mut self) -> Option<Claim> {
        let program = self.program();
        let before = self.known.step(&self.source.before, self.problems);
        let count = parts::count(&self.source.zombies, None, self.problems);
        Some(Claim::Zombies { program: program?, count: count?, before })
    }

    fn call(&mut self, field: &Field<CallSource>) -> Option<KernelPattern> {
        let program = self.program();
        let (source, at) = field.given("which call", self.problems)?;
        let family = self.part(&source.is, "is", "the call", at).and_then(|is| is.read(self.problems));
        let descriptor = source.descriptor.read(self.problems);
        let returns = if source.returns.is_absent() { Some(Vec::new()) } else { self.returns(&source.returns) };
        if let (Some(family), Some(class), Some(at)) = (family, descriptor, source.descriptor.span())
            && let Some(why) = misfit(family, class)
        {
            self.problems
                .add(Problem::at(at, format!("no such call can be like this: {why}")).label("does not go with `is`"));
        }
        Some(KernelPattern::Call { program: program?, family: family?, descriptor, returns: returns? })
    }

    fn returns(&mut self, field: &Field<ReturnsSource>) -> Option<Vec<Returns>> {
        let (source, at) = field.given("what the call returns", self.problems)?;
        match source {
            ReturnsSource::One(word) => Some(vec![word.read(at, self.problems)?]),
            ReturnsSource::AnyOf(list) => {
                if list.is_empty() {
                    let problem = Problem::at(at, "there are no results in the list").label("an empty list");
                    self.problems.add(problem.help("leave `returns` out for any result"));
                }
                let results: Vec<Option<Returns>> = list.iter().map(|item| item.read(self.problems)).collect();
                results.into_iter().collect()
            }
        }
    }

    fn delivered(&mut self, field: &Field<DeliveredSource>) -> Option<KernelPattern> {
        let program = self.program();
        let (source, at) = field.given("which signal", self.problems)?;
        let signal = self.part(&source.signal, "signal", "the delivery", at).and_then(|s| s.read(self.problems));
        let disposition = source.disposition.read(self.problems);
        Some(KernelPattern::Delivered { program: program?, signal: signal?, disposition })
    }

    fn sent(&mut self, field: &Field<SentSource>) -> Option<KernelPattern> {
        let program = self.program();
        let (source, at) = field.given("which signal", self.problems)?;
        let signal = self.part(&source.signal, "signal", "the sending", at).and_then(|s| s.read(self.problems));
        let outcome = source.outcome.read(self.problems);
        Some(KernelPattern::Sent { program: program?, signal: signal?, outcome })
    }

    fn part<'a, K>(&mut self, field: &'a Value<K>, key: &str, owner: &str, at: &Span) -> Option<&'a Value<K>> {
        super::inner(field, key, owner, at, self.problems)
    }
}

/// Why no call of this family has such a descriptor, if so.
fn misfit(family: CallFamily, class: DescriptorClass) -> Option<&'static str> {
    use CallFamily as F;
    use DescriptorClass as D;
    match (family, class) {
        (F::Poll, _) => Some("`poll` waits for several descriptors"),
        (family, _) if !family.has_descriptor() => Some("it has no descriptor"),
        (F::Accept | F::Listen, D::Connection | D::Input | D::Output) => Some("only a `listening` socket has it"),
        (F::Connect | F::Read | F::Write | F::Shutdown, D::Listening) => Some("a listening socket has no other end"),
        (F::Connect | F::Shutdown, D::Input | D::Output) => Some("only a socket has it"),
        _ => None,
    }
}
