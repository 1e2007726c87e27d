#![allow(clippy::unwrap_used)]

use super::collect::{file_system_of, memory, pretty_name};
use super::*;
use crate::machine::qemu::Kvm;
use std::path::Path;

/// A host that has everything, and an ordinary user.
fn good() -> Facts {
    let program = |path: &str| Program { path: path.into(), version: "10.0.2".to_owned(), note: None };
    Facts {
        system: System {
            name: Some("Debian GNU/Linux 13 (trixie)".to_owned()),
            kernel: "Linux 6.12.0".to_owned(),
            architecture: "x86_64",
            cores: 2,
            memory: Some((4000, 2000)),
        },
        user: User { name: "student".to_owned(), root: false },
        qemu: Ok(program("/usr/bin/qemu-system-x86_64")),
        qemu_img: Ok(program("/usr/bin/qemu-img")),
        acceleration: Acceleration::Kvm(Kvm::Works { millis: 420 }),
        lockstep: Ok(()),
        lacking: vec![],
        cache: Cache {
            folder: "/home/student/.cache/deadpeer".into(),
            read_only: None,
            free: Some(20_000),
            file_system: Some("ext4".to_owned()),
        },
        images: Ok(vec![image("trixie")]),
        vagrant: Some(Vagrant {
            version: Ok("2.3.4".to_owned()),
            plugin: Some("0.11.2".to_owned()),
            uri: "qemu:///session".to_owned(),
            libvirt: Ok(Libvirt { version: "9.0.0".to_owned(), qemu: Some("7.2.22".to_owned()) }),
        }),
        terminal: Terminal { columns: Some(120), colour: true, unicode: true },
    }
}

fn image(suite: &str) -> CachedImage {
    CachedImage { suite: suite.to_owned(), size: 310, damage: None }
}

/// The finding `id` on the good host after this change, and whether runs are possible.
fn after(id: &str, change: impl FnOnce(&mut Facts)) -> (Finding, bool) {
    let mut facts = good();
    change(&mut facts);
    let diagnosis = examine(&facts);
    (diagnosis.findings.into_iter().find(|finding| finding.id == id).unwrap(), diagnosis.ready)
}

fn assert_found(id: &str, change: impl FnOnce(&mut Facts), state: State, fact: &str, mend: &str) {
    let (finding, ready) = after(id, change);
    assert_eq!(finding.state, state, "{finding:?}");
    assert!(finding.fact.contains(fact), "{finding:?}");
    assert!(finding.mend.as_deref().unwrap_or_default().contains(mend), "{finding:?}");
    assert_eq!(ready, state != State::Missing);
}

#[test]
fn a_host_that_has_everything_is_ready() {
    let diagnosis = examine(&good());
    assert!(diagnosis.ready);
    assert!(diagnosis.findings.iter().all(|finding| finding.state == State::Ok && finding.mend.is_none()));
}

#[test]
fn every_finding_is_there_once_and_in_order_whatever_the_host_lacks() {
    let mut facts = good();
    facts.qemu = Err(Trouble { fact: "gone".to_owned(), help: None });
    facts.system.memory = None;
    facts.images = Ok(vec![]);
    for facts in [good(), facts] {
        let ids: Vec<&str> = examine(&facts).findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, IDS);
    }
}

#[test]
fn json_has_the_documented_fields() {
    let mut facts = good();
    facts.lacking = vec![("mke2fs", "e2fsprogs"), ("xz", "xz-utils"), ("debugfs", "e2fsprogs")];
    let json = serde_json::to_value(examine(&facts)).unwrap();
    assert_eq!(json["ready"], true);
    let finding = &json["findings"][7];
    assert_eq!(
        finding,
        &serde_json::json!({
            "id": "image-tools",
            "state": "warning",
            "fact": "building an image takes what is missing: mke2fs, xz, debugfs",
            "mend": "sudo apt-get install --no-install-recommends e2fsprogs xz-utils",
        })
    );
    assert_eq!(json["findings"][0]["mend"], serde_json::Value::Null);
}

#[test]
fn text_says_what_mends_below_what_is_wrong() {
    let mut facts = good();
    facts.system.cores = 1;
    facts.images = Ok(vec![]);
    facts.lacking = vec![("mke2fs", "e2fsprogs"), ("xz", "xz-utils"), ("debugfs", "e2fsprogs")];
    insta::assert_snapshot!(examine(&facts).to_string());
}

#[test]
fn qemu_that_cannot_be_used_is_missing_with_its_own_help() {
    let trouble = || Err(Trouble { fact: "QEMU is too old".to_owned(), help: Some("upgrade".to_owned()) });
    assert_found("qemu", |f| f.qemu = trouble(), State::Missing, "too old", "upgrade");
    assert_found("qemu-img", |f| f.qemu_img = trouble(), State::Missing, "too old", "upgrade");
}

#[test]
fn a_version_with_a_note_is_a_warning() {
    let note = |f: &mut Facts| f.qemu.as_mut().unwrap().note = Some("never tried with 99".to_owned());
    assert_found("qemu", note, State::Warning, "never tried with 99", "");
}

#[test]
fn another_architecture_cannot_run_guests() {
    assert_found("system", |f| f.system.architecture = "aarch64", State::Missing, "aarch64", "x86_64");
}

#[test]
fn one_core_or_little_memory_warns() {
    assert_found("cores", |f| f.system.cores = 1, State::Warning, "1 core", "two cores");
    assert_found("memory", |f| f.system.memory = Some((4000, 699)), State::Warning, "699 MiB of 4000", "end programs");
    assert_found("memory", |f| f.system.memory = Some((4000, 700)), State::Ok, "700 MiB", "");
}

#[test]
fn kvm_that_does_not_work_is_a_warning_that_says_tcg() {
    let broken = Kvm::Broken {
        device: "/dev/kvm".to_owned(),
        what: "a guest did not get through its boot within 5s".to_owned(),
        words: String::new(),
    };
    let change = |f: &mut Facts| f.acceleration = Acceleration::Kvm(broken);
    assert_found("accelerator", change, State::Warning, "TCG, in software", "nested virtualization");
    let untried = Trouble { fact: "no kernel".to_owned(), help: Some("controller image build".to_owned()) };
    let change = |f: &mut Facts| f.acceleration = Acceleration::Untried(untried);
    assert_found("accelerator", change, State::Warning, "no kernel", "controller image build");
}

#[test]
fn qemu_that_cannot_do_lockstep_is_a_warning_that_says_why() {
    let fact = "QEMU 11.0.1 cannot do lockstep time: made for QEMU 7.2 to 10.0; this is 11.0.1";
    let change = |f: &mut Facts| f.lockstep = Err(Trouble { fact: fact.to_owned(), help: None });
    assert_found("lockstep", change, State::Warning, fact, "");
}

#[test]
fn tools_for_building_are_missing_only_while_there_is_no_image() {
    let without = |images: Vec<CachedImage>| {
        move |f: &mut Facts| {
            f.lacking = vec![("mmdebstrap", "mmdebstrap")];
            f.images = Ok(images);
        }
    };
    let command = "sudo apt-get install --no-install-recommends mmdebstrap";
    assert_found("image-tools", without(vec![]), State::Missing, "is missing: mmdebstrap", command);
    assert_found("image-tools", without(vec![image("trixie")]), State::Warning, "is missing: mmdebstrap", command);
    let damaged = CachedImage { damage: Some("cut short".to_owned()), ..image("trixie") };
    assert_found("image-tools", without(vec![damaged]), State::Missing, "is missing: mmdebstrap", command);
}

#[test]
fn root_needs_no_sudo() {
    let root = |f: &mut Facts| {
        f.user.root = true;
        f.lacking = vec![("mke2fs", "e2fsprogs")];
    };
    let (finding, _) = after("image-tools", root);
    assert_eq!(finding.mend.unwrap(), "apt-get install --no-install-recommends e2fsprogs");
}

#[test]
fn the_cache_must_be_writable_and_have_room() {
    let change = |f: &mut Facts| f.cache.read_only = Some("Permission denied".to_owned());
    assert_found("cache", change, State::Missing, "cannot be written: Permission denied", "XDG_CACHE_HOME");
    let nearly_full = |f: &mut Facts| f.cache.free = Some(300);
    assert_found("cache", nearly_full, State::Ok, "300 MiB free", "");
    let no_image_yet = |f: &mut Facts| (f.cache.free, f.images) = (Some(300), Ok(vec![]));
    assert_found("cache", no_image_yet, State::Missing, "building an image takes", "controller image remove");
}

#[test]
fn a_cache_that_is_remote_or_in_memory_warns() {
    for (kind, fact) in [("nfs4", "not of this computer"), ("tmpfs", "gone after a restart")] {
        assert_found("cache", |f| f.cache.file_system = Some(kind.to_owned()), State::Warning, fact, "XDG_CACHE_HOME");
    }
}

#[test]
fn images_are_listed_and_damaged_ones_named() {
    let two = |f: &mut Facts| f.images = Ok(vec![image("bookworm"), image("trixie")]);
    assert_found("images", two, State::Ok, "bookworm (310 MiB), trixie (310 MiB)", "");
    let damaged = |f: &mut Facts| {
        let damaged = CachedImage { damage: Some("disk.img is cut short".to_owned()), ..image("bookworm") };
        f.images = Ok(vec![damaged, image("trixie")]);
    };
    let mend = "controller image remove bookworm";
    assert_found("images", damaged, State::Warning, "image bookworm is damaged: disk.img is cut short", mend);
}

/// The good host's Vagrant after this change.
fn with_vagrant(change: impl FnOnce(&mut Vagrant)) -> impl FnOnce(&mut Facts) {
    |facts| change(facts.vagrant.as_mut().unwrap())
}

#[test]
fn a_host_without_vagrant_is_as_it_should_be() {
    assert_found("vagrant", |f| f.vagrant = None, State::Ok, "is not here", "./lab setup vagrant");
    assert_found("libvirt", |f| f.vagrant = None, State::Ok, "not asked", "");
}

#[test]
fn a_vagrant_that_cannot_make_machines_is_a_warning_that_says_what_helps() {
    let fact = "Vagrant 2.3.4 with vagrant-libvirt 0.11.2";
    assert_found("vagrant", |_| (), State::Ok, fact, "");
    let mend = "sudo apt-get install --no-install-recommends vagrant-libvirt";
    assert_found("vagrant", with_vagrant(|v| v.plugin = None), State::Warning, "has no plugin", mend);
    let trouble = || Trouble { fact: "it does not work".to_owned(), help: Some("do this".to_owned()) };
    assert_found("vagrant", with_vagrant(|v| v.version = Err(trouble())), State::Warning, "not work", "do this");
    assert_found("libvirt", with_vagrant(|v| v.libvirt = Err(trouble())), State::Warning, "not work", "do this");
    let fact = "libvirt 9.0.0 answers at qemu:///session, and would run QEMU 7.2.22";
    assert_found("libvirt", |_| (), State::Ok, fact, "");
    let no_qemu = with_vagrant(|v| v.libvirt.as_mut().unwrap().qemu = None);
    assert_found(
        "libvirt",
        no_qemu,
        State::Warning,
        "finds no QEMU",
        "install --no-install-recommends qemu-system-x86",
    );
}

#[test]
fn reads_what_vagrant_and_virsh_print() {
    let listed = "vagrant-libvirt (0.11.2, system)\nother (1.0, global)\n";
    assert_eq!(super::vagrant::plugin(listed).unwrap(), "0.11.2");
    assert_eq!(super::vagrant::plugin("No plugins installed.\n"), None);
    let version = "Compiled against library: libvirt 9.0.0\nUsing library: libvirt 9.0.1\nUsing API: QEMU 9.0.0\n\
        Running hypervisor: QEMU 7.2.22\n";
    assert_eq!(super::vagrant::after(version, "Using library: libvirt ").unwrap(), "9.0.1");
    assert_eq!(super::vagrant::after(version, "Running hypervisor: QEMU ").unwrap(), "7.2.22");
}

#[test]
fn a_narrow_terminal_warns_and_none_does_not() {
    assert_found("terminal", |f| f.terminal.columns = Some(59), State::Warning, "59 columns", "wider");
    assert_found("terminal", |f| f.terminal.columns = None, State::Ok, "not a terminal", "");
}

#[test]
fn reads_os_release() {
    let text = "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\n";
    assert_eq!(pretty_name(text).unwrap(), "Ubuntu 24.04.1 LTS");
    assert_eq!(pretty_name("NAME=Arch\nPRETTY_NAME='Arch Linux'").unwrap(), "Arch Linux");
    assert_eq!(pretty_name("NAME=x\n"), None);
}

#[test]
fn reads_meminfo() {
    let text = "MemTotal:       24683576 kB\nMemFree:        20000000 kB\nMemAvailable:   23569408 kB\n";
    assert_eq!(memory(text), Some((24105, 23017)));
    assert_eq!(memory("MemTotal: 1024 kB\n"), None, "kernels before 3.14");
    assert_eq!(memory("MemTotal: many kB\nMemAvailable: 1 kB"), None);
}

#[test]
fn the_deepest_and_last_mount_holds_a_path() {
    let text = "\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
23 22 0:21 / /home rw - autofs home rw
24 23 0:22 / /home rw - nfs4 files:/home rw
25 22 0:23 / /home/student/.cache rw,nosuid shared:9 master:2 - tmpfs none rw
26 22 0:24 / /with\\040space rw - xfs /dev/vdb rw
garbage
";
    for (path, kind) in [
        ("/", "ext4"),
        ("/homework", "ext4"),
        ("/home/student", "nfs4"),
        ("/home/student/.cache/deadpeer", "tmpfs"),
        ("/with space/x", "xfs"),
    ] {
        assert_eq!(file_system_of(text, Path::new(path)).as_deref(), Some(kind), "{path}");
    }
    assert_eq!(file_system_of("", Path::new("/")), None);
}
