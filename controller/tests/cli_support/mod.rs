//! A computer on which `lab` can be tried: a `PATH` that holds only basic tools and stand-ins for apt and its kin,
//! which do what a test says and write down what they were asked.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What `lab` itself and the stand-ins may use; all of it is in Debian's essential packages.
const BASIC: [&str; 18] = [
    "awk", "bash", "cat", "chmod", "dirname", "env", "find", "grep", "head", "mkdir", "mktemp", "mv", "readlink", "rm",
    "sed", "sort", "tee", "touch",
];

/// The commands by which `lab` sees that a package is there.
pub(crate) const TOOLS: [&str; 12] = [
    "gcc",
    "pkg-config",
    "qemu-system-x86_64",
    "qemu-img",
    "mmdebstrap",
    "xz",
    "zstd",
    "lz4",
    "cargo",
    "rustc",
    "vagrant",
    "virsh",
];

pub(crate) struct Computer {
    folder: tempfile::TempDir,
}

impl Computer {
    /// One that has all tools, and a Rust that is new enough.
    pub(crate) fn complete() -> Self {
        let computer = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(computer.bin()).unwrap();
        fs::create_dir(computer.path("home")).unwrap();
        for tool in BASIC {
            let found =
                ["/usr/bin", "/bin"].iter().map(|folder| Path::new(folder).join(tool)).find(|path| path.exists());
            if let Some(found) = found {
                symlink(found, computer.bin().join(tool)).unwrap();
            }
        }
        for tool in TOOLS {
            computer.stand_in(tool, "");
        }
        computer.rust("1.95.0");
        // Whoever runs the tests need not be root.
        computer.stand_in("sudo", r#"[ "$1" = -n ] && exit 0; exec "$@""#);
        computer
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bin(&self) -> PathBuf {
        self.path("bin")
    }

    /// Puts a shell script on the `PATH`. `$STATE` is a folder for what it must remember.
    pub(crate) fn stand_in(&self, name: &str, script: &str) {
        let file = self.bin().join(name);
        let state = self.folder.path().display();
        fs::write(&file, format!("#!{}/bin/bash\nSTATE={state}\n{script}\n", state)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn without(&self, tools: &[&str]) -> &Self {
        for tool in tools {
            fs::remove_file(self.bin().join(tool)).unwrap();
        }
        self
    }

    /// A Rust of this version, whose cargo builds a controller that says what it was asked.
    pub(crate) fn rust(&self, version: &str) -> &Self {
        let target = self.path("target").display().to_string();
        self.stand_in("rustc", &format!("echo 'rustc {version} (abcdef 2026-01-01)'"));
        self.stand_in(
            "cargo",
            &format!(
                r#"[ "$1" = --version ] && echo 'cargo {version} (abcdef 2026-01-01)' && exit
                echo "cargo $*" >>$STATE/builds
                mkdir -p {target}/release
                printf '#!{bin}/bash\necho "controller was asked: $*"\n' >{target}/release/controller
                chmod +x {target}/release/controller"#,
                bin = self.bin().display()
            ),
        );
        self
    }

    /// An apt that knows these packages: what `apt-cache` answers to `policy` and `madison`, in lines of
    /// `package version`. `apt-get` simulates well if `simulate` (a shell command on its arguments `$*`) succeeds, and
    /// what it installs gets a command for each tool of [`TOOLS`].
    pub(crate) fn apt(&self, packages: &str, simulate: &str) -> &Self {
        fs::write(self.path("packages"), packages).unwrap();
        self.stand_in(
            "apt-cache",
            r#"case $1 in
                pkgnames) while read -r name _; do [[ $name != "$2"* ]] || echo "$name"; done <$STATE/packages ;;
                show) grep -q "^$2 " $STATE/packages ;;
                policy) printf '%s:\n  Installed: (none)\n  Candidate: %s\n' "$2" "$(sed -n "s/^$2 //p" $STATE/packages)" ;;
                madison) sed -n "s/^$2 \(.*\)/ $2 | \1 | http:\/\/example.org stable\/main/p" $STATE/packages ;;
            esac"#,
        );
        let tools = TOOLS.join(" ");
        self.stand_in(
            "apt-get",
            &format!(
                r#"case "$*" in
                    *--simulate*) {simulate} ;;
                    update) echo "apt-get $*" | tee -a $STATE/done; touch $STATE/updated ;;
                    *)
                        echo "apt-get $*" | tee -a $STATE/done
                        [ ! -e $STATE/stale ] || [ -e $STATE/updated ] || exit 100
                        for tool in {tools}; do [ -e $STATE/bin/$tool ] || $STATE/install $tool; done ;;
                esac"#
            ),
        );
        let bin = self.bin().display().to_string();
        let install = format!(
            "#!{bin}/bash\ncase $1 in rustc | cargo) [[ ! -e {state}/$1.packaged ]] || mv {state}/$1.packaged {bin}/$1 ;;\n\
             *) printf '#!{bin}/bash\\n' >{bin}/$1; chmod +x {bin}/$1 ;; esac\n",
            state = self.folder.path().display()
        );
        fs::write(self.path("install"), install).unwrap();
        fs::set_permissions(self.path("install"), fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Takes Rust away; apt will bring one of this version.
    pub(crate) fn rust_only_packaged(&self, version: &str) -> &Self {
        self.rust(version);
        for tool in ["rustc", "cargo"] {
            fs::rename(self.bin().join(tool), self.path(&format!("{tool}.packaged"))).unwrap();
        }
        self
    }

    /// Runs `lab` here, without a terminal.
    pub(crate) fn lab(&self, arguments: &str) -> Output {
        let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab");
        Command::new(self.bin().join("bash"))
            .arg(lab)
            .args(arguments.split_whitespace())
            .env_clear()
            .env("PATH", self.bin())
            .env("HOME", self.path("home"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }

    /// What apt-get was asked to do, in lines; nothing where it only simulated.
    pub(crate) fn done(&self) -> String {
        fs::read_to_string(self.path("done")).unwrap_or_default()
    }

    /// How often cargo was asked to build.
    pub(crate) fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).unwrap_or_default().lines().count()
    }
}
