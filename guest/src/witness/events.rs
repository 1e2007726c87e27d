//! What is traced, and what for.

use crate::recorder::Instance;

/// System calls of traced programs, by the names of their trace events, and what they tell. Each is traced as it is
/// entered (arguments) and as it returns (result).
pub(super) const CALLS: &[(&str, &str)] = &[
    ("how a socket comes to be, and whom it meets", "socket bind listen connect accept accept4"),
    ("what was read", "read readv recvfrom recvmsg recvmmsg"),
    ("what was written", "write writev sendto sendmsg sendmmsg sendfile64 splice"),
    ("how a connection is given up", "close close_range shutdown"),
    ("what a program waits for", "poll ppoll select pselect6"),
    ("what a program waits for", "epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2"),
    ("keepalive, time-outs, reset on close", "setsockopt getsockopt"),
    ("which descriptor is which", "dup dup2 dup3 fcntl"),
    ("children, and who reaps them", "fork vfork clone clone3 wait4 waitid"),
    ("what a process becomes, and how it ends", "execve execveat exit exit_group"),
    (
        "signals: handlers, senders, alarms",
        "rt_sigaction rt_sigreturn restart_syscall kill tgkill alarm setitimer pause",
    ),
];

/// Events of the whole host: name, filter (empty: all), and what it tells.
pub(super) const HOST: &[(&str, &str, &str)] = &[
    ("sock/inet_sock_set_state", "", "TCP's states"),
    ("tcp/tcp_retransmit_skb", "", "a segment is sent again"),
    ("tcp/tcp_send_reset", "", "a RST leaves"),
    ("tcp/tcp_receive_reset", "", "a RST came that was believed"),
    ("signal/signal_generate", "", "a signal is sent: by whom, to whom, and what becomes of it"),
    ("signal/signal_deliver", "", "a signal arrives: handler, SA_RESTART"),
    ("task/task_newtask", "", "a process or a thread: the flags of clone(2)"),
    ("sched/sched_process_fork", "", "who is whose child"),
    ("sched/sched_process_exec", "", "which program a process becomes"),
    ("sched/sched_process_exit", "", "a process ends, whoever it was"),
    ("sched/sched_process_free", "", "a process was waited for, by whomever"),
    ("syscalls/sys_enter_reboot", "", "init is done"),
    // The k-th of these is the k-th frame at the switch: the guest's clock is set by them. Not the control NIC's.
    // (`net_dev_xmit` would come too late: it is told after the frame has left, and the switch may have it before.)
    (FRAMES[0], "name ~ \"eth*\"", "a frame leaves"),
    (FRAMES[1], "name ~ \"eth*\"", "a frame came"),
];

/// Those of them that tell of frames, and set the guest's clock.
pub(super) const FRAMES: [&str; 2] = ["net/net_dev_start_xmit", "net/netif_receive_skb"];

/// Probes of our own, for what no trace event tells: where, name, definition (kernel: Documentation/trace/kprobetrace.rst).
/// Addresses of sockets are those of `inet_sock_set_state`'s `skaddr`.
///
/// - `accepted`: which socket accept(2) returned. 128 may be inside `accept` at once.
/// - `time_wait`: a socket is replaced by a smaller one, that waits for the end of TIME_WAIT, or for a FIN before it (FIN_WAIT2).
/// - `time_wait_made`: the smaller one. 16 may be made at once.
/// - `time_wait_again`: its timer is set, or (`rearm`) set anew. In FIN_WAIT2 that is done for the FIN alone, which makes it
///   TIME_WAIT (`tcp_timewait_state_process`, net/ipv4/tcp_minisocks.c).
pub(super) const PROBES: &[(Instance, &str, &str)] = &[
    (Instance::Programs, "deadpeer/accepted", "r128:deadpeer/accepted inet_csk_accept sk=$retval"),
    (Instance::Host, "deadpeer/time_wait", "p:deadpeer/time_wait tcp_time_wait sk=$arg1 state=$arg2:s32"),
    (Instance::Host, "deadpeer/time_wait_made", "r16:deadpeer/time_wait_made inet_twsk_alloc small=$retval"),
    (
        Instance::Host,
        "deadpeer/time_wait_again",
        "p:deadpeer/time_wait_again __inet_twsk_schedule small=$arg1 rearm=$arg3:u8",
    ),
];

/// An event to switch on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) instance: Instance,
    pub(super) name: String,
    pub(super) filter: &'static str,
}

/// All of them.
pub(super) fn all() -> Vec<Event> {
    let calls = CALLS.iter().flat_map(|(_, names)| names.split(' '));
    let of_calls = calls.flat_map(|call| [format!("syscalls/sys_enter_{call}"), format!("syscalls/sys_exit_{call}")]);
    let of_host = HOST.iter().map(|(name, filter, _)| ((*name).to_owned(), *filter));
    let event = |instance| move |(name, filter)| Event { instance, name, filter };
    let of_probes =
        PROBES.iter().map(|(instance, name, _)| Event { instance: *instance, name: (*name).to_owned(), filter: "" });
    of_host
        .map(event(Instance::Host))
        .chain(of_calls.map(|name| (name, "")).map(event(Instance::Programs)))
        .chain(of_probes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_event_is_switched_on_twice() {
        let mut names: Vec<String> = all().into_iter().map(|event| event.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"syscalls/sys_exit_accept4".to_owned()));
    }
}
