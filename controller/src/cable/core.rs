//! What a switch does with a frame, whatever time it lives in: the same for machines that run by themselves and for machines in lockstep.
//!
//! It knows neither sockets nor clocks. It is told when a frame came in by which port; how frames get to machines is up to whoever owns
//! it ([`Hands`]). One frame is done before the next is begun, so that capture and timeline have the same order.

use super::Status;
use super::capture::{Capture, Packet};
use super::fate::{self, Fate};
use super::port::Port;
use super::rules;
use super::table::Table;
use crate::scenario::{Rule, RuleVerdict};
use crate::timeline::{FrameKind, LabTime, Recorder, What};
use crate::witness::wire::{Decoder, Mac};
use std::sync::Arc;

/// A frame, the port it came in by, and when.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) port: usize,
    pub(super) at: LabTime,
    pub(super) bytes: Arc<[u8]>,
}

/// What brings frames to machines.
pub(super) trait Hands {
    /// Whether there is a cable in this port.
    fn linked(&self, port: usize) -> bool;

    /// Hands a frame to the machine at this port.
    fn hand_on(&mut self, port: usize, bytes: &Arc<[u8]>) -> Fate;

    /// Takes a frame that is to be handed to that machine at this time.
    fn hold(&mut self, port: usize, until: LabTime, bytes: &Arc<[u8]>);
}

/// The switch without its hands.
pub(super) struct Core {
    recorder: Recorder,
    /// The host of each port, what the port is called in the capture, and the link it is on.
    hosts: Vec<String>,
    names: Vec<String>,
    links: Vec<u8>,
    table: Table,
    rules: Vec<Rule>,
    decoder: Decoder,
    /// None after it failed: the switch can go on without.
    capture: Option<Capture>,
    status: Arc<Status>,
    /// How many frames were begun; the number of the last.
    begun: u64,
}

impl Core {
    /// A switch with these ports and no rules.
    pub(super) fn new(recorder: Recorder, capture: Capture, ports: &[Port], status: Arc<Status>) -> Self {
        let of_port =
            |port: &Port| -> Vec<_> { port.addresses.iter().map(|address| (port.host.clone(), *address)).collect() };
        let addresses: Vec<_> = ports.iter().flat_map(of_port).collect();
        Self {
            recorder,
            hosts: ports.iter().map(|port| port.host.clone()).collect(),
            names: ports.iter().map(|port| port.name(ports)).collect(),
            links: ports.iter().map(|port| port.link).collect(),
            table: Table::new(ports.iter().map(|port| (port.link, port.mac))),
            rules: Vec::new(),
            decoder: Decoder::new(ports.iter().map(|port| (port.host.clone(), port.mac))).with_addresses(addresses),
            capture: Some(capture),
            status,
            begun: 0,
        }
    }

    /// Another machine is at this port: what was learnt there is forgotten.
    pub(super) fn replugged(&mut self, port: usize) {
        self.table.forget(port);
    }

    /// Replaces the rules.
    pub(super) fn set_rules(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
    }

    /// Forwards, captures and records a frame.
    pub(super) fn forward(&mut self, arrival: &Arrival, hands: &mut dyn Hands) {
        let Arrival { port, at, bytes } = arrival;
        self.begun += 1;
        let mut frame = self.decoder.decode(self.begun, &self.hosts[*port], bytes);
        frame.link = self.links[*port];
        let mut fates = Vec::new();
        if !hands.linked(*port) {
            fates.push((*port, Fate::NoLink));
        // A frame too short to say where it goes, goes nowhere.
        } else if let (Some(destination), Some(source)) = (mac(bytes, 0), mac(bytes, 6)) {
            self.table.learn(source, *port);
            for to in self.table.destinations(destination, *port) {
                fates.push((to, self.judge(arrival, to, &frame.kind, hands)));
            }
        }
        frame.verdict = fate::verdict(fates.iter().map(|(_, fate)| *fate));
        let comment = fate::comment(fates.iter().map(|(to, fate)| (self.names[*to].as_str(), *fate)));
        self.status.count(frame.verdict);
        self.write(Packet { port: *port, at: self.recorder.clock().wall(*at), bytes, comment });
        self.recorder.note_at(*at, What::Wire(Box::new(frame)));
    }

    /// Does with a frame, for one destination, what the rules say.
    fn judge(&self, frame: &Arrival, to: usize, kind: &FrameKind, hands: &mut dyn Hands) -> Fate {
        match rules::verdict(&self.rules, &self.hosts[frame.port], &self.hosts[to], kind) {
            RuleVerdict::Pass => hands.hand_on(to, &frame.bytes),
            RuleVerdict::Drop => Fate::Dropped,
            RuleVerdict::Delay(by) => {
                hands.hold(to, frame.at.after(by), &frame.bytes);
                Fate::Held(by)
            }
        }
    }

    fn write(&mut self, packet: Packet<'_>) {
        if let Some(Err(error)) = self.capture.as_mut().map(|capture| capture.write(packet)) {
            tracing::error!("{error}");
            self.capture = None;
            self.status.fault(error);
        }
    }
}

/// The address at `offset` of an Ethernet header, if the frame has a whole one: 14 bytes.
fn mac(frame: &[u8], offset: usize) -> Option<Mac> {
    frame.first_chunk::<14>()?.get(offset..offset + 6)?.try_into().ok()
}
