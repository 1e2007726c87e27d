//! The time-outs: what each follows from, what the textbook says, and how it is read from a timeline.

use super::Timed;
use super::measure::Measured::{self, Between, Count, Error, Time};
use super::measure::{from_to, timer};
use super::series::data;
use crate::scenario::SegmentKind;
use crate::timeline::{LabTime, TcpState};

/// One time-out, or a part of one.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// The scenario that shows it.
    pub(super) scenario: &'static str,
    /// What it follows from, and where that stands.
    pub(super) formula: &'static str,
    /// What W. R. Stevens, UNP vol. 1, 3rd ed., says; a dash if nothing.
    pub(super) textbook: &'static str,
    pub(super) measure: fn(&Timed) -> Option<Measured>,
}

/// Rows that belong together, under a heading.
pub(super) const ROWS: &[(&str, &[Row])] = &[
    ("A connect that nobody answers", CONNECT),
    ("Data that nobody acknowledges", DATA),
    ("When the next hop says that it cannot be done", UNREACHABLE),
    ("Silence", SILENCE),
    ("A closed window", WINDOW),
    ("States that end by themselves", STATES),
];

const CONNECT: &[Row] = &[
    Row {
        what: "the second SYN, after the first",
        scenario: "connect-timeout",
        formula: "1 s (TCP_TIMEOUT_INIT, include/net/tcp.h; RFC 6298, 2.1)",
        textbook: "6 s (4.4BSD; 4.3)",
        measure: |run| {
            let syns = run.frames("client", SegmentKind::Syn, run.began("call")?);
            from_to(*syns.first()?, *syns.get(1)?).map(Time)
        },
    },
    Row {
        what: "SYNs sent",
        scenario: "connect-timeout",
        formula: "1 + tcp_syn_retries (6); since Linux 6.5 + tcp_syn_linear_timeouts (4)",
        textbook: "3",
        measure: |run| Some(Count(run.frames("client", SegmentKind::Syn, run.began("call")?).len())),
    },
    Row {
        what: "connect fails, after the first SYN",
        scenario: "connect-timeout",
        formula: "1 + 2 + 4 + … + 64 s = 127 s; since Linux 6.5 + 4 × 1 s = 131 s (tcp_write_timeout, net/ipv4/tcp_timer.c)",
        textbook: "75 s (4.4BSD; 4.3)",
        measure: |run| {
            let first = *run.frames("client", SegmentKind::Syn, run.began("call")?).first()?;
            failed(run, "connect", first)
        },
    },
];

/// Of all scenarios in which a line stays unacknowledged.
const GIVES_UP: &str = "the first retransmission due after the sum of min(0.2 s × 2ⁿ, 120 s) for n = 0 … tcp_retries2 (15) = 924.6 s (tcp_model_timeout, net/ipv4/tcp_timer.c)";
const NINE_MINUTES: &str = "about 9 min, 12 retransmissions (5.14)";

const DATA: &[Row] = &[
    Row {
        what: "the first retransmission, a probe for a lost tail",
        scenario: "host-crash",
        formula: "2 × SRTT + 200 ms, as the acknowledgement of a single segment may be delayed (tcp_schedule_loss_probe, net/ipv4/tcp_output.c; RFC 8985, 7.2)",
        textbook: "—",
        measure: |run| {
            let sent = data(run, "second-line")?;
            from_to(*sent.first()?, *sent.get(1)?).map(Time)
        },
    },
    Row {
        what: "read fails: the host on the same link is dead",
        scenario: "host-crash",
        formula: GIVES_UP,
        textbook: NINE_MINUTES,
        measure: |run| failed_after_data(run, "second-line"),
    },
    Row {
        what: "… and the line was sent again so often, as the kernel tells",
        scenario: "host-crash",
        formula: "as many as fit: see the waits below",
        textbook: "12",
        measure: again,
    },
    Row {
        what: "read fails: the host behind a router is dead",
        scenario: "host-crash-routed",
        formula: GIVES_UP,
        textbook: NINE_MINUTES,
        measure: |run| failed_after_data(run, "second-line"),
    },
    Row {
        what: "… and the line was sent again so often",
        scenario: "host-crash-routed",
        formula: "as many as fit: see the waits below",
        textbook: "12",
        measure: again,
    },
    Row {
        what: "read fails: TCP_USER_TIMEOUT of 3 s",
        scenario: "host-crash-user-timeout",
        formula: "what was set, and the timer is cut to end with it (tcp_clamp_rto_to_user_timeout, net/ipv4/tcp_timer.c; RFC 5482)",
        textbook: "—",
        measure: |run| failed_after_data(run, "second-line"),
    },
    Row {
        what: "the echo, after an outage of ten minutes is over",
        scenario: "outage-ten-minutes",
        formula: "what is left of the wait: up to min(RTO × 2ⁿ, 120 s) (TCP_RTO_MAX, include/net/tcp.h)",
        textbook: "—",
        measure: |run| {
            let whole = run.began("whole")?;
            from_to(whole, run.line("echo-client", "another line", whole)?.0).map(Time)
        },
    },
];

const UNREACHABLE: &[Row] = &[
    Row {
        what: "the neighbour entry fails, after the first question",
        scenario: "host-crash",
        formula: "ucast_solicit (3) × retrans_time_ms (1 s) = 3 s (arp(7); neigh_timer_handler, net/core/neighbour.c)",
        textbook: "—",
        measure: |run| {
            let since = run.began("second-line")?;
            let (failed, _) = run.line("neighbours", "FAILED", since)?;
            from_to(*run.frames("client", SegmentKind::Arp, since).first()?, failed).map(Time)
        },
    },
    Row {
        what: "the neighbour entry fails, after the crash",
        scenario: "host-crash",
        formula: "what is left of the time that an entry is believed, 15 to 45 s by chance (base_reachable_time_ms), until it is used the next time; + delay_first_probe_time (5 s) + 3 s",
        textbook: "—",
        measure: |run| {
            let since = run.began("crash")?;
            from_to(since, run.line("neighbours", "FAILED", since)?.0).map(Time)
        },
    },
    Row {
        what: "read fails: a router says all the time that the host cannot be reached",
        scenario: "host-unreachable-default",
        formula: GIVES_UP,
        textbook: NINE_MINUTES,
        measure: |run| failed_after_data(run, "second-line"),
    },
    Row {
        what: "… and the line was sent again so often",
        scenario: "host-unreachable-default",
        formula: "each message takes back a doubling (RFC 6069; tcp_ld_RTO_revert, net/ipv4/tcp_ipv4.c), and a router answers every 2 s at most (ip_error, net/ipv4/route.c, and icmp_send, net/ipv4/icmp.c)",
        textbook: "12",
        measure: again,
    },
    Row {
        what: "read fails: a router says all the time that the network cannot be reached",
        scenario: "net-unreachable-default",
        formula: GIVES_UP,
        textbook: NINE_MINUTES,
        measure: |run| failed_after_data(run, "second-line"),
    },
    Row {
        what: "connect fails: a router says that the host cannot be reached",
        scenario: "host-unreachable",
        formula: "at the first message that finds the socket unlocked (tcp_v4_err, net/ipv4/tcp_ipv4.c)",
        textbook: "after the time-out of connect (5.14)",
        measure: |run| {
            let first = *run.frames("client", SegmentKind::Syn, run.began("next")?).first()?;
            let (at, _, error) = run.failure("next-client", "connect", first)?;
            Some(Error(from_to(first, at)?, error.to_owned()))
        },
    },
];

const SILENCE: &[Row] = &[
    Row {
        what: "the first keep-alive probe, after the last segment",
        scenario: "host-crash-keepalive",
        formula: "tcp_keepalive_time (7200 s), rounded up as timers that long are (kernel/time/timer.c)",
        textbook: "2 h (7.5)",
        measure: |run| {
            let probe = *run.frames("client", SegmentKind::PureAck, run.began("silence")?).first()?;
            from_to(run.last_segment(probe)?, probe).map(Time)
        },
    },
    Row {
        what: "read fails, after the first probe",
        scenario: "host-crash-keepalive",
        formula: "tcp_keepalive_probes (9) × tcp_keepalive_intvl (75 s) = 675 s (tcp_keepalive_timer, net/ipv4/tcp_timer.c)",
        textbook: "9 × 75 s (7.5)",
        measure: |run| {
            let probe = *run.frames("client", SegmentKind::PureAck, run.began("silence")?).first()?;
            failed(run, "read", probe)
        },
    },
    Row {
        what: "read fails, after the last segment",
        scenario: "host-crash-keepalive",
        formula: "7200 s + 675 s = 7875 s",
        textbook: "2 h 11 min 15 s (7.5)",
        measure: |run| {
            let probe = *run.frames("client", SegmentKind::PureAck, run.began("silence")?).first()?;
            failed(run, "read", run.last_segment(probe)?)
        },
    },
];

const WINDOW: &[Row] = &[
    Row {
        what: "probes of the closed window that nobody answered",
        scenario: "zero-window-crash",
        formula: "tcp_retries2 (15): here a number (tcp_probe_timer, net/ipv4/tcp_timer.c)",
        textbook: "—",
        measure: |run| Some(Count(run.frames("client", SegmentKind::PureAck, run.began("crash")?).len())),
    },
    Row {
        what: "write fails, after the last answer",
        scenario: "zero-window-crash",
        formula: "(tcp_retries2 + 1) × 120 s, where the waits had grown to that before = 1920 s",
        textbook: "—",
        measure: |run| {
            let crash = run.began("crash")?;
            let answers = run.frames("server", SegmentKind::PureAck, LabTime(0));
            failed(run, "write", *answers.iter().rev().find(|at| **at < crash)?)
        },
    },
];

const STATES: &[Row] = &[
    Row {
        what: "TIME_WAIT, seen in the list and not any more",
        scenario: "time-wait",
        formula: "60 s (TCP_TIMEWAIT_LEN, include/net/tcp.h), rounded up as timers that long are (kernel/time/timer.c)",
        textbook: "twice the MSL: 1 to 4 min (2.7)",
        measure: |run| gone(run, TcpState::TimeWait),
    },
    Row {
        what: "TIME_WAIT, as its timer says",
        scenario: "time-wait",
        formula: "60 s",
        textbook: "1 to 4 min (2.7)",
        measure: |run| by_its_timer(run, TcpState::TimeWait),
    },
    Row {
        what: "FIN_WAIT_2 of a closed socket, seen in the list and not any more",
        scenario: "fin-wait-2",
        formula: "tcp_fin_timeout (60 s), rounded up likewise (tcp_rcv_state_process, net/ipv4/tcp_input.c)",
        textbook: "no limit (figure 2.4)",
        measure: |run| gone(run, TcpState::FinWait2),
    },
    Row {
        what: "FIN_WAIT_2, as its timer says",
        scenario: "fin-wait-2",
        formula: "60 s",
        textbook: "no limit (figure 2.4)",
        measure: |run| by_its_timer(run, TcpState::FinWait2),
    },
];

/// When a call of the client's failed, and how, since `since`.
fn failed(run: &Timed, call: &str, since: LabTime) -> Option<Measured> {
    let (at, _, error) = run.failure("echo-client", call, since)?;
    Some(Error(from_to(since, at)?, error.to_owned()))
}

/// When the client's read failed, after the line that was typed in this step was sent first.
fn failed_after_data(run: &Timed, step: &str) -> Option<Measured> {
    failed(run, "read", *data(run, step)?.first()?)
}

/// How often the second line was sent again.
fn again(run: &Timed) -> Option<Measured> {
    Some(Count(data(run, "second-line")?.len().checked_sub(1)?))
}

/// How long ss(8) listed the connection since it went to `state`: it was there in the list of `after-59-s` and not in the last.
fn gone(run: &Timed, state: TcpState) -> Option<Measured> {
    let since = entered(run, state)?;
    let (there, _) = run.line("after-59-s", "192.0.2.2:9877", since)?;
    let looked = run.ended("after-63-s")?;
    let is_gone = run.line("after-63-s", "9877", since).is_none();
    is_gone.then(|| Some(Between(from_to(since, there)?, from_to(since, looked)?))).flatten()
}

/// When the timer of the state would run out, by what ss(8) told of it after 59 s.
fn by_its_timer(run: &Timed, state: TcpState) -> Option<Measured> {
    let since = entered(run, state)?;
    let (at, line) = run.line("after-59-s", "192.0.2.2:9877", since)?;
    Some(Time(from_to(since, at)? + timer(line)?))
}

/// When the connection that was left to itself went to this state.
fn entered(run: &Timed, state: TcpState) -> Option<LabTime> {
    run.entered(state, run.began("waiting")?)
}
