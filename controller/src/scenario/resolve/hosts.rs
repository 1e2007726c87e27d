//! Hosts: names, addresses, memory, kernel parameters.

use super::required;
use crate::scenario::model::Host;
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
            host.addresses = free_addresses(name, &mut taken);
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
    Host {
        addresses: addresses(name, source, taken, problems),
        init: source.init.read(problems).unwrap_or_default(),
        memory: source.memory.read(problems).unwrap_or(USUAL_MEMORY),
        sysctl: sysctl(source, problems),
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

/// The addresses of a host that names none: its reserved ones, or the first that are free.
fn free_addresses(name: &str, taken: &mut Taken) -> Vec<(IpAddr, u8)> {
    let reserved = RESERVED.iter().find(|(host, _)| *host == name).map(|(_, n)| *n);
    let others = (1..=253).filter(|n| !RESERVED.iter().any(|(_, reserved)| reserved == n));
    let free = |n: &u8| nth_addresses(*n).iter().all(|(a, _)| !taken.iter().any(|(other, _, _)| other == a));
    let choice = reserved.into_iter().chain(others).find(free);
    let addresses = choice.map(nth_addresses).unwrap_or_default();
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
