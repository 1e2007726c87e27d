//! The story's part about sockets: states, resets, retransmissions, and who holds which.

use super::decode::{Socket, Traced};
use super::descriptors::NOWHERE;
use super::names;
use super::story::Story;
use crate::timeline::{Connection, KernelFact, TcpState};
use std::net::IpAddr;

/// Numbers of include/net/tcp_states.h.
const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const SYN_RECEIVED: u8 = 3;
const TIME_WAIT: u8 = 6;
const CLOSED: u8 = 7;
const LISTEN: u8 = 10;

impl Story {
    /// A socket changed its state.
    pub(super) fn state(&mut self, traced: &Traced, socket: Socket, from: u8, to: u8) {
        if is_control(&socket) {
            return;
        }
        self.states.insert(socket.address, to);
        if matches!(from, CLOSED | LISTEN) {
            // Whatever was at this address before is another socket.
            self.descriptors.gone(socket.address);
        }
        // connect(2) and listen(2) do this to the socket that they were called for.
        let flight = self.flights.get(&traced.thread).filter(|_| !traced.interrupt);
        let of = flight.filter(|it| matches!((&*it.call, to), ("connect", SYN_SENT) | ("listen", LISTEN)));
        let of = of.and_then(|it| it.socket);
        let ends = Connection { local: socket.local, remote: socket.remote };
        let (id, connection) = self.descriptors.seen(socket.address, ends, to == LISTEN, of);
        match (from, to) {
            (SYN_RECEIVED, ESTABLISHED) => {
                self.queues.entry(connection.local.port()).or_default().push_back(socket.address);
            }
            (_, CLOSED) => {
                self.descriptors.gone(socket.address);
                self.states.remove(&socket.address);
                self.queues.values_mut().for_each(|queue| queue.retain(|address| *address != socket.address));
            }
            _ => {}
        }
        if to == CLOSED && self.outlived.remove(&socket.address) {
            // The kernel frees the socket; the connection lives on in a smaller one, and has not closed.
            return;
        }
        let (Some(from), Some(to)) = (names::state(from), names::state(to)) else { return };
        let process = (!traced.interrupt && traced.thread != 0).then(|| self.processes.of(traced.thread));
        let fact = KernelFact::State { connection, from, to };
        if to == TcpState::Listen || from == TcpState::Listen && to == TcpState::Closed {
            return self.told.tell(traced.at, process, fact);
        }
        self.told.tell_of(traced.at, process, fact, id);
        self.told.completed(id, connection);
    }

    /// A socket's connection goes on in a smaller one, that only waits for the end of TIME_WAIT (or for the FIN before it).
    pub(super) fn time_wait(&mut self, at: u64, socket: u64, state: u8) {
        let (Some((_, connection)), Some(from)) = (self.descriptors.at(socket), self.states.get(&socket).copied())
        else {
            return;
        };
        self.outlived.insert(socket);
        self.outliving = Some((connection, state));
        if state == TIME_WAIT
            && let (Some(from), Some(to)) = (names::state(from), names::state(state))
        {
            self.told.tell(at, None, KernelFact::State { connection, from, to });
        }
    }

    /// The small socket is made, in the course of [`Story::time_wait`]; at 0, there was no memory for it.
    pub(super) fn time_wait_made(&mut self, small: u64) {
        if let Some(outliving) = self.outliving.take().filter(|_| small != 0) {
            self.small.insert(small, outliving);
        }
    }

    /// A small socket's timer was set. In FIN_WAIT2 it is set anew when the FIN comes, and only then.
    pub(super) fn time_wait_timer(&mut self, at: u64, small: u64, anew: bool) {
        let Some((connection, state)) = self.small.get_mut(&small).filter(|(_, state)| anew && *state != TIME_WAIT)
        else {
            return;
        };
        if let (Some(from), Some(to)) = (names::state(*state), names::state(TIME_WAIT)) {
            *state = TIME_WAIT;
            self.told.tell(at, None, KernelFact::State { connection: *connection, from, to });
        }
    }

    /// A segment was sent again, or a RST sent or received.
    pub(super) fn segment(&mut self, traced: &Traced, socket: Socket, fact: impl FnOnce(Connection) -> KernelFact) {
        if is_control(&socket) {
            return;
        }
        let mut connection = Connection { local: socket.local, remote: socket.remote };
        if let Some((_, known)) = self.descriptors.at(socket.address)
            && (connection.local.port() == 0 || connection.remote.port() == 0)
        {
            connection = known;
        }
        let process = (!traced.interrupt && traced.thread != 0).then(|| self.processes.of(traced.thread));
        self.told.tell(traced.at, process, fact(connection));
    }

    /// The thread is in accept(2), and it is this socket that it will get.
    pub(super) fn accepting(&mut self, thread: u32, socket: u64) {
        if let Some(flight) = self.flights.get_mut(&thread) {
            flight.accepted = Some(socket).filter(|address| *address != 0);
        }
    }

    /// The socket that accept(2) returned: as the kernel told, or else the oldest that waited at that port.
    pub(super) fn accepted(&mut self, told: Option<u64>, port: u16) -> u64 {
        let queue = self.queues.entry(port).or_default();
        match told {
            Some(address) => {
                queue.retain(|waiting| *waiting != address);
                address
            }
            None => queue.pop_front().unwrap_or_default(),
        }
    }
}

/// The control channel is not part of the story. Its network is QEMU's: 10.0.2.0/24.
fn is_control(socket: &Socket) -> bool {
    [socket.local, socket.remote].into_iter().filter(|end| *end != NOWHERE).any(|end| match end.ip() {
        IpAddr::V4(ip) => ip.octets()[..3] == [10, 0, 2],
        IpAddr::V6(_) => false,
    })
}
