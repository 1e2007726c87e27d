//! Claims on what a host's kernel could not be brought to tell, or told and nobody kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::judge::{Judged, judge};
use deadpeer::scenario::{CallFamily, Claim, Count, DescriptorClass, KernelClaim, KernelPattern, Moment, Returns};
use deadpeer::timeline::{CallResult, DescriptorKind, KernelFact, OUTPUTS_TOLD, Process};
use support::kernel::{self, process};
use support::{Story, scenarios};

/// How a claim about calls of the client is judged.
fn judged(story: &mut Story, family: CallFamily, on: DescriptorClass, error: Option<&str>, count: Count) -> Judged {
    let what = KernelPattern::Call {
        program: "echo-client".to_owned(),
        family,
        descriptor: Some(on),
        returns: error.map(|name| Returns::Error(name.to_owned())).into_iter().collect(),
    };
    let claim = Claim::Kernel(KernelClaim { what, count, when: Moment::default() });
    story.scenario.expectations = vec![scenarios::expectation("it", 1, claim, "held", "not held")];
    judge(&story.scenario, &story.events).remove(0)
}

#[test]
fn the_silence_of_a_kernel_that_could_not_be_brought_to_tell_means_nothing() {
    let judged = |call, error, count| {
        let mut story = kernel::crash_reboot();
        story.at(3.5).untold("client", call);
        judged(&mut story, CallFamily::Read, DescriptorClass::Connection, Some(error), count)
    };
    assert_eq!(judged(Some("poll"), "EPIPE", Count::NONE).held, Some(true), "that is another call");
    assert_eq!(judged(None, "EPIPE", Count::NONE).held, None);
    let unknown = judged(Some("recvfrom"), "EPIPE", Count::NONE);
    assert_eq!(unknown.held, None);
    assert!(unknown.why.contains("(syscalls/sys_exit_recvfrom: it refuses)"), "{}", unknown.why);
    assert_eq!(judged(None, "ECONNRESET", Count::SOME).held, Some(true), "what was told was told");
}

#[test]
fn a_loss_does_not_matter_to_a_program_that_was_over() {
    let judged = |reaped: bool, forked: bool| {
        let mut story = kernel::crash_reboot();
        let init = || Process { pid: 1, command: "init".to_owned(), program: None, child: false };
        if forked {
            story.at(6.45).told("client", Some(process("echo-client")), KernelFact::Forked { child_pid: 300 });
        }
        if reaped {
            story.at(6.5).reaped("client", init(), 298);
        }
        story.at(6.6).lost("client", 6.55);
        judged(&mut story, CallFamily::Read, DescriptorClass::Connection, Some("EPIPE"), Count::NONE).held
    };
    assert_eq!(judged(true, false), Some(true));
    assert_eq!(judged(false, false), None);
    assert_eq!(judged(true, true), None, "a child of it may live");
}

#[test]
fn of_what_is_printed_no_more_is_counted_than_is_kept() {
    let judged = |on, count| {
        let mut story = kernel::crash_reboot();
        for _ in 0..OUTPUTS_TOLD {
            let result = CallResult::Returned(80);
            story.at(6.5).call(process("echo-client"), "write", Some(DescriptorKind::Output), 6.5, result);
        }
        judged(&mut story, CallFamily::Write, on, None, count).held
    };
    assert_eq!(judged(DescriptorClass::Output, Count::exactly(OUTPUTS_TOLD as usize)), None);
    assert_eq!(judged(DescriptorClass::Output, Count::SOME), Some(true));
    assert_eq!(judged(DescriptorClass::Listening, Count::NONE), Some(true));
}
