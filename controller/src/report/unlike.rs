//! What a run was made with there and would be made with here, where that differs.

use super::inputs::Inputs;
use super::result::Provider;

/// What of `there` cannot be matched by `here`, in words, the weightiest first: what it is, how it is there, and here.
#[must_use]
pub fn unlike(there: &Inputs, here: &Inputs) -> Vec<(String, [String; 2])> {
    let none = || "unknown".to_owned();
    let mut all: Vec<(String, [String; 2])> = Vec::new();
    for (host, theirs) in &there.hosts {
        let boxed = |inputs: &Inputs| inputs.hosts.get(host).and_then(|host| host.boxed.clone()).unwrap_or_else(none);
        all.push((format!("box of {host}"), [boxed(there), boxed(here)]));
        let image = |inputs: &Inputs| inputs.images.get(inputs.hosts.get(host)?.image.as_ref()?).cloned();
        let (one, other) = (image(there), image(here));
        let key = |inputs: &Inputs| inputs.hosts.get(host).and_then(|host| host.image.clone()).unwrap_or_else(none);
        if theirs.image.is_none() || one == other {
            continue;
        }
        let kernel = [&one, &other].map(|image| image.as_ref().map_or_else(none, |image| image.kernel.clone()));
        all.push((format!("kernel of {host}"), kernel));
        all.push((format!("image of {host}"), [key(there), key(here)]));
        if let (Some(one), Some(other)) = (one, other) {
            all.extend(packages(host, &one.packages, &other.packages));
        }
    }
    let mut add = |what: &str, of: &dyn Fn(&Inputs) -> String| all.push((what.to_owned(), [of(there), of(here)]));
    add("accelerator", &|it| it.accelerator.as_ref().map_or_else(none, |it| it.used.clone()));
    for (what, of) in PROVIDER {
        add(what, &|it| it.provider.as_ref().map_or_else(|| "not used".to_owned(), |it| of(it).clone()));
    }
    add("QEMU", &|it| it.qemu.clone().unwrap_or_else(none));
    add("controller", &|it| it.controller.clone());
    for name in there.guest_programs.keys() {
        let hash = |it: &Inputs| it.guest_programs.get(name).map(|hash| hash.chars().take(12).collect());
        add(&format!("{name} of the controller"), &|it| hash(it).unwrap_or_else(none));
    }
    add("architecture", &|it| it.computer.architecture.clone());
    // An emulated processor is the same on any.
    if there.accelerator.as_ref().is_some_and(|it| it.used == "kvm") {
        add("processor", &|it| it.computer.processor.clone().unwrap_or_else(none));
    }
    all.retain(|(_, [there, here])| there != here);
    all
}

/// A part of what made the machines.
type Part = fn(&Provider) -> &String;

/// What made the machines, and how to ask.
const PROVIDER: [(&str, Part); 4] = [
    ("Vagrant", |it| &it.vagrant),
    ("vagrant-libvirt", |it| &it.plugin),
    ("libvirt", |it| &it.libvirt),
    ("libvirt's URI", |it| &it.uri),
];

/// The packages whose versions differ, as one difference.
fn packages(
    host: &str,
    there: &std::collections::BTreeMap<String, String>,
    here: &std::collections::BTreeMap<String, String>,
) -> Option<(String, [String; 2])> {
    const SHOWN: usize = 3;
    let names: Vec<&String> = there.keys().chain(here.keys().filter(|name| !there.contains_key(*name))).collect();
    let differ: Vec<&String> = names.into_iter().filter(|name| there.get(*name) != here.get(*name)).collect();
    let side = |of: &std::collections::BTreeMap<String, String>| {
        let version = |name: &&String| format!("{name} {}", of.get(*name).map_or("missing", String::as_str));
        let shown: Vec<String> = differ.iter().take(SHOWN).map(version).collect();
        let more = differ.len().saturating_sub(SHOWN);
        shown.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    };
    (!differ.is_empty()).then(|| (format!("packages of {host}"), [side(there), side(here)]))
}
