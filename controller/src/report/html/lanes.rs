//! Which lanes there are, and where they stand.
//!
//! From left to right, host by host: on the first host the programs, then the kernel; on the others the kernel, then the programs.
//! So the kernels face each other over the wire, and frames cross nobody's lane but those of hosts between.

use crate::scenario::Scenario;

/// A vertical line of the ladder: whose events stand on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    pub(super) role: Role,
    /// The host it belongs to, in the scenario's order; none for the wire.
    pub(super) host: Option<usize>,
}

/// What a lane stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A program of the scenario, with all its processes.
    Program(String),
    /// A host's kernel.
    Kernel,
    /// The switch between two hosts.
    Wire,
}

/// All lanes, from left to right.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) list: Vec<Lane>,
    pub(super) hosts: Vec<String>,
}

impl Lanes {
    pub(super) fn of(scenario: &Scenario) -> Self {
        let hosts: Vec<String> = scenario.hosts.keys().cloned().collect();
        let mut list = Vec::new();
        for (index, name) in hosts.iter().enumerate() {
            let of_host = |role| Lane { role, host: Some(index) };
            let programs = scenario.programs.iter().filter(|(_, program)| program.host == *name);
            let programs = programs.map(|(program, _)| of_host(Role::Program(program.clone())));
            if index == 0 {
                list.extend(programs);
                list.push(of_host(Role::Kernel));
            } else {
                list.push(Lane { role: Role::Wire, host: None });
                list.push(of_host(Role::Kernel));
                list.extend(programs);
            }
        }
        Self { list, hosts }
    }

    pub(super) fn host(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host == name)
    }

    /// The lane of a host's kernel.
    pub(super) fn kernel(&self, host: usize) -> Option<usize> {
        self.list.iter().position(|lane| lane.role == Role::Kernel && lane.host == Some(host))
    }

    pub(super) fn program(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|lane| matches!(&lane.role, Role::Program(program) if program == name))
    }

    /// The first wire that a frame meets on its way from one lane to another.
    pub(super) fn wire(&self, from: usize, to: usize) -> Option<usize> {
        let is_wire = |lane: &usize| self.list.get(*lane).is_some_and(|lane| lane.role == Role::Wire);
        if from < to { (from..to).find(is_wire) } else { (to..from).rev().find(is_wire) }
    }

    /// What stands above a lane.
    pub(super) fn name(&self, lane: usize) -> &str {
        match self.list.get(lane).map(|lane| &lane.role) {
            Some(Role::Program(program)) => program,
            Some(Role::Kernel) => "kernel",
            Some(Role::Wire) => "wire",
            None => "",
        }
    }
}

/// The measures of a drawing, in units of its own (CSS pixels where it is not scaled). All are whole, so that the same run gives
/// the same bytes everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) width: i32,
    /// The right end of times, which stand left of everything.
    pub(super) time: i32,
    /// Where a lane stands.
    pub(super) lanes: Vec<i32>,
    /// Where texts stand: beside their lanes, or all in one column.
    pub(super) text: Texts,
    /// Hundredths of a unit that a column of text takes, in a font all whose letters are equally wide.
    column: i32,
    /// From one line of text to the next.
    pub(super) line: i32,
}

/// Where texts stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Texts {
    /// Beside the lane they belong to.
    Beside,
    /// In one column, right of all lanes, which begins here.
    Column(i32),
}

/// Width of the drawing for screens that have room, and for paper.
const WIDE: i32 = 1200;
/// Width of the drawing for telephones.
const NARROW: i32 = 366;

impl Sheet {
    /// For a wide screen: texts beside their lanes, names on arrows.
    pub(super) fn wide(lanes: &Lanes) -> Self {
        let (first, last) = (140, WIDE - 60);
        let is_wire = |lane: &Lane| lane.role == Role::Wire;
        let wires = lanes.list.iter().filter(|lane| is_wire(lane)).count() as i32;
        let others = (lanes.list.len() as i32 - 1 - 2 * wires).max(0);
        // Between a host's own lanes there is room for a name; what is left is the wires', each with a gap on either side.
        let own = if wires == 0 { 160 } else { 160.min((last - first) * 2 / 5 / others.max(1)) };
        let gap = if wires == 0 { 0 } else { (last - first - others * own) / (2 * wires) };
        let mut at = first;
        let mut places: Vec<i32> = Vec::new();
        for (index, lane) in lanes.list.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| lanes.list.get(before));
            at += match before {
                None => 0,
                Some(before) if is_wire(before) || is_wire(lane) => gap,
                Some(_) => own,
            };
            places.push(at);
        }
        Self { width: WIDE, time: 66, lanes: places, text: Texts::Beside, column: 723, line: 16 }
    }

    /// For a narrow screen: the lanes side by side at the left, texts in one column right of them.
    pub(super) fn narrow(lanes: &Lanes) -> Self {
        let count = lanes.list.len() as i32;
        let apart = (112 / count.max(1)).clamp(7, 15);
        let places: Vec<i32> = (0..count).map(|lane| 22 + lane * apart).collect();
        let text = 22 + count * apart;
        Self { width: NARROW, time: 0, lanes: places, text: Texts::Column(text), column: 663, line: 15 }
    }

    /// Where a lane stands; at the left edge if there is none.
    pub(super) fn lane(&self, lane: usize) -> i32 {
        self.lanes.get(lane).copied().unwrap_or(0)
    }

    /// The width of so many columns of text.
    pub(super) fn measure(&self, columns: usize) -> i32 {
        // What is as long as that fits nowhere.
        i32::try_from(columns).unwrap_or(i32::MAX).saturating_mul(self.column) / 100 + 1
    }

    /// How many columns of text fit into `width`.
    pub(super) fn columns(&self, width: i32) -> usize {
        usize::try_from(width * 100 / self.column).unwrap_or(0)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Lanes of hosts with so many programs each.
    pub(in crate::report::html) fn lanes(programs: &[usize]) -> Lanes {
        let mut list = Vec::new();
        for (host, count) in programs.iter().enumerate() {
            let lane = |role| Lane { role, host: Some(host) };
            let mut own: Vec<Lane> = (0..*count).map(|n| lane(Role::Program(format!("program-{host}{n}")))).collect();
            let kernel = lane(Role::Kernel);
            if host == 0 {
                own.push(kernel);
            } else {
                own.insert(0, kernel);
                own.insert(0, Lane { role: Role::Wire, host: None });
            }
            list.extend(own);
        }
        Lanes { list, hosts: (0..programs.len()).map(|host| format!("host-{host}")).collect() }
    }

    #[test]
    fn lanes_stand_apart_and_within_the_sheet() {
        for programs in [&[1, 1][..], &[4, 1], &[2, 0, 1], &[2, 1, 1], &[1], &[6, 6]] {
            let lanes = lanes(programs);
            for (sheet, apart) in [(Sheet::wide(&lanes), 20), (Sheet::narrow(&lanes), 7)] {
                assert_eq!(sheet.lanes.len(), lanes.list.len());
                assert!(
                    sheet.lanes.windows(2).all(|pair| pair[1] - pair[0] >= apart),
                    "{programs:?}: {:?}",
                    sheet.lanes
                );
                assert!(sheet.lanes.iter().all(|x| (0..sheet.width).contains(x)), "{:?}", sheet.lanes);
            }
        }
    }

    #[test]
    fn the_wire_between_two_hosts_is_a_segments_length_from_either() {
        let lanes = lanes(&[1, 1]);
        let sheet = Sheet::wide(&lanes);
        let (client, server) = (lanes.kernel(0).unwrap_or(0), lanes.kernel(1).unwrap_or(0));
        let wire = lanes.wire(client, server).unwrap_or(0);
        assert_eq!((lanes.name(client), lanes.name(wire)), ("kernel", "wire"));
        assert_eq!(lanes.wire(server, client), Some(wire));
        assert_eq!(sheet.lane(wire) - sheet.lane(client), sheet.lane(server) - sheet.lane(wire));
    }
}
