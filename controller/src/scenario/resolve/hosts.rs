//! Hosts: names, addresses, memory, kernel parameters.

use super::required;
use crate::scenario::model::{BoxName, Host, Init, link_of};
use crate::scenario::names;
use crate::scenario::problem::{Problem, Problems, Span};
use crate::scenario::source::{Field, HostSource, Map, nth_addresses, read_name, wrong_with_sysctl};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Most hosts of a lab.
const MOST_HOSTS: usize = 16;

/// Memory of a host that names none, in MiB.
const USUAL_MEMORY: u32 = 256;

/// Most addresses of a host.
const MOST_ADDRESSES: usize = 8;

/// Hosts that are given a certain address when they name none (docs/scenarios.md, Addresses).
const RESERVED: [(&str, u8); 3] = [("client", 1), ("server", 2), ("router", 254)];

/// An address that is taken: by whom, and where that stands.
type Taken = Vec<(IpAddr, String, Span)>;

/// The hosts by name. One with a problem is there too, so that what refers to it is not a problem as well.
pub(super) fn hosts(field: &Field<Map<HostSource>>, problems: &mut Problems) -> IndexMap<String, Host> {
    let mut hosts = IndexMap::new();
    let Some(field) = required(field, "hosts", problems) else { return hosts };
    let Some((map, span)) = field.given("the map of hosts", problems) else { return hosts };
    if map.0.is_empty() {
        problems.add(Problem::at(span, "there are no hosts").label("an empty map").help("as in `server:`"));
    }
    if let Some(entry) = map.0.get(MOST_HOSTS) {
        let fact = format!("{} hosts are more than the {MOST_HOSTS} that a lab can have", map.0.len());
        problems.add(Problem::at(&entry.at, fact).label("one too many"));
    }
    let mut taken = Taken::new();
    for entry in &map.0 {
        name(&entry.name, &entry.at, problems);
        let default = HostSource::default();
        let source = match &entry.value {
            Field::Given(source, _) => source,
            _ => &default,
        };
        hosts.insert(entry.name.clone(), host(&entry.name, source, &mut taken, problems));
    }
    for (name, host) in &mut hosts {
        if host.addresses.is_empty() {
            host.addresses = free_addresses(name, host.forward, &mut taken);
        }
    }
    for entry in &map.0 {
        if let (Field::Given(source, _), Some(host)) = (&entry.value, hosts.get(&entry.name)) {
            routes(&entry.name, host, source, &hosts, problems);
        }
    }
    hosts
}

fn name(name: &str, at: &Span, problems: &mut Problems) {
    match name {
        "latest" | "localhost" => {
            let label = if name == "latest" { "the newest run is called so" } else { "every host calls itself so" };
            problems.add(Problem::at(at, format!("a host cannot be named `{name}`")).label(label));
        }
        _ => {
            if let Err(wrong) = read_name(name, names::LONGEST_HOST_NAME) {
                problems.add(wrong.at(at));
            }
        }
    }
}

fn host(name: &str, source: &HostSource, taken: &mut Taken, problems: &mut Problems) -> Host {
    let init = source.init.read(problems);
    Host {
        addresses: addresses(name, source, taken, problems),
        init,
        memory: source.memory.read(problems).unwrap_or(USUAL_MEMORY),
        sysctl: sysctl(source, problems),
        kernel: source.kernel.read(problems).map(|suite| suite.0.to_owned()),
        boxed: boxed(source, init, problems),
        gateway: source.gateway.read(problems),
        forward: source.forward.read(problems).unwrap_or_default(),
    }
}

/// A box brings its own kernel and its own init.
fn boxed(source: &HostSource, init: Option<Init>, problems: &mut Problems) -> Option<BoxName> {
    let boxed = source.boxed.read(problems)?;
    if let Some(at) = source.kernel.span() {
        problems.add(
            Problem::at(at, "a host that is made from a box has the kernel that is in it").label("not beside `box`"),
        );
    }
    if let (Some(Init::Sysvinit), Some(at)) = (init, source.init.span()) {
        problems.add(Problem::at(at, "a host that is made from a box has systemd").label("not beside `box`"));
    }
    Some(boxed)
}

/// A router needs two links, and a gateway must be somebody else on one of the host's own.
fn routes(name: &str, host: &Host, source: &HostSource, hosts: &IndexMap<String, Host>, problems: &mut Problems) {
    if let (true, Some(at)) = (host.forward && host.links().len() < 2, source.forward.span()) {
        problems.add(
            Problem::at(at, format!("`{name}` is on one link, and forwards from link to link"))
                .label("a router needs two")
                .help("leave `addresses` out, or name one of each link: `[192.0.2.254, 198.51.100.254]`"),
        );
    }
    let (Some(gateway), Some(at)) = (host.gateway, source.gateway.span()) else { return };
    let has = |host: &Host| host.addresses.iter().any(|(address, _)| *address == gateway);
    let problem = Problem::at(at, format!("{gateway} cannot be the gateway of `{name}`"));
    if has(host) {
        problems.add(problem.label("its own address").help("the address of another host on the same link"));
    } else if !host.links().contains(&link_of(gateway)) {
        let help = "a gateway is reached without one: it is on a link that the host is on";
        problems.add(problem.label("not on a link of this host").help(help));
    } else if !hosts.values().any(has) {
        let routers = hosts.iter().filter(|(_, host)| host.forward).flat_map(|(router, host)| {
            let near = host
                .addresses
                .iter()
                .filter(|(address, _)| link_of(*address) == link_of(gateway) && address.is_ipv4() == gateway.is_ipv4());
            near.map(move |(address, _)| format!("{address} ({router})"))
        });
        let routers: Vec<String> = routers.collect();
        let help = match routers.is_empty() {
            true => "give it to a host with `forward: true`".to_owned(),
            false => format!("routers on this link: {}", routers.join(", ")),
        };
        problems.add(problem.label("nobody has this address").help(help));
    }
}

fn addresses(name: &str, source: &HostSource, taken: &mut Taken, problems: &mut Problems) -> Vec<(IpAddr, u8)> {
    let Some((list, span)) = source.addresses.given("the list of addresses", problems) else { return Vec::new() };
    if list.is_empty() {
        let help = "leave `addresses` out to have them assigned";
        problems.add(Problem::at(span, "a host needs an address").label("an empty list").help(help));
    }
    if list.len() > MOST_ADDRESSES {
        let fact = format!("{} addresses are more than the {MOST_ADDRESSES} that a host can have", list.len());
        problems.add(Problem::at(span, fact).label("too many"));
    }
    let mut addresses = Vec::new();
    for item in list {
        let (Some((address, prefix)), Some(at)) = (item.read(problems), item.span()) else { continue };
        if let Some((_, owner, first)) = taken.iter().find(|(other, _, _)| *other == address) {
            let owner = if owner == name { "the same host" } else { owner };
            let first_label = format!("first given to {owner} here");
            problems.add(
                Problem::at(at, format!("two have the address {address}")).label("again").also(first, first_label),
            );
            continue;
        }
        taken.push((address, name.to_owned(), at.clone()));
        addresses.push((address, prefix));
    }
    addresses
}

/// The addresses of a host that names none: its reserved ones, or the first that are free; a router's on both links.
fn free_addresses(name: &str, router: bool, taken: &mut Taken) -> Vec<(IpAddr, u8)> {
    let reserved = RESERVED.iter().find(|(host, _)| *host == name).map(|(_, n)| *n);
    let others = (1..=253).filter(|n| !RESERVED.iter().any(|(_, reserved)| reserved == n));
    let links = if router { 0..=1 } else { 0..=0 };
    let addresses = |n: u8| links.clone().flat_map(move |link| nth_addresses(link, n));
    let free = |n: &u8| addresses(*n).all(|(a, _)| !taken.iter().any(|(other, _, _)| *other == a));
    let addresses: Vec<_> = reserved.into_iter().chain(others).find(free).into_iter().flat_map(addresses).collect();
    taken.extend(addresses.iter().map(|(address, _)| (*address, name.to_owned(), 0..0)));
    addresses
}

fn sysctl(source: &HostSource, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some((map, _)) = source.sysctl.given("the map of kernel parameters", problems) else { return BTreeMap::new() };
    let mut values = BTreeMap::new();
    for entry in &map.0 {
        if let Some(wrong) = wrong_with_sysctl(&entry.name) {
            problems.add(wrong.at(&entry.at));
        }
        if let Some(value) = entry.value.read(problems) {
            values.insert(entry.name.clone(), value);
        }
    }
    values
}
