//! The Vagrantfile of a lab: a pure builder.
//!
//! Vagrant and its libvirt plugin say what they can; what they have no words for goes to QEMU as it is (`qemuargs`): the control
//! network, the flight recorder and a QMP connection for events. What the box says itself holds, where nothing is said here.
//! Console and QMP lead to sockets at which the controller listens, so that
//! QEMU finds them open when it starts. The link NICs are UDP tunnels between two ports of 127.0.0.1.

use super::making::SCRIPT_FILE;
use super::plan::{Boots, HostPlan, Plan};
use crate::machine::qemu::{EMULATED_CPU, RECORDER_MIB};
use crate::machine::{Accelerator, mac_text};
use std::fmt::Write as _;
use std::path::Path;

/// What is ahead of the machines: whose it is, how the plugin knows a machine's address, and where it seeks disks, as in the lab by hand.
const HEAD: &str = concat!(
    "# Made by Deadpeer for one lab; its controller must listen at the sockets named below when a machine starts.\n\n",
    include_str!("../../../../vagrant/user_network.rb"),
    "\n",
    include_str!("../../../../vagrant/own_pool.rb"),
    "\n"
);

/// The Vagrantfile of this lab.
#[must_use]
pub fn vagrantfile(plan: &Plan) -> String {
    let mut text = HEAD.to_owned();
    if let Some((user, group)) = plan.disk_owner {
        // The plugin takes a user's own libvirt to be one of this computer, and its user to be this one.
        let _ = writeln!(
            text,
            "VagrantPlugins::ProviderLibvirt::Util::StorageUtil.module_eval {{ def storage_uid(*) = {user}; def storage_gid(*) = {group} }}"
        );
    }
    let mut line = |indent: usize, words: String| {
        let _ = writeln!(text, "{:1$}{words}", "", 2 * indent);
    };
    line(0, format!("Deadpeer.pool = {}\n", quote(&plan.pool)));
    line(0, r#"Vagrant.configure("2") do |config|"#.to_owned());
    line(1, "config.vm.guest = :linux".to_owned());
    line(1, format!("config.vm.boot_timeout = {}", plan.boot_seconds));
    line(1, r#"config.vm.synced_folder ".", "/vagrant", disabled: true"#.to_owned());
    line(1, r#"config.ssh.host = "127.0.0.1""#.to_owned());
    for host in &plan.hosts {
        machine(plan, host, &mut line);
    }
    line(0, "end".to_owned());
    text
}

/// A machine's part.
fn machine(plan: &Plan, host: &HostPlan, line: &mut dyn FnMut(usize, String)) {
    line(1, format!("config.vm.define {} do |machine|", quote(&host.name)));
    line(2, format!("machine.vm.box = {}", quote(&host.box_name)));
    line(2, format!("machine.vm.box_version = {}", quote(&host.box_version)));
    line(2, format!("machine.ssh.port = {}", host.ssh_port));
    match &host.boots {
        Boots::Kernel { .. } => {
            line(2, r#"machine.ssh.username = "root""#.to_owned());
            line(2, "machine.ssh.insert_key = false".to_owned());
            line(2, format!("machine.ssh.private_key_path = {}", path(&plan.key)));
            line(2, r#"machine.ssh.sudo_command = "%c""#.to_owned());
        }
        // Who may log in, and how, the box says itself, or Vagrant does.
        Boots::Box => line(2, format!("machine.vm.provision :shell, path: {}", quote(SCRIPT_FILE))),
    }
    for (number, link) in (0..).zip(&host.links) {
        line(
            2,
            format!("machine.vm.network :private_network, auto_config: false, mac: {},", quote(&mac_text(link.mac))),
        );
        line(
            3,
            r#"libvirt__tunnel_type: "udp", libvirt__tunnel_local_ip: "127.0.0.1", libvirt__tunnel_ip: "127.0.0.1","#
                .to_owned(),
        );
        line(
            3,
            format!(
                r#"libvirt__tunnel_local_port: "{}", libvirt__tunnel_port: "{}","#,
                link.machine_port, link.switch_port
            ),
        );
        line(3, format!(r#"libvirt__bus: "0", libvirt__slot: "{:#04x}""#, FIRST_LINK_SLOT + number));
    }
    line(2, "machine.vm.provider :libvirt do |libvirt|".to_owned());
    let driver = match plan.accelerator {
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "qemu",
    };
    let mut settings = vec![
        ("uri", quote(&plan.connect)),
        // Where the plugin would look for networks, of which there are none: not at root's libvirt, which an ordinary user cannot ask.
        ("system_uri", quote(&plan.connect)),
        ("driver", quote(driver)),
        ("emulator_path", path(&plan.emulator)),
        ("default_prefix", quote(&plan.prefix)),
        ("storage_pool_name", quote(&plan.pool)),
        ("memory", host.memory.to_string()),
        ("graphics_type", quote("none")),
        ("memballoon_enabled", "false".to_owned()),
        ("mgmt_attach", "false".to_owned()),
    ];
    match &host.boots {
        Boots::Kernel { kernel, append } => settings.extend([
            ("kernel", path(kernel)),
            ("initrd", path(&plan.initrd(&host.name))),
            ("cmd_line", quote(append)),
        ]),
        // What is told to QEMU below holds on this board and with these, whatever the box says.
        Boots::Box => settings.extend([
            ("machine_type", quote("pc")),
            ("cpu_mode", quote(if driver == "kvm" { "host-passthrough" } else { "custom" })),
            ("video_type", quote("none")),
        ]),
    }
    for (name, value) in settings {
        line(3, format!("libvirt.{name} = {value}"));
    }
    line(3, r#"libvirt.usb_controller model: "none""#.to_owned());
    line(3, r#"libvirt.random model: "random""#.to_owned());
    line(3, format!(r#"libvirt.serial type: "unix", source: {{ path: {} }}"#, path(&plan.console(&host.name))));
    line(3, "[".to_owned());
    for words in qemu(plan, host) {
        line(4, format!("{},", words.map(|word| quote(&word)).join(", ")));
    }
    line(3, "].each { |word| libvirt.qemuargs value: word }".to_owned());
    line(2, "end".to_owned());
    line(1, "end".to_owned());
}

/// Where libvirt puts no device by itself: slots of the PCI bus.
const CONTROL_SLOT: u8 = 0x10;
const FIRST_LINK_SLOT: u8 = 0x11;
const SEED_SLOT: u8 = 0x1c;
const RECORDER_SLOT: u8 = 0x1d;

/// What QEMU is told beside libvirt's own: an option and its value each.
fn qemu(plan: &Plan, host: &HostPlan) -> Vec<[String; 2]> {
    let option = |name: &str, value: String| [name.to_owned(), value];
    let mut all = vec![
        option(
            "-netdev",
            format!("user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:{}-10.0.2.15:22", host.machine_ssh_port),
        ),
        option(
            "-device",
            format!(
                "virtio-net-pci,netdev=control,id=ctl0,mac={},romfile=,bus=pci.0,addr={CONTROL_SLOT:#04x}",
                mac_text(host.control_mac)
            ),
        ),
    ];
    if plan.accelerator == Accelerator::Tcg {
        // The same processor as that of a QEMU of our own, in place of the box's, which libvirt can spell: the last one counts.
        all.push(option("-cpu", EMULATED_CPU.to_owned()));
    }
    if host.is_foreign() {
        let file = plan.seed(&host.name);
        all.extend([
            option("-drive", format!("if=none,id=seed,format=raw,readonly=on,file={}", file.display())),
            option("-device", format!("virtio-blk-pci,drive=seed,serial=deadpeer,bus=pci.0,addr={SEED_SLOT:#04x}")),
        ]);
    }
    if host.recorder {
        let file = plan.recorder(&host.name);
        let file = file.display();
        all.extend([
            option("-object", format!("memory-backend-file,id=recorder,share=on,mem-path={file},size={RECORDER_MIB}M")),
            option("-device", format!("ivshmem-plain,memdev=recorder,bus=pci.0,addr={RECORDER_SLOT:#04x}")),
        ]);
    }
    all.extend([
        option("-chardev", plan.qmp_device(&host.name)),
        option("-mon", "chardev=deadpeer,mode=control".to_owned()),
    ]);
    all
}

/// A Ruby string. `%` and `#` mean nothing in it.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn path(path: &Path) -> String {
    quote(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::plan::LinkPlan;
    use super::*;

    fn plan() -> Plan {
        let link = |n: u8, host: u8| LinkPlan {
            mac: [2, 0xde, 0xad, 0, n, host],
            switch_port: 40_000 + u16::from(n) * 10 + u16::from(host),
            machine_port: 41_000 + u16::from(n) * 10 + u16::from(host),
        };
        let host = |name: &str, number: u8, links: Vec<LinkPlan>| HostPlan {
            name: name.to_owned(),
            box_name: "deadpeer/trixie".to_owned(),
            box_version: "0.1.0.4711".to_owned(),
            memory: 256,
            boots: Boots::Kernel {
                kernel: "/images/trixie/kernel".into(),
                append: "console=ttyS0 init=/sbin/init".to_owned(),
            },
            control_mac: [2, 0xde, 0xad, 0, 0xff, number],
            ssh_port: 42_000 + u16::from(number),
            machine_ssh_port: 42_000 + u16::from(number),
            links,
            recorder: true,
        };
        Plan {
            folder: "/machines/1f2e3d4c".into(),
            site: "/machines/1f2e3d4c".into(),
            uri: "qemu:///session".to_owned(),
            connect: "qemu:///session".to_owned(),
            disk_owner: None,
            prefix: "deadpeer-1f2e3d4c-".to_owned(),
            pool: "deadpeer-1f2e3d4c".to_owned(),
            emulator: "/usr/bin/qemu-system-x86_64".into(),
            accelerator: Accelerator::Tcg,
            key: "/machines/1f2e3d4c/key".into(),
            boot_seconds: 90,
            hosts: vec![
                host("client", 1, vec![link(0, 1)]),
                HostPlan { recorder: false, ..host("router", 2, vec![link(0, 2), link(1, 2)]) },
            ],
        }
    }

    #[test]
    fn the_whole_vagrantfile() {
        insta::assert_snapshot!(vagrantfile(&plan()));
    }

    #[test]
    fn a_box_of_somebody_elses() {
        let mut plan = plan();
        plan.hosts.truncate(1);
        plan.hosts[0].boots = Boots::Box;
        insta::assert_snapshot!(vagrantfile(&plan));
    }

    #[test]
    fn elsewhere_paths_and_ports_are_those_there_and_ssh_is_here() {
        let mut plan = plan();
        plan.site = "/there/1f2e3d4c".into();
        plan.connect = "qemu+unix:///session?socket=/tmp/x/libvirt".to_owned();
        plan.disk_owner = Some((1000, 1001));
        plan.hosts[0].machine_ssh_port = 52_001;
        let text = vagrantfile(&plan);
        for words in [
            "libvirt.uri = 'qemu+unix:///session?socket=/tmp/x/libvirt'",
            "def storage_uid(*) = 1000; def storage_gid(*) = 1001",
            "machine.ssh.port = 42001",
            "hostfwd=tcp:127.0.0.1:52001-10.0.2.15:22",
            "path: '/there/1f2e3d4c/client.console'",
            "path=/there/1f2e3d4c/client.qmp",
            "mem-path=/there/1f2e3d4c/client.recorder",
            "libvirt.initrd = '/there/1f2e3d4c/client.initrd'",
            "private_key_path = '/machines/1f2e3d4c/key'",
        ] {
            assert!(text.contains(words), "{words}:\n{text}");
        }
    }

    #[test]
    fn nothing_in_a_value_is_ruby() {
        assert_eq!(quote(r"a'#{b}\"), r"'a\'#{b}\\'");
    }
}
