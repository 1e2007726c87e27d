//! The other end of the machines' cables: UDP sockets of 127.0.0.1, one for each link NIC.

use super::message::LONGEST_FRAME;
use nix::sys::socket::{setsockopt, sockopt};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Room for frames that were not taken yet. The kernel grants less where `net.core.rmem_max` says so.
const QUEUE_BYTES: usize = 1 << 20;

/// So many frames are taken of one card before it is another's turn.
const TURN: usize = 64;

#[derive(Default)]
pub(super) struct Cards(BTreeMap<u8, UdpSocket>);

impl Cards {
    /// Opens a cable between two ports. The machine's own must be free: it does not run yet.
    pub(super) fn plug(&mut self, card: u8, ours: u16, machines: u16) -> Result<(), (u16, io::Error)> {
        self.0.remove(&card);
        UdpSocket::bind((Ipv4Addr::LOCALHOST, machines)).map_err(|e| (machines, e))?;
        let open = || -> io::Result<UdpSocket> {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, ours))?;
            socket.connect((Ipv4Addr::LOCALHOST, machines))?;
            socket.set_nonblocking(true)?;
            setsockopt(&socket, sockopt::RcvBuf, &QUEUE_BYTES)?;
            Ok(socket)
        };
        self.0.insert(card, open().map_err(|e| (ours, e))?);
        Ok(())
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        self.0.values()
    }

    /// Hands a frame to a machine. One that does not run, or is too slow, does not get it: as with any cable.
    pub(super) fn send(&self, card: u8, frame: &[u8]) {
        let Some(socket) = self.0.get(&card) else { return };
        // That an earlier frame was refused is told in place of sending this one.
        if socket.send(frame).is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused) {
            let _ = socket.send(frame);
        }
    }

    /// Takes what came from the machines.
    pub(super) fn receive(&self, mut take: impl FnMut(u8, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = vec![0; LONGEST_FRAME];
        for (card, socket) in &self.0 {
            for _ in 0..TURN {
                match socket.recv(&mut buffer) {
                    Ok(length) => take(*card, &buffer[..length])?,
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    // A frame that was sent before was refused, or the call was interrupted.
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// So many free ports of 127.0.0.1, TCP ones first.
pub(super) fn free_ports(tcp: u8, udp: u8) -> io::Result<Vec<u16>> {
    // All are held until the last is found, so that none is found twice.
    let listeners = (0..tcp).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<Vec<_>>>()?;
    let sockets = (0..udp).map(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))).collect::<io::Result<Vec<_>>>()?;
    let tcp = listeners.iter().map(|it| Ok(it.local_addr()?.port()));
    tcp.chain(sockets.iter().map(|it| Ok(it.local_addr()?.port()))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn frames_go_both_ways_and_a_port_that_is_taken_is_named() {
        let ports = free_ports(1, 2).unwrap();
        let mut cards = Cards::default();
        cards.plug(3, ports[1], ports[2]).unwrap();
        cards.send(3, b"nobody is there");
        let machine = UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[2])).unwrap();
        machine.connect((Ipv4Addr::LOCALHOST, ports[1])).unwrap();
        machine.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        cards.send(3, b"there");
        cards.send(4, b"no such card");
        let mut buffer = [0; 100];
        let length = machine.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"there");
        machine.send(b"back").unwrap();
        let mut came = Vec::new();
        while came.is_empty() {
            cards
                .receive(|card, frame| {
                    came.push((card, frame.to_vec()));
                    Ok(())
                })
                .unwrap();
        }
        assert_eq!(came, [(3, b"back".to_vec())]);
        assert_eq!(cards.plug(3, ports[1], ports[2]).unwrap_err().0, ports[2]);
    }
}
