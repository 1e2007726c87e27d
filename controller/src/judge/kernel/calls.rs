//! "Program P made such a system call, and it returned R."

use super::{Sought, Told};
use crate::judge::view::Window;
use crate::scenario::{CallFamily, DescriptorClass, Returns, Scenario};
use crate::timeline::{Call, CallResult, Descriptor, DescriptorKind, KernelEvent, KernelFact, LabTime, OUTPUTS_TOLD};
use std::collections::HashMap;

pub(super) struct Calls<'a> {
    pub(super) program: &'a str,
    pub(super) family: CallFamily,
    pub(super) descriptor: Option<DescriptorClass>,
    /// Any result, if there is none.
    pub(super) returns: &'a [Returns],
}

impl Sought for Calls<'_> {
    fn host<'a>(&'a self, scenario: &'a Scenario) -> &'a str {
        super::host_of(scenario, self.program)
    }

    fn program(&self) -> Option<&str> {
        Some(self.program)
    }

    fn kind(&self) -> String {
        format!("{} calls by {}", crate::scenario::call_word(self.family), self.program)
    }

    fn is_of_kind(&self, event: &KernelEvent) -> bool {
        let is_program = super::is_of(event.process.as_ref(), self.program);
        call(event).is_some_and(|call| is_program && self.family.calls().contains(&call.call.as_str()))
    }

    fn fits(&self, event: &KernelEvent) -> bool {
        call(event).is_some_and(|call| self.is_on(call.on.as_ref()) && self.came_out(&call.result))
    }

    /// A call belongs to the time at which it returned. One that did not belongs to all the time from its beginning.
    fn is_in(&self, window: &Window, at: LabTime, event: &KernelEvent) -> bool {
        match call(event) {
            Some(Call { result: CallResult::Unfinished, began, .. }) => {
                window.from.is_some() && window.is_before_end(*began)
            }
            _ => window.holds(at),
        }
    }

    fn nearness(&self, event: &KernelEvent) -> u8 {
        let Some(call) = call(event) else { return 0 };
        let on = 4 * u8::from(self.is_on(call.on.as_ref()));
        let failed = matches!(call.result, CallResult::Failed(_));
        let wants_error = self.returns.iter().any(|returns| matches!(returns, Returns::Error(_)));
        on + 2 * u8::from(self.came_out(&call.result)) + u8::from(failed == wants_error)
    }

    fn value(&self, event: &KernelEvent) -> Option<String> {
        let returns = self.came_to(&call(event)?.result).filter(|_| self.returns.len() > 1)?;
        Some(match returns {
            Returns::Error(name) => name.clone(),
            Returns::Number(number) => number.to_string(),
            Returns::Data => "data".to_owned(),
            Returns::Success => "success".to_owned(),
            Returns::Restarted => "restarted".to_owned(),
            Returns::Nothing => "nothing".to_owned(),
        })
    }

    fn needs(&self, call: &str) -> bool {
        self.family.calls().contains(&call)
    }

    /// Of what a process writes to its output, not everything is told.
    fn unkept(&self, kind: &[Told<'_>]) -> Option<String> {
        if !matches!(self.descriptor, None | Some(DescriptorClass::Output)) {
            return None;
        }
        let mut told: HashMap<u32, u32> = HashMap::new();
        for (_, event) in kind {
            let on = call(event).and_then(|call| call.on.as_ref()).map(|on| &on.kind);
            if let (Some(process), Some(DescriptorKind::Output)) = (&event.process, on) {
                *told.entry(process.pid).or_default() += 1;
            }
        }
        let silent = told.into_values().any(|count| count >= OUTPUTS_TOLD);
        silent.then(|| format!("of what a process writes to its output only the first {OUTPUTS_TOLD} calls are kept"))
    }

    /// That a call did not return is only that its return was not seen.
    fn is_uncertain(&self) -> bool {
        self.returns.contains(&Returns::Nothing)
    }
}

impl Calls<'_> {
    fn is_on(&self, descriptor: Option<&Descriptor>) -> bool {
        use DescriptorClass as Class;
        let Some(class) = self.descriptor else { return true };
        match descriptor.map(|descriptor| &descriptor.kind) {
            // A socket that connect(2) has yet to give another end is what becomes a connection.
            Some(DescriptorKind::Connection(_) | DescriptorKind::Socket) => class == Class::Connection,
            Some(DescriptorKind::Listening { .. }) => class == Class::Listening,
            Some(DescriptorKind::Input) => class == Class::Input,
            Some(DescriptorKind::Output) => class == Class::Output,
            Some(DescriptorKind::Several | DescriptorKind::Other) | None => false,
        }
    }

    /// Whether the result is one that is asked for. A call that began anew is not over: it is asked for by name alone.
    fn came_out(&self, result: &CallResult) -> bool {
        match self.returns {
            [] => *result != CallResult::Restarted,
            _ => self.came_to(result).is_some(),
        }
    }

    /// Which of the results asked for it is.
    fn came_to(&self, result: &CallResult) -> Option<&Returns> {
        self.returns.iter().find(|returns| match (returns, result) {
            (Returns::Error(wanted), CallResult::Failed(error)) => wanted == error,
            (Returns::Number(wanted), CallResult::Returned(value)) => wanted == value,
            (Returns::Data, CallResult::Returned(value)) => *value > 0,
            (Returns::Success, CallResult::Returned(value)) => *value >= 0,
            (Returns::Restarted, CallResult::Restarted) | (Returns::Nothing, CallResult::Unfinished) => true,
            _ => false,
        })
    }
}

fn call(event: &KernelEvent) -> Option<&Call> {
    match &event.fact {
        KernelFact::Call(call) => Some(call),
        _ => None,
    }
}
