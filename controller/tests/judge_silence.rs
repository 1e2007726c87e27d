//! Claims on what a host's kernel could not tell, or told and nobody kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use deadpeer::scenario::{CallFamily, Count, DescriptorClass, KernelPattern, Moment, Returns, TcpDeed};
use deadpeer::timeline::{CallResult, DescriptorKind, KernelFact, OUTPUTS_TOLD, Process};
use support::claims::{self, accepts, calls, claimed, deed, delivered, error, judged, reads};
use support::kernel::{self, process};
use support::scenarios::{CRASH, SECOND_LINE, after};
use support::stories;

#[test]
fn absence_needs_a_witness_in_every_life_of_the_host() {
    let claims = |count| [deed("server", TcpDeed::Retransmission, count), delivered("TERM", None, count)];
    for claim in claims(Count::NONE) {
        assert_eq!(judged(&mut kernel::crash_reboot(), claim.clone()).held, Some(true));
        let none = judged(&mut stories::crash_reboot(), claim.clone());
        assert_eq!(none.held, None);
        assert!(none.why.ends_with("and the kernel of server had no witness."), "{}", none.why);
        let second = judged(&mut kernel::without_witness("server", 3.5), claim);
        assert_eq!(second.held, None);
        assert!(second.why.contains("the kernel of server had no witness from 3.512 s on"), "{}", second.why);
    }
    // Nor does a count below the one that is claimed prove anything, while presence does.
    let mut story = kernel::without_witness("server", 3.5);
    assert_eq!(judged(&mut story, deed("server", TcpDeed::ResetSent, Count::SOME)).held, None);
    assert_eq!(judged(&mut story, accepts(&[Returns::Success], Count::SOME)).held, Some(true));
    // Of a time before that life there is no doubt.
    let resets = KernelPattern::Tcp { host: "server".to_owned(), deed: TcpDeed::ResetSent };
    let before = Moment { before: Some(CRASH), ..Moment::default() };
    assert_eq!(judged(&mut story, claimed(resets, Count::NONE, before)).held, Some(true));
}

#[test]
fn a_loss_leaves_open_what_lies_in_it_and_nothing_else() {
    let writes = |returns: &[Returns], count, when| calls(CallFamily::Write, returns, count, when);
    let lossy = || {
        let mut story = kernel::crash_reboot();
        story.at(6.4340).lost("client", 6.4331);
        story
    };
    let when = || after(SECOND_LINE);
    let unknown = judged(&mut lossy(), writes(&[error("EPIPE")], Count::NONE, when()));
    assert_eq!(unknown.held, None);
    assert!(
        unknown.why.ends_with("and client lost 7 trace events in the trace buffer, between 6.433 s and 6.434 s."),
        "{}",
        unknown.why
    );
    assert_eq!(judged(&mut lossy(), writes(&[], Count::exactly(1), when())).held, None);
    // What was seen was seen, and too many are too many.
    assert_eq!(judged(&mut lossy(), writes(&[Returns::Data], Count::SOME, when())).held, Some(true));
    assert_eq!(judged(&mut lossy(), writes(&[], Count::NONE, when())).held, Some(false));
    // It touches neither an earlier time nor another host.
    let before = Moment { before: Some(CRASH), ..Moment::default() };
    assert_eq!(judged(&mut lossy(), writes(&[error("EPIPE")], Count::NONE, before)).held, Some(true));
    assert_eq!(judged(&mut lossy(), deed("server", TcpDeed::ResetReceived, Count::NONE)).held, Some(true));
}

#[test]
fn the_silence_of_a_kernel_that_could_not_be_brought_to_tell_means_nothing() {
    let judged = |call, error, count| {
        let mut story = kernel::crash_reboot();
        story.at(3.5).untold("client", call);
        judged(&mut story, reads(&[claims::error(error)], count))
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
        judged(&mut story, reads(&[error("EPIPE")], Count::NONE)).held
    };
    assert_eq!(judged(true, false), Some(true));
    assert_eq!(judged(false, false), None);
    assert_eq!(judged(true, true), None, "a child of it may live");
}

#[test]
fn a_loss_from_before_a_host_s_life_touches_all_that_happened_in_it() {
    // Nothing was ever saved of the client's life, which began at 0.1 s: by the clock's error the loss begins before.
    let judged = |since: f64| {
        let mut story = kernel::crash_reboot();
        story.at(6.6).lost("client", since);
        judged(&mut story, reads(&[error("EPIPE")], Count::NONE)).held
    };
    assert_eq!(judged(0.0), None);
    assert_eq!(judged(3.0), None);
}

#[test]
fn of_what_is_printed_no_more_is_counted_than_is_kept() {
    let judged = |on, count| {
        let mut story = kernel::crash_reboot();
        for _ in 0..OUTPUTS_TOLD {
            let result = CallResult::Returned(80);
            story.at(6.5).call(process("echo-client"), "write", Some(DescriptorKind::Output), 6.5, result);
        }
        let (program, family) = ("echo-client".to_owned(), CallFamily::Write);
        let call = KernelPattern::Call { program, family, descriptor: Some(on), returns: vec![] };
        judged(&mut story, claimed(call, count, Moment::default())).held
    };
    assert_eq!(judged(DescriptorClass::Output, Count::exactly(OUTPUTS_TOLD as usize)), None);
    assert_eq!(judged(DescriptorClass::Output, Count::SOME), Some(true));
    assert_eq!(judged(DescriptorClass::Listening, Count::NONE), Some(true));
}
