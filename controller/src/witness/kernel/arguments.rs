//! A system call's arguments in words, as strace(1) writes them, as far as they are worth telling.

use super::names;

/// Whether a call's first argument is a descriptor.
pub(super) fn has_descriptor(call: &str) -> bool {
    matches!(
        call,
        "bind"
            | "listen"
            | "connect"
            | "accept"
            | "accept4"
            | "read"
            | "readv"
            | "recvfrom"
            | "recvmsg"
            | "recvmmsg"
            | "write"
            | "writev"
            | "sendto"
            | "sendmsg"
            | "sendmmsg"
            | "sendfile64"
            | "splice"
            | "close"
            | "shutdown"
            | "setsockopt"
            | "getsockopt"
            | "fcntl"
            | "dup"
            | "dup2"
            | "dup3"
            | "epoll_ctl"
            | "epoll_wait"
            | "epoll_pwait"
            | "epoll_pwait2"
    )
}

/// The arguments of a call worth telling. `members` is what the set of an epoll call holds.
pub(super) fn words(call: &str, arguments: &[u64; 6], members: &[i32]) -> String {
    let [first, second, third, fourth, ..] = *arguments;
    match call {
        "listen" => format!("backlog {}", int(second)),
        "shutdown" => match int(second) {
            0 => "SHUT_RD".to_owned(),
            1 => "SHUT_WR".to_owned(),
            2 => "SHUT_RDWR".to_owned(),
            how => how.to_string(),
        },
        "setsockopt" | "getsockopt" => names::option(int(second), int(third)),
        "recvfrom" | "sendto" | "recvmmsg" | "sendmmsg" => flags(fourth),
        "recvmsg" | "sendmsg" => flags(third),
        "sendfile64" => format!("from descriptor {}", int(second)),
        "poll" => format!("{}, {}", descriptors(second), timeout(int(third))),
        "ppoll" => descriptors(second),
        "select" | "pselect6" => format!("descriptors below {}", int(first)),
        "epoll_wait" | "epoll_pwait" => format!("{}, {}", list(members), timeout(int(fourth))),
        "epoll_pwait2" => list(members),
        "epoll_ctl" => {
            let operation = ["", "EPOLL_CTL_ADD", "EPOLL_CTL_DEL", "EPOLL_CTL_MOD"];
            let operation = usize::try_from(second).ok().and_then(|it| operation.get(it)).unwrap_or(&"?");
            format!("{operation}, {}", int(third))
        }
        "wait4" => wait(int(first), third),
        "waitid" => wait(if first == 1 { int(second) } else { -1 }, fourth),
        "kill" => format!("{}, SIG{}", int(first), names::signal(int(second))),
        "tgkill" => format!("{}, SIG{}", int(second), names::signal(int(third))),
        "alarm" => format!("{} s", int(first)),
        "setitimer" => match first {
            0 => "ITIMER_REAL".to_owned(),
            1 => "ITIMER_VIRTUAL".to_owned(),
            _ => "ITIMER_PROF".to_owned(),
        },
        _ => String::new(),
    }
}

fn int(argument: u64) -> i32 {
    argument as u32 as i32
}

fn descriptors(count: u64) -> String {
    if count == 1 { "1 descriptor".to_owned() } else { format!("{count} descriptors") }
}

fn list(members: &[i32]) -> String {
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    format!("{{{}}}", members.join(", "))
}

fn timeout(milliseconds: i32) -> String {
    if milliseconds < 0 { "no time-out".to_owned() } else { format!("{milliseconds} ms") }
}

/// send(2), recv(2): those that change what a result means.
fn flags(flags: u64) -> String {
    let names = [
        (0x1, "MSG_OOB"),
        (0x2, "MSG_PEEK"),
        (0x20, "MSG_TRUNC"),
        (0x40, "MSG_DONTWAIT"),
        (0x100, "MSG_WAITALL"),
        (0x4000, "MSG_NOSIGNAL"),
        (0x2000, "MSG_ERRQUEUE"),
    ];
    let set: Vec<&str> = names.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| name).collect();
    set.join("|")
}

/// wait4(2), waitid(2).
fn wait(pid: i32, options: u64) -> String {
    let who = if pid < 0 { "any child".to_owned() } else { format!("pid {pid}") };
    let names = [(1, "WNOHANG"), (2, "WUNTRACED"), (0x0100_0000, "WNOWAIT")];
    names.into_iter().filter(|(bit, _)| options & bit != 0).fold(who, |text, (_, name)| format!("{text}, {name}"))
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn arguments_are_told_as_strace_writes_them() {
        let told = |call, arguments: [u64; 4]| {
            let [first, second, third, fourth] = arguments;
            words(call, &[first, second, third, fourth, 0, 0], &[4, 7])
        };
        assert_eq!(told("shutdown", [3, 1, 0, 0]), "SHUT_WR");
        assert_eq!(told("setsockopt", [3, 1, 9, 0]), "SOL_SOCKET, SO_KEEPALIVE");
        assert_eq!(told("poll", [0x7fff_0000, 1, 0xffff_ffff, 0]), "1 descriptor, no time-out");
        assert_eq!(told("epoll_wait", [3, 0, 8, 500]), "{4, 7}, 500 ms");
        assert_eq!(told("wait4", [0xffff_ffff_ffff_ffff, 0, 1, 0]), "any child, WNOHANG");
        assert_eq!(told("waitid", [1, 42, 0, 4]), "pid 42");
        assert_eq!(told("kill", [42, 15, 0, 0]), "42, SIGTERM");
        assert_eq!(told("recvfrom", [3, 0, 100, 0x42]), "MSG_PEEK|MSG_DONTWAIT");
        assert_eq!(told("read", [3, 0, 100, 0]), "");
    }
}
