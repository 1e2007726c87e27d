//! What a kernel could not be brought to tell.
//!
//! Most of what can go wrong when tracing is set up leaves the kernel silent about something, and silence must not be taken for
//! "it did not happen".

use crate::timeline::KernelFact;

/// What goes wrong with these leaves no silence: sizes of the trace buffers, the witness's own safety, frames
/// (they set the clock, and [`super::place`] says if they do not suffice), and what is known in a second way too.
const HARMLESS: &[&str] = &[
    "buffer_size_kb",
    "signals",
    "sendsigs",
    "cgroup",
    "oom_score_adj",
    "scheduling",
    "net/net_dev_start_xmit",
    "net/netif_receive_skb",
    "deadpeer/accepted",
];

/// How the witness tells that there is no such file (ENOENT).
const NOT_THERE: &str = "(os error 2)";

/// What is not told for want of `what`, the name of an event or a setting, which failed for this reason. None if nothing is
/// missing for it: a system call has no event where the kernel does not have the call. (`describes_calls`: the kernel has
/// described some system call, so that it would this one.)
pub(super) fn untold(what: &str, why: &str, describes_calls: bool) -> Option<KernelFact> {
    if HARMLESS.contains(&what) {
        return None;
    }
    let call = what
        .strip_prefix("syscalls/")
        .and_then(|event| event.strip_prefix("sys_enter_").or_else(|| event.strip_prefix("sys_exit_")));
    if call.is_some() && describes_calls && why.contains(NOT_THERE) {
        return None;
    }
    Some(KernelFact::Untold { what: what.to_owned(), why: why.to_owned(), call: call.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: &str = "No such file or directory (os error 2)";
    const BUSY: &str = "Device or resource busy (os error 16)";

    fn call_of(what: &str, why: &str, describes_calls: bool) -> Option<Option<String>> {
        untold(what, why, describes_calls).map(|fact| match fact {
            KernelFact::Untold { call, .. } => call,
            _ => None,
        })
    }

    #[test]
    fn a_call_that_the_kernel_does_not_have_is_not_missing() {
        assert_eq!(call_of("syscalls/sys_enter_epoll_pwait2", GONE, true), None);
        let read = Some(Some("read".to_owned()));
        assert_eq!(call_of("syscalls/sys_exit_read", BUSY, true), read, "it has it, and does not tell");
        assert_eq!(call_of("syscalls/sys_exit_read", GONE, false), read, "it tells of no call at all");
    }

    #[test]
    fn any_other_event_leaves_a_silence_and_a_buffers_size_does_not() {
        assert_eq!(call_of("signal/signal_generate", GONE, true), Some(None));
        assert_eq!(call_of("deadpeer/time_wait_made", GONE, true), Some(None));
        assert_eq!(call_of("event-fork", BUSY, true), Some(None));
        assert_eq!(call_of("buffer_size_kb", BUSY, true), None);
    }
}
