//! What the errors of a dying TCP connection mean.

/// An error number's name and what it says about the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno {
    /// Its name: `ECONNRESET`.
    pub name: &'static str,
    /// What strerror(3) of the GNU C library calls it.
    pub text: &'static str,
    /// What it says about the other side, in a sentence.
    pub meaning: &'static str,
    /// Where that is written.
    pub source: &'static str,
}

/// The errors by which Linux tells a program that the other side is dead, or was, and those that come on the way to it.
const TABLE: [Errno; 10] = [
    Errno {
        name: "ECONNRESET",
        text: "Connection reset by peer",
        meaning: "a RST came: somebody lives at that address whose TCP does not know this connection, or threw it away",
        source: "RFC 9293 section 3.10.7.4; read(3p)",
    },
    Errno {
        name: "ETIMEDOUT",
        text: "Connection timed out",
        meaning: "nothing came: every retransmission (or keep-alive probe) went unanswered until TCP gave up",
        source: "RFC 9293 section 3.8.3; tcp(7), tcp_retries2",
    },
    Errno {
        name: "EHOSTUNREACH",
        text: "No route to host",
        meaning: "the last hop cannot reach the host: nobody answers ARP for its address, or a router said so by ICMP",
        source: "RFC 1122 sections 2.3.2.1 and 3.2.2.1; ip(7)",
    },
    Errno {
        name: "ENETUNREACH",
        text: "Network is unreachable",
        meaning: "no route leads to the network: this host has none, or a router said by ICMP that it has none",
        source: "RFC 1122 section 3.2.2.1; connect(2)",
    },
    Errno {
        name: "ECONNREFUSED",
        text: "Connection refused",
        meaning: "the SYN was answered by RST: the host lives, and nobody listens on that port",
        source: "RFC 9293 section 3.10.7.3; connect(2)",
    },
    Errno {
        name: "EPIPE",
        text: "Broken pipe",
        meaning: "the program wrote to a connection already known to be dead, or shut down by itself for writing",
        source: "RFC 9293 section 3.10.2; write(2), SIGPIPE",
    },
    Errno {
        name: "EINTR",
        text: "Interrupted system call",
        meaning: "a signal was handled while the call waited, and its handler was not installed with SA_RESTART",
        source: "signal(7), Interruption of system calls",
    },
    Errno {
        name: "EAGAIN",
        text: "Resource temporarily unavailable",
        meaning: "there was nothing to do at once, and the call was not to wait, or not any longer (SO_RCVTIMEO)",
        source: "recv(2); socket(7), SO_RCVTIMEO",
    },
    Errno {
        name: "EINPROGRESS",
        text: "Operation now in progress",
        meaning: "the connection is still being made: writability tells when that is over, and SO_ERROR how it went",
        source: "connect(2)",
    },
    Errno {
        name: "ECONNABORTED",
        text: "Software caused connection abort",
        meaning: "the connection was ended before it was accepted",
        source: "accept(2); accept(3p)",
    },
];

impl Errno {
    /// In one line: `ECONNRESET: a RST came: ... (RFC 9293 ...)`.
    #[must_use]
    pub fn explained(&self) -> String {
        format!("{} means that {} ({})", self.name, self.meaning, self.source)
    }
}

/// The errors that `text` names, by their own name or by that of strerror(3), in the table's order.
#[must_use]
pub fn errnos_in(text: &str) -> Vec<Errno> {
    TABLE.into_iter().filter(|e| text.contains(e.name) || text.contains(e.text)).collect()
}

/// What the errors in `texts` mean, each once, in the order in which they are first named.
pub(super) fn explained<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<Errno> = Vec::new();
    for errno in texts.into_iter().flat_map(errnos_in) {
        if !found.contains(&errno) {
            found.push(errno);
        }
    }
    found.iter().map(Errno::explained).collect()
}
