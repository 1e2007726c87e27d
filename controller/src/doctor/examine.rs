//! The judgement: facts in, findings out.

use super::facts::{Acceleration, CachedImage, Facts, Libvirt, Program, System, Trouble};
use super::{Diagnosis, Finding, State};
use crate::image;
use crate::machine::qemu::Kvm;
use std::collections::BTreeSet;

/// Memory that a run needs, in MiB: two guests of 256, and the controller and QEMU themselves.
const RUN_MEMORY: u64 = 700;

/// Space that building an image takes, in MiB.
const BUILD_SPACE: u64 = image::SPACE_NEEDED.div_ceil(1 << 20);

/// Space that a run takes, in MiB: the hosts' overlays, the captured frames.
const RUN_SPACE: u64 = 128;

/// Columns that the story needs ([`crate::report::Style::width`]).
const COLUMNS: usize = 60;

/// File systems that are somebody else's over a network, where locks and sparse files are not to be relied on.
const REMOTE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "afs", "ceph"];

/// Judges what was seen.
#[must_use]
pub fn examine(facts: &Facts) -> Diagnosis {
    let findings = vec![
        system(&facts.system),
        cores(&facts.system),
        memory(&facts.system),
        program("qemu", "QEMU", &facts.qemu),
        program("qemu-img", "qemu-img", &facts.qemu_img),
        accelerator(&facts.acceleration),
        lockstep(&facts.lockstep),
        image_tools(facts),
        cache(facts),
        images(facts),
        vagrant(facts),
        libvirt(facts),
        terminal(facts),
    ];
    Diagnosis { ready: findings.iter().all(|finding| finding.state != State::Missing), findings }
}

fn ok(id: &'static str, fact: impl Into<String>) -> Finding {
    Finding { id, state: State::Ok, fact: fact.into(), mend: None }
}

fn found(id: &'static str, state: State, fact: impl Into<String>, mend: impl Into<String>) -> Finding {
    Finding { id, state, fact: fact.into(), mend: Some(mend.into()) }
}

fn system(system: &System) -> Finding {
    let name = system.name.as_deref().unwrap_or("an unnamed system");
    let fact = format!("{name}, {}, {}", system.kernel, system.architecture);
    match system.architecture {
        "x86_64" => ok("system", fact),
        _ => found(
            "system",
            State::Missing,
            fact,
            "an x86_64 computer: the guests are x86_64, and their disk is built by running its own programs",
        ),
    }
}

fn cores(system: &System) -> Finding {
    match system.cores {
        0 | 1 => found(
            "cores",
            State::Warning,
            "1 core: the hosts wait for each other",
            "two cores or more: what takes seconds there may run into its time limits here",
        ),
        n => ok("cores", format!("{n} cores")),
    }
}

fn memory(system: &System) -> Finding {
    match system.memory {
        None => found("memory", State::Warning, "how much memory there is cannot be told", "mount -t proc proc /proc"),
        Some((all, available)) if available < RUN_MEMORY => found(
            "memory",
            State::Warning,
            format!("{available} MiB of {all} MiB memory are available, {RUN_MEMORY} MiB are needed for two hosts"),
            "end programs that are not needed",
        ),
        Some((all, available)) => ok("memory", format!("{available} MiB of {all} MiB memory are available")),
    }
}

fn program(id: &'static str, name: &str, program: &Result<Program, Trouble>) -> Finding {
    match program {
        Ok(program) => {
            let fact = format!("{name} {} ({})", program.version, program.path.display());
            match &program.note {
                None => ok(id, fact),
                Some(note) => Finding { id, state: State::Warning, fact: note.clone(), mend: None },
            }
        }
        Err(trouble) => trouble_found(id, State::Missing, trouble),
    }
}

fn trouble_found(id: &'static str, state: State, trouble: &Trouble) -> Finding {
    Finding { id, state, fact: trouble.fact.clone(), mend: trouble.help.clone() }
}

fn accelerator(acceleration: &Acceleration) -> Finding {
    match acceleration {
        Acceleration::Kvm(kvm @ Kvm::Works { .. }) => ok("accelerator", format!("KVM works: {kvm}")),
        Acceleration::Kvm(kvm) => Finding {
            id: "accelerator",
            state: State::Warning,
            fact: format!("runs use TCG, in software, as KVM does not work: {kvm}"),
            mend: kvm.help(),
        },
        Acceleration::Untried(trouble) => trouble_found("accelerator", State::Warning, trouble),
    }
}

fn lockstep(tried: &Result<(), Trouble>) -> Finding {
    match tried {
        Ok(()) => ok("lockstep", "QEMU can do lockstep time: a machine keeps to the boundaries that it is granted"),
        Err(trouble) => trouble_found("lockstep", State::Warning, trouble),
    }
}

/// What only building an image needs: missing, unless there is an image already.
fn for_building(facts: &Facts) -> State {
    if intact(facts).next().is_some() { State::Warning } else { State::Missing }
}

fn intact(facts: &Facts) -> impl Iterator<Item = &CachedImage> {
    facts.images.iter().flatten().filter(|image| image.damage.is_none())
}

/// The command, as root must type it or others.
fn as_root(facts: &Facts, command: &str) -> String {
    if facts.user.root { command.to_owned() } else { format!("sudo {command}") }
}

fn install(facts: &Facts, package: &str) -> String {
    as_root(facts, &format!("apt-get install --no-install-recommends {package}"))
}

fn image_tools(facts: &Facts) -> Finding {
    const ID: &str = "image-tools";
    if facts.lacking.is_empty() {
        return ok(ID, "all tools that build an image are there");
    }
    let tools: Vec<&str> = facts.lacking.iter().map(|(tool, _)| *tool).collect();
    // A package may bring several.
    let packages: BTreeSet<&str> = facts.lacking.iter().map(|(_, package)| *package).collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let fact = format!("building an image takes what is missing: {}", tools.join(", "));
    found(ID, for_building(facts), fact, install(facts, &packages.join(" ")))
}

fn cache(facts: &Facts) -> Finding {
    let cache = &facts.cache;
    let folder = cache.folder.display();
    let elsewhere = "set XDG_CACHE_HOME to a folder on another file system";
    if let Some(why) = &cache.read_only {
        return found("cache", State::Missing, format!("the cache {folder} cannot be written: {why}"), elsewhere);
    }
    let file_system = cache.file_system.as_deref().unwrap_or("an unknown file system");
    let Some(free) = cache.free else {
        return found("cache", State::Warning, format!("how much space {folder} has cannot be told"), elsewhere);
    };
    let fact = format!("the cache {folder} has {free} MiB free, on {file_system}");
    let (needed, purpose) = match intact(facts).next() {
        Some(_) => (RUN_SPACE, "a run"),
        None => (BUILD_SPACE, "building an image"),
    };
    if free < needed {
        let fact = format!("{fact}; {purpose} takes {needed} MiB");
        return found("cache", State::Missing, fact, format!("controller image remove, or {elsewhere}"));
    }
    if REMOTE.contains(&file_system) {
        return found("cache", State::Warning, format!("{fact}, which is not of this computer"), elsewhere);
    }
    if matches!(file_system, "tmpfs" | "ramfs") {
        return found("cache", State::Warning, format!("{fact}: in memory, and gone after a restart"), elsewhere);
    }
    ok("cache", fact)
}

fn images(facts: &Facts) -> Finding {
    let images = match &facts.images {
        Ok(images) => images,
        Err(trouble) => return trouble_found("images", State::Warning, trouble),
    };
    let damaged: Vec<String> = images
        .iter()
        .filter_map(|image| image.damage.as_ref().map(|damage| format!("{} is damaged: {damage}", image.suite)))
        .collect();
    if !damaged.is_empty() {
        let suites: Vec<&str> = images.iter().filter(|i| i.damage.is_some()).map(|i| i.suite.as_str()).collect();
        let mend: Vec<String> = suites.iter().map(|suite| format!("controller image remove {suite}")).collect();
        return found("images", State::Warning, format!("image {}", damaged.join("; image ")), mend.join("\n"));
    }
    if images.is_empty() {
        return found(
            "images",
            State::Warning,
            "no image is built yet; the first run builds it",
            "controller image build",
        );
    }
    let list: Vec<String> = images.iter().map(|image| format!("{} ({} MiB)", image.suite, image.size)).collect();
    ok("images", format!("intact images: {}", list.join(", ")))
}

fn vagrant(facts: &Facts) -> Finding {
    const ID: &str = "vagrant";
    let Some(vagrant) = &facts.vagrant else {
        let fact = "Vagrant is not here; only machines made by Vagrant need it";
        return Finding {
            id: ID,
            state: State::Ok,
            fact: fact.to_owned(),
            mend: Some("./lab setup vagrant".to_owned()),
        };
    };
    match (&vagrant.version, &vagrant.plugin) {
        (Err(trouble), _) => trouble_found(ID, State::Warning, trouble),
        (Ok(version), None) => found(
            ID,
            State::Warning,
            format!("Vagrant {version} has no plugin vagrant-libvirt, which makes machines with libvirt"),
            install(facts, "vagrant-libvirt"),
        ),
        (Ok(version), Some(plugin)) => ok(ID, format!("Vagrant {version} with vagrant-libvirt {plugin}")),
    }
}

fn libvirt(facts: &Facts) -> Finding {
    const ID: &str = "libvirt";
    let Some(vagrant) = &facts.vagrant else {
        return ok(ID, "libvirt is not asked: only machines made by Vagrant need it");
    };
    let uri = &vagrant.uri;
    match &vagrant.libvirt {
        Err(trouble) => trouble_found(ID, State::Warning, trouble),
        Ok(Libvirt { version, qemu: None }) => found(
            ID,
            State::Warning,
            format!("libvirt {version} at {uri} finds no QEMU that it can use"),
            install(facts, "qemu-system-x86"),
        ),
        Ok(Libvirt { version, qemu: Some(qemu) }) => {
            ok(ID, format!("libvirt {version} answers at {uri}, and would run QEMU {qemu}"))
        }
    }
}

fn terminal(facts: &Facts) -> Finding {
    let terminal = &facts.terminal;
    let letters = if terminal.unicode { "Unicode" } else { "ASCII" };
    let colour = if terminal.colour { "colour" } else { "no colour" };
    match terminal.columns {
        None => ok("terminal", "standard output is not a terminal: the story comes without colour"),
        Some(columns) if columns < COLUMNS => found(
            "terminal",
            State::Warning,
            format!("the terminal has {columns} columns; the story needs {COLUMNS}"),
            "make the window wider",
        ),
        Some(columns) => ok("terminal", format!("a terminal of {columns} columns, {letters}, {colour}")),
    }
}
