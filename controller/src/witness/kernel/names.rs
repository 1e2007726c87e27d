//! Numbers to names, as the manual pages write them. The numbers are those of Linux on x86-64, which is what guests run.

use crate::timeline::{CallResult, TcpState};
use nix::errno::Errno;
use nix::sys::signal::Signal;

/// The largest error number that a system call can return (`MAX_ERRNO`, include/linux/err.h).
const MAX_ERRNO: i64 = 4095;

/// A system call's result, as the program sees it.
pub(super) fn result(returned: i64) -> CallResult {
    if !(-MAX_ERRNO..0).contains(&returned) {
        return CallResult::Returned(returned);
    }
    match Errno::from_raw(i32::try_from(-returned).unwrap_or_default()) {
        Errno::UnknownErrno => CallResult::Failed(format!("errno {}", -returned)),
        known => CallResult::Failed(format!("{known:?}")),
    }
}

/// What the kernel says to itself when a signal interrupted a call (include/linux/errno.h): no program ever sees these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// `ERESTARTSYS`: EINTR, unless the handler was installed with `SA_RESTART`.
    UnlessTold,
    /// `ERESTARTNOINTR`: always begins anew.
    Always,
    /// `ERESTARTNOHAND`, `ERESTART_RESTARTBLOCK`: EINTR if a handler ran.
    UnlessHandled,
}

impl Restart {
    /// The one that `returned` stands for, if it does.
    pub(super) fn of(returned: i64) -> Option<Self> {
        match returned {
            -512 => Some(Self::UnlessTold),
            -513 => Some(Self::Always),
            -514 | -516 => Some(Self::UnlessHandled),
            _ => None,
        }
    }

    /// What the program sees after a handler, with or without `SA_RESTART`, has run (`handle_signal`, arch/x86/kernel/signal.c).
    pub(super) fn after_handler(self, restart: bool) -> CallResult {
        match self {
            Self::Always => CallResult::Restarted,
            Self::UnlessTold if restart => CallResult::Restarted,
            Self::UnlessTold | Self::UnlessHandled => CallResult::Failed("EINTR".to_owned()),
        }
    }
}

/// A signal's name without SIG: signal(7).
pub(super) fn signal(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().trim_start_matches("SIG").to_owned(),
        // SIGRTMIN of the kernel is 32; the C library keeps two for itself.
        Err(_) if (32..=64).contains(&number) => format!("RT{}", number - 32),
        Err(_) => number.to_string(),
    }
}

/// Whether a signal that nobody handles ends its process: signal(7), "Standard signals".
pub(super) fn is_fatal_by_default(number: i32) -> bool {
    use Signal as S;
    !matches!(
        Signal::try_from(number),
        Ok(S::SIGCHLD | S::SIGURG | S::SIGWINCH | S::SIGCONT | S::SIGSTOP | S::SIGTSTP | S::SIGTTIN | S::SIGTTOU)
    )
}

/// A state by its number (include/net/tcp_states.h). `TCP_NEW_SYN_RECV` is a request without a socket: RFC 9293 has one name
/// for it and for `TCP_SYN_RECV`.
pub(super) fn state(number: u8) -> Option<TcpState> {
    Some(match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => return None,
    })
}

/// What reboot(2) was asked for.
pub(super) fn reboot(command: u32) -> String {
    match command {
        0x0123_4567 => "restart",
        0xa1b2_c3d4 => "restart with a command",
        0xcdef_0123 => "halt",
        0x4321_fedc => "power-off",
        0x4558_4543 => "kexec",
        0xd000_fce2 => "suspend",
        0x89ab_cdef => "Ctrl-Alt-Del on",
        0 => "Ctrl-Alt-Del off",
        _ => return format!("command {command:#x}"),
    }
    .to_owned()
}

/// A socket option's level and name: socket(7), tcp(7), ip(7).
pub(super) fn option(level: i32, name: i32) -> String {
    let socket = ["", "DEBUG", "REUSEADDR", "TYPE", "ERROR", "DONTROUTE", "BROADCAST", "SNDBUF", "RCVBUF", "KEEPALIVE"];
    let tcp = ["", "NODELAY", "MAXSEG", "CORK", "KEEPIDLE", "KEEPINTVL", "KEEPCNT", "SYNCNT", "LINGER2"];
    let nth = |names: &[&str], prefix: &str| {
        let name = usize::try_from(name).ok().and_then(|name| names.get(name)).filter(|name| !name.is_empty());
        name.map(|name| format!("{prefix}{name}"))
    };
    let (level, known) = match level {
        1 => ("SOL_SOCKET".to_owned(), nth(&socket, "SO_").or_else(|| other_socket_option(name).map(str::to_owned))),
        6 => ("IPPROTO_TCP".to_owned(), nth(&tcp, "TCP_").or_else(|| other_tcp_option(name).map(str::to_owned))),
        0 => ("IPPROTO_IP".to_owned(), (name == 11).then(|| "IP_RECVERR".to_owned())),
        41 => ("IPPROTO_IPV6".to_owned(), (name == 26).then(|| "IPV6_V6ONLY".to_owned())),
        other => (other.to_string(), None),
    };
    format!("{level}, {}", known.unwrap_or_else(|| name.to_string()))
}

fn other_socket_option(name: i32) -> Option<&'static str> {
    Some(match name {
        10 => "SO_OOBINLINE",
        13 => "SO_LINGER",
        15 => "SO_REUSEPORT",
        20 | 66 => "SO_RCVTIMEO",
        21 | 67 => "SO_SNDTIMEO",
        _ => return None,
    })
}

fn other_tcp_option(name: i32) -> Option<&'static str> {
    Some(match name {
        9 => "TCP_DEFER_ACCEPT",
        11 => "TCP_INFO",
        12 => "TCP_QUICKACK",
        18 => "TCP_USER_TIMEOUT",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_what_programs_see() {
        assert_eq!(result(0), CallResult::Returned(0));
        assert_eq!(result(-104), CallResult::Failed("ECONNRESET".to_owned()));
        assert_eq!(result(-11), CallResult::Failed("EAGAIN".to_owned()));
        assert_eq!(result(-4000), CallResult::Failed("errno 4000".to_owned()));
        assert_eq!(result(-4096), CallResult::Returned(-4096));
    }

    #[test]
    fn only_a_handler_without_sa_restart_shows_eintr_and_sleepers_show_it_always() {
        let eintr = CallResult::Failed("EINTR".to_owned());
        let after = |returned, restart| Restart::of(returned).map(|it| it.after_handler(restart));
        assert_eq!(after(-512, false), Some(eintr.clone()));
        assert_eq!(after(-512, true), Some(CallResult::Restarted));
        assert_eq!(after(-513, false), Some(CallResult::Restarted));
        assert_eq!(after(-514, true), Some(eintr.clone()));
        assert_eq!(after(-516, true), Some(eintr));
        assert_eq!(after(-4, true), None);
    }

    #[test]
    fn names_are_those_of_the_manual_pages() {
        assert_eq!([signal(13), signal(17), signal(34), signal(99)], ["PIPE", "CHLD", "RT2", "99"]);
        assert!(is_fatal_by_default(13) && is_fatal_by_default(34) && !is_fatal_by_default(17));
        assert_eq!(option(1, 9), "SOL_SOCKET, SO_KEEPALIVE");
        assert_eq!(option(1, 20), "SOL_SOCKET, SO_RCVTIMEO");
        assert_eq!(option(6, 18), "IPPROTO_TCP, TCP_USER_TIMEOUT");
        assert_eq!(option(6, 77), "IPPROTO_TCP, 77");
        assert_eq!(option(99, 1), "99, 1");
        assert_eq!(state(12), Some(TcpState::SynReceived));
        assert_eq!(state(0), None);
        assert_eq!(reboot(0x4321_fedc), "power-off");
    }
}
