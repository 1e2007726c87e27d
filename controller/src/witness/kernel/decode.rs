//! Records to facts: what each trace event says, by the kernel's own description of it.
//!
//! Kernels 5.10 and newer differ in fields, not in names. A field that a kernel does not have is told once
//! ([`Decoder::missing`]), and what it would have said is left out.

use super::format::{Format, Record};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// One thing traced, in the kernel's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Traced {
    /// When, on the guest's clock: nanoseconds since it booted.
    pub(super) at: u64,
    /// The thread that ran at the time.
    pub(super) thread: u32,
    /// It happened in an interrupt: that thread had nothing to do with it.
    pub(super) interrupt: bool,
    /// What.
    pub(super) what: What,
}

/// What was traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A system call was entered.
    Enter { call: Arc<str>, arguments: [u64; 6] },
    /// It was left, before any signal was looked at.
    Exit { call: Arc<str>, returned: i64 },
    /// Somebody wrote to `trace_marker`.
    Marker(String),
    /// `inet_csk_accept` returned this socket, or none (an error, or null).
    Accepted { socket: u64 },
    /// A socket changed its state (numbers of include/net/tcp_states.h).
    State { socket: Socket, from: u8, to: u8 },
    /// A socket was replaced by the small one that waits out TIME_WAIT, or FIN_WAIT2: its state's number.
    TimeWait { socket: u64, state: u8 },
    /// That small one, or null.
    TimeWaitMade { small: u64 },
    /// A small one's timer was set, or set anew.
    TimeWaitTimer { small: u64, anew: bool },
    /// A segment was sent again.
    Retransmitted(Socket),
    /// A RST was sent; the socket is 0 where none existed.
    ResetSent(Socket),
    /// A RST was believed.
    ResetReceived(Socket),
    /// A signal was generated for a thread or (`group`) its process.
    SignalSent { signal: i32, code: i32, target: u32, command: String, result: i64 },
    /// A signal was taken by the thread; the handler is 0 for the default, 1 for none.
    SignalDelivered { signal: i32, handler: u64, flags: u64 },
    /// A thread was made, with these flags of clone(2).
    Made { thread: u32, flags: u64 },
    /// A thread was made by another.
    Forked { parent: u32, child: u32, command: String },
    /// The thread runs another program.
    Executed { file: String },
    /// The thread ended.
    Exited { command: String },
    /// What was left of a thread was freed: nobody can wait for it any more.
    Freed { thread: u32 },
    /// reboot(2) was called with this command.
    Reboot { command: u32 },
    /// A frame was handed to a network card, or came from one.
    Frame { sent: bool, length: u32, card: String },
}

/// A socket, by its address in the kernel's memory, and its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) address: u64,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// What an event is about, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Enter(Arc<str>),
    Exit(Arc<str>),
    Marker,
    Accepted,
    State,
    TimeWait,
    TimeWaitMade,
    TimeWaitTimer,
    Retransmitted,
    ResetSent,
    ResetReceived,
    SignalSent,
    SignalDelivered,
    Made,
    Forked,
    Executed,
    Exited,
    Freed,
    Reboot,
    Sent,
    Received,
}

impl Kind {
    /// The kind, and the fields without which it says less than it should.
    fn of(name: &str) -> Option<(Self, &'static [&'static str])> {
        const ENDS: &[&str] = &["skaddr", "sport", "dport", "saddr", "daddr"];
        Some(match name {
            "sys_enter_reboot" => (Kind::Reboot, &["cmd"]),
            "print" => (Kind::Marker, &["buf"]),
            "accepted" => (Kind::Accepted, &["sk"]),
            "time_wait" => (Kind::TimeWait, &["sk", "state"]),
            "time_wait_made" => (Kind::TimeWaitMade, &["small"]),
            "time_wait_again" => (Kind::TimeWaitTimer, &["small", "rearm"]),
            "inet_sock_set_state" => {
                (Kind::State, &["skaddr", "oldstate", "newstate", "sport", "dport", "family", "protocol"])
            }
            "tcp_retransmit_skb" => (Kind::Retransmitted, ENDS),
            // Ports are within the addresses on newer kernels.
            "tcp_send_reset" => (Kind::ResetSent, &["skaddr", "saddr", "daddr"]),
            "tcp_receive_reset" => (Kind::ResetReceived, ENDS),
            "signal_generate" => (Kind::SignalSent, &["sig", "code", "comm", "pid", "result"]),
            "signal_deliver" => (Kind::SignalDelivered, &["sig", "sa_handler", "sa_flags"]),
            "task_newtask" => (Kind::Made, &["pid", "clone_flags"]),
            "sched_process_fork" => (Kind::Forked, &["parent_pid", "child_pid", "child_comm"]),
            "sched_process_exec" => (Kind::Executed, &["filename"]),
            "sched_process_exit" => (Kind::Exited, &["comm"]),
            "sched_process_free" => (Kind::Freed, &["pid"]),
            "net_dev_start_xmit" => (Kind::Sent, &["len", "name"]),
            "netif_receive_skb" => (Kind::Received, &["len", "name"]),
            _ => match (name.strip_prefix("sys_enter_"), name.strip_prefix("sys_exit_")) {
                (Some(call), _) => (Kind::Enter(call.into()), &[]),
                (_, Some(call)) => (Kind::Exit(call.into()), &["ret"]),
                _ => return None,
            },
        })
    }
}

/// Knows the events of one boot of one kernel.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    kinds: HashMap<u16, (Kind, Format)>,
}

impl Decoder {
    /// Learns what an event looks like. The result is what is missing of it, if anything is.
    pub(super) fn learn(&mut self, text: &str) -> Option<String> {
        let format = match Format::parse(text) {
            Ok(format) => format,
            Err(why) => return Some(format!("the description of an event cannot be read: {why}")),
        };
        let (kind, needed) = Kind::of(&format.name)?;
        let missing = format.missing(needed).join(", ");
        let told = (!missing.is_empty()).then(|| format!("the event {} has no field {missing}", format.name));
        self.kinds.insert(format.id, (kind, format));
        told
    }

    /// Reads a record; none if its kind is unknown, or if it lacks what it is all about.
    pub(super) fn read(&self, at: u64, bytes: &[u8]) -> Option<Traced> {
        let id = u16::from_le_bytes(*bytes.first_chunk()?);
        let (kind, format) = self.kinds.get(&id)?;
        let record = Record { format, bytes };
        // TRACE_FLAG_HARDIRQ and TRACE_FLAG_SOFTIRQ of include/linux/trace_events.h (older: kernel/trace/trace.h).
        let interrupt = record.number("common_flags").unwrap_or_default() & 0x18 != 0;
        let thread = record.narrow("common_pid").unwrap_or_default();
        Some(Traced { at, thread, interrupt, what: what(kind, &record)? })
    }
}

fn what(kind: &Kind, record: &Record<'_>) -> Option<What> {
    let address = |name| record.number(name).map(i64::cast_unsigned);
    Some(match kind {
        Kind::Enter(call) => {
            let mut arguments = [0; 6];
            arguments.iter_mut().zip(record.format.arguments(record.bytes)).for_each(|(to, from)| *to = from);
            What::Enter { call: Arc::clone(call), arguments }
        }
        Kind::Exit(call) => What::Exit { call: Arc::clone(call), returned: record.number("ret")? },
        Kind::Marker => What::Marker(record.text("buf")?.trim_end().to_owned()),
        Kind::Accepted => What::Accepted { socket: address("sk")? },
        Kind::State => {
            // Other families and protocols (MPTCP, SCTP) use the same tracepoint: include/trace/events/sock.h.
            if record.number("protocol").is_some_and(|protocol| protocol != 6) {
                return None;
            }
            What::State { socket: socket(record)?, from: record.narrow("oldstate")?, to: record.narrow("newstate")? }
        }
        Kind::TimeWait => What::TimeWait { socket: address("sk")?, state: record.narrow("state")? },
        Kind::TimeWaitMade => What::TimeWaitMade { small: address("small")? },
        Kind::TimeWaitTimer => What::TimeWaitTimer { small: address("small")?, anew: record.number("rearm")? != 0 },
        Kind::Retransmitted => What::Retransmitted(socket(record)?),
        Kind::ResetSent => What::ResetSent(socket(record)?),
        Kind::ResetReceived => What::ResetReceived(socket(record)?),
        Kind::SignalSent => What::SignalSent {
            signal: record.narrow("sig")?,
            code: record.narrow("code").unwrap_or_default(),
            target: record.narrow("pid")?,
            command: record.text("comm").unwrap_or_default(),
            result: record.number("result").unwrap_or_default(),
        },
        Kind::SignalDelivered => What::SignalDelivered {
            signal: record.narrow("sig")?,
            handler: address("sa_handler").unwrap_or_default(),
            flags: address("sa_flags").unwrap_or_default(),
        },
        Kind::Made => What::Made { thread: record.narrow("pid")?, flags: address("clone_flags")? },
        Kind::Forked => What::Forked {
            parent: record.narrow("parent_pid")?,
            child: record.narrow("child_pid")?,
            command: record.text("child_comm").unwrap_or_default(),
        },
        Kind::Executed => What::Executed { file: record.text("filename").unwrap_or_default() },
        Kind::Exited => What::Exited { command: record.text("comm").unwrap_or_default() },
        Kind::Freed => What::Freed { thread: record.narrow("pid")? },
        Kind::Reboot => What::Reboot { command: u32::try_from(record.number("cmd")? & 0xffff_ffff).ok()? },
        Kind::Sent | Kind::Received => What::Frame {
            sent: *kind == Kind::Sent,
            length: record.narrow("len")?,
            card: record.text("name").unwrap_or_default(),
        },
    })
}

/// The socket that a record is about. Its addresses are written in one of two ways: as they are, for IPv4 and IPv6 side by side, or
/// (`tcp_send_reset` of newer kernels) as a `struct sockaddr_in6` that may be a `sockaddr_in`.
fn socket(record: &Record<'_>) -> Option<Socket> {
    let end = |side: char| -> Option<SocketAddr> {
        let port = record.narrow(if side == 's' { "sport" } else { "dport" }).unwrap_or(0);
        let (v4, v6) = if side == 's' { ("saddr", "saddr_v6") } else { ("daddr", "daddr_v6") };
        let bytes = record.bytes(v4)?;
        if bytes.len() > 16 {
            return structure(bytes);
        }
        const AF_INET6: i64 = 10;
        let four = || Some(IpAddr::from(Ipv4Addr::from(*bytes.first_chunk::<4>()?)));
        let six = || Some(IpAddr::from(Ipv6Addr::from(*record.bytes(v6)?.first_chunk::<16>()?)));
        // Where the family is not told, IPv4 is written into both, mapped into IPv6.
        let is_six = record.number("family").is_none_or(|family| family == AF_INET6);
        let ip = if is_six { six().or_else(four)? } else { four()? };
        Some(SocketAddr::new(ip.to_canonical(), port))
    };
    let address = record.number("skaddr").map(i64::cast_unsigned).unwrap_or_default();
    Some(Socket { address, local: end('s')?, remote: end('d')? })
}

/// A `struct sockaddr_in` or `sockaddr_in6`: ip(7), ipv6(7).
fn structure(bytes: &[u8]) -> Option<SocketAddr> {
    let family = u16::from_le_bytes(*bytes.first_chunk()?);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
    let ip: IpAddr = match family {
        2 => Ipv4Addr::from(*bytes.get(4..)?.first_chunk::<4>()?).into(),
        10 => Ipv6Addr::from(*bytes.get(8..)?.first_chunk::<16>()?).to_canonical(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}
