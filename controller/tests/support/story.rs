//! A timeline, told event by event.

use deadpeer::scenario::Scenario;
use deadpeer::timeline::{
    Ended, Event, Flags, Frame, FrameKind, LabTime, MachineEvent, ProgramEvent, Segment, StepEvent, Verdict, What,
};
use std::collections::HashMap;
use std::net::IpAddr;

/// The client's and the server's initial sequence numbers in every story.
const INITIAL: [(&str, u32); 2] = [("client", 0xffff_fff0), ("server", 77_000)];

/// A timeline in the making. Times are in seconds; each event follows the last by its own time.
pub struct Story {
    pub scenario: Scenario,
    pub events: Vec<Event>,
    now: LabTime,
    number: u64,
    next: HashMap<String, u32>,
}

/// Control bits by their first letters, as tcpdump writes them: `"S."` is SYN, ACK.
pub fn flags(letters: &str) -> Flags {
    let has = |letter| letters.contains(letter);
    Flags { syn: has('S'), ack: has('.'), fin: has('F'), rst: has('R'), psh: has('P'), urg: has('U') }
}

impl Story {
    pub fn of(scenario: Scenario) -> Self {
        Self { scenario, events: Vec::new(), now: LabTime(0), number: 0, next: HashMap::new() }
    }

    /// What follows happens at `seconds`.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        self.now = LabTime((seconds * 1e9).round() as u64);
        self
    }

    /// When what follows happens.
    pub fn now(&self) -> LabTime {
        self.now
    }

    pub fn note(&mut self, what: What) -> &mut Self {
        self.events.push(Event { at: self.now, what });
        self
    }

    fn step(&mut self, index: usize, event: StepEvent) -> &mut Self {
        let step = &self.scenario.steps[index];
        let (name, text) = (step.name.clone(), step.action.to_string());
        self.note(What::Step { index, name, text, event })
    }

    pub fn began(&mut self, index: usize) -> &mut Self {
        self.step(index, StepEvent::Began)
    }

    pub fn done(&mut self, index: usize) -> &mut Self {
        self.step(index, StepEvent::Done)
    }

    pub fn program(&mut self, program: &str, event: ProgramEvent) -> &mut Self {
        let host = self.scenario.programs[program].host.clone();
        self.note(What::Program { host, program: program.to_owned(), event })
    }

    pub fn started(&mut self, program: &str, pid: u32) -> &mut Self {
        let command = self.scenario.programs[program].command.join(" ");
        self.program(program, ProgramEvent::Started { pid, command })
    }

    pub fn typed(&mut self, program: &str, text: &str) -> &mut Self {
        self.program(program, ProgramEvent::Input { text: text.to_owned() })
    }

    pub fn line(&mut self, program: &str, text: &str) -> &mut Self {
        self.program(program, ProgramEvent::Line { text: text.to_owned() })
    }

    pub fn ended(&mut self, program: &str, how: Ended) -> &mut Self {
        self.program(program, ProgramEvent::Ended { how })
    }

    pub fn machine(&mut self, host: &str, event: MachineEvent) -> &mut Self {
        self.note(What::Machine { host: host.to_owned(), event })
    }

    pub fn power_on(&mut self, host: &str, pid: u32) -> &mut Self {
        self.machine(host, MachineEvent::PoweredOn { pid: Some(pid) })
    }

    pub fn power_off(&mut self, host: &str) -> &mut Self {
        self.machine(host, MachineEvent::PoweredOff { how: Ended::Signal("KILL".to_owned()), domain: None })
    }

    pub fn booted(&mut self, host: &str, boot_id: &str) -> &mut Self {
        let kernel = "6.12.43+deb13-cloud-amd64".to_owned();
        self.machine(host, MachineEvent::Booted { boot_id: boot_id.to_owned(), kernel })
    }

    pub fn carrier(&mut self, host: &str, up: bool, down_count: u32) -> &mut Self {
        self.machine(host, MachineEvent::Carrier { up, down_count })
    }

    pub fn frame(&mut self, from: &str, to: Option<&str>, length: usize, kind: FrameKind) -> &mut Self {
        self.number += 1;
        let (from, to) = (from.to_owned(), to.map(str::to_owned));
        let frame =
            Frame { number: self.number, from, link: 0, to, bound_for: None, length, verdict: Verdict::Passed, kind };
        self.note(What::Wire(Box::new(frame)))
    }

    pub fn arp(&mut self, from: &str, to: Option<&str>, text: &str) -> &mut Self {
        self.frame(from, to, 42, FrameKind::Arp { text: text.to_owned() })
    }

    pub fn other(&mut self, from: &str, text: &str) -> &mut Self {
        self.frame(from, None, 90, FrameKind::Other { text: text.to_owned() })
    }

    /// A segment between client and server, in relative numbers: `seq` to `seq + length`.
    pub fn tcp(&mut self, from: &str, letters: &str, seq: u32, length: usize, ack: u32) -> &mut Self {
        let to = if from == "client" { "server" } else { "client" };
        let segment = self.segment(from, to, letters, seq, length, ack);
        self.frame(from, Some(to), 66 + length, FrameKind::Tcp(segment))
    }

    /// What the switch did with the last frame.
    pub fn verdict(&mut self, verdict: Verdict) -> &mut Self {
        if let Some(What::Wire(frame)) = self.events.last_mut().map(|e| &mut e.what) {
            frame.verdict = verdict;
        }
        self
    }

    pub fn segment(&mut self, from: &str, to: &str, letters: &str, seq: u32, length: usize, ack: u32) -> Segment {
        let flags = flags(letters);
        let initial = |host: &str| INITIAL.iter().find(|(name, _)| *name == host).map_or(0, |(_, isn)| *isn);
        let port = |host: &str| if host == "client" { 41_612 } else { 9877 };
        let end = seq + length as u32 + u32::from(flags.syn) + u32::from(flags.fin);
        let next = self.next.entry(from.to_owned()).or_default();
        let retransmission = seq < *next && end > seq;
        *next = end.max(*next);
        Segment {
            source: self.address(from),
            source_port: port(from),
            destination: self.address(to),
            destination_port: port(to),
            flags,
            seq: initial(from).wrapping_add(seq),
            ack: if flags.ack { initial(to).wrapping_add(ack) } else { 0 },
            relative_seq: seq,
            relative_ack: ack,
            window: if flags.rst { 0 } else { 502 },
            length,
            retransmission,
        }
    }

    pub fn address(&self, host: &str) -> IpAddr {
        self.scenario.hosts[host].addresses[0].0
    }
}
