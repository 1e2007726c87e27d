//! The ports of 127.0.0.1 that a lab's machines use: SSH, and the two ends of each cable.
//!
//! The controller's own ends are its own from the start. QEMU takes the others when it starts; who takes one of them in between makes that
//! machine fail, and is told of. A project that is kept has the same ports again.

use super::plan::{HostPlan, LinkPlan, Plan};
use crate::error::{Context, Error, Result};
use nix::sys::socket::{setsockopt, sockopt};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;

/// Room for frames that the switch has not taken yet, and for some that it sends. The kernel grants less where `net.core.rmem_max` says so.
const QUEUE_BYTES: usize = 1 << 20;

/// A port where nobody listens (tcpmux, by UDP): a frame sent there is refused, as by the port of a QEMU that is gone.
pub(super) const NOBODY: u16 = 1;

/// Finds free ports for all machines.
pub(super) fn choose(hosts: &mut [HostPlan]) -> Result<()> {
    let fact = || "no free port of 127.0.0.1".to_owned();
    // All are held until the last is found, so that none is found twice.
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    let mut free_udp = || -> Result<u16> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).broken(fact)?;
        let port = socket.local_addr().broken(fact)?.port();
        udp.push(socket);
        Ok(port)
    };
    for host in hosts {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).broken(fact)?;
        host.ssh_port = listener.local_addr().broken(fact)?.port();
        host.machine_ssh_port = host.ssh_port;
        tcp.push(listener);
        for link in &mut host.links {
            *link = LinkPlan { switch_port: free_udp()?, machine_port: free_udp()?, ..*link };
        }
    }
    Ok(())
}

/// Finds free ports for the guests' SSH alone, where the machines' own are those of another computer.
pub(super) fn choose_ssh(hosts: &mut [HostPlan]) -> Result<()> {
    let fact = || "no free port of 127.0.0.1".to_owned();
    let mut held = Vec::new();
    for host in hosts {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).broken(fact)?;
        host.ssh_port = listener.local_addr().broken(fact)?.port();
        held.push(listener);
    }
    Ok(())
}

/// The controller's end of every tunnel, by host and link. All ports of the machines are free now.
pub(super) fn tunnels(plan: &Plan) -> Result<BTreeMap<(String, usize), UdpSocket>> {
    let mut tunnels = BTreeMap::new();
    for host in &plan.hosts {
        TcpListener::bind((Ipv4Addr::LOCALHOST, host.ssh_port)).map_err(|e| taken(plan, "TCP", host.ssh_port, &e))?;
        for (number, link) in host.links.iter().enumerate() {
            UdpSocket::bind((Ipv4Addr::LOCALHOST, link.machine_port))
                .map_err(|e| taken(plan, "UDP", link.machine_port, &e))?;
            let port = link.switch_port;
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).map_err(|e| taken(plan, "UDP", port, &e))?;
            socket
                .connect((Ipv4Addr::LOCALHOST, link.machine_port))
                .broken(|| format!("no tunnel from port {port}"))?;
            setsockopt(&socket, sockopt::SndBuf, &QUEUE_BYTES).broken(|| format!("no buffer for port {port}"))?;
            setsockopt(&socket, sockopt::RcvBuf, &QUEUE_BYTES).broken(|| format!("no buffer for port {port}"))?;
            tunnels.insert((host.name.clone(), number), socket);
        }
    }
    Ok(tunnels)
}

/// Somebody else has a port of this lab's.
pub(super) fn taken(plan: &Plan, protocol: &str, port: u16, error: &std::io::Error) -> Error {
    let option = if protocol == "TCP" { "ltnp" } else { "lunp" };
    Error::broken(format!("{protocol} port {port} of 127.0.0.1, which a machine of this lab needs, is in use: {error}")).help(format!(
        "See who has it: ss -{option} 'sport = :{port}'\nor, if these machines were kept, have others made: controller machines remove {}",
        plan.folder.file_name().unwrap_or_default().to_string_lossy()
    ))
}

/// The ports of a host: of its SSH, here and where it runs, and of its links, the switch's and the machine's.
type Ports = (u16, u16, Vec<(u16, u16)>);

fn file(plan: &Plan) -> PathBuf {
    plan.folder.join("ports.json")
}

/// Writes the ports down, for a lab that takes the machines again.
pub(super) fn write(plan: &Plan) -> Result<()> {
    let ports = |host: &HostPlan| {
        let links: Vec<_> = host.links.iter().map(|link| (link.switch_port, link.machine_port)).collect();
        (host.ssh_port, host.machine_ssh_port, links)
    };
    let all: BTreeMap<&str, _> = plan.hosts.iter().map(|host| (host.name.as_str(), ports(host))).collect();
    let path = file(plan);
    fs::write(&path, serde_json::to_string(&all).unwrap_or_default())
        .broken(|| format!("cannot write {}", path.display()))
}

/// The hosts with the ports that were written down.
pub(super) fn read(plan: &Plan) -> Result<Vec<HostPlan>> {
    let path = file(plan);
    let fact = || format!("cannot read {}", path.display());
    let text = fs::read_to_string(&path).broken(fact)?;
    let all: BTreeMap<String, Ports> = serde_json::from_str(&text).broken(fact)?;
    let known = |host: &HostPlan| {
        let (ssh_port, machine_ssh_port, links) = all.get(&host.name)?;
        let link = |(link, (switch_port, machine_port)): (&LinkPlan, &(u16, u16))| LinkPlan {
            switch_port: *switch_port,
            machine_port: *machine_port,
            ..*link
        };
        let links: Vec<LinkPlan> = host.links.iter().zip(links).map(link).collect();
        Some(HostPlan { ssh_port: *ssh_port, machine_ssh_port: *machine_ssh_port, links, ..host.clone() })
    };
    plan.hosts
        .iter()
        .map(known)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::broken(fact()).detail("it has not all hosts"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::plan::Boots;
    use super::*;
    use crate::machine::Accelerator;

    fn plan(folder: &std::path::Path) -> Plan {
        let link = |host| LinkPlan { mac: [2, 0, 0, 0, 0, host], switch_port: 0, machine_port: 0 };
        let host = |name: &str, links| HostPlan {
            name: name.into(),
            box_name: String::new(),
            box_version: String::new(),
            memory: 256,
            boots: Boots::Box,
            control_mac: [0; 6],
            ssh_port: 0,
            machine_ssh_port: 0,
            links,
            recorder: false,
        };
        let mut hosts = vec![host("client", vec![link(1)]), host("router", vec![link(2), link(3)])];
        choose(&mut hosts).unwrap();
        Plan {
            folder: folder.to_owned(),
            site: folder.to_owned(),
            uri: String::new(),
            connect: String::new(),
            disk_owner: None,
            prefix: String::new(),
            pool: String::new(),
            emulator: PathBuf::new(),
            accelerator: Accelerator::Tcg,
            key: PathBuf::new(),
            boot_seconds: 1,
            hosts,
        }
    }

    #[test]
    fn ports_are_the_same_when_they_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        write(&plan).unwrap();
        assert_eq!(read(&plan).unwrap(), plan.hosts);
        assert_eq!(tunnels(&plan).unwrap().len(), 3);
    }

    #[test]
    fn a_port_that_somebody_has_is_named_with_what_shows_who() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(folder.path());
        let port = plan.hosts[1].links[1].machine_port;
        let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let error = tunnels(&plan).unwrap_err();
        assert!(error.fact.starts_with(&format!("UDP port {port} of 127.0.0.1")), "{error}");
        assert!(error.help.unwrap().contains(&format!("ss -lunp 'sport = :{port}'")));
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, plan.hosts[0].ssh_port)).unwrap();
        assert!(tunnels(&plan).unwrap_err().fact.starts_with("TCP port"));
    }
}
