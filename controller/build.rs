//! Puts the guest programs, the QEMU plugin and the catalogue of scenarios into the controller, so that it works from any folder.
//!
//! The guest programs are built by a cargo of their own: statically, in a target folder of their own below
//! `OUT_DIR` (the outer cargo holds a lock on its), with the packages of the same `Cargo.lock`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::{env, fs, io};

/// Static, so that they run on any guest; at a fixed address, which is smaller.
const RUSTFLAGS: [&str; 4] = ["-C", "target-feature=+crt-static", "-C", "relocation-model=static"];

/// The profile in the workspace's `Cargo.toml`.
const PROFILE: &str = "guest";

fn main() {
    if let Err(error) = embed() {
        eprintln!("{error}");
        exit(1);
    }
}

fn embed() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = fs::canonicalize(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    let out = PathBuf::from(var("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    for input in ["Cargo.toml", "Cargo.lock", "guest/Cargo.toml", "guest/src", "scenarios"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }

    let mut programs = stems(&root.join("guest/src/bin"), "rs")?;
    programs.extend(stems(&root.join("guest/src/bin"), "")?); // those of several files are folders
    programs.sort();
    let folder = build_guest(&root, &out.join("guest"))?;
    let mut code = String::from("const GUEST_PROGRAMS: &[(&str, &[u8])] = &[\n");
    for (name, _) in programs {
        push(&mut code, format_args!("    ({name:?}, include_bytes!({:?})),\n", folder.join(&name)));
    }
    code.push_str("];\n\n");
    let plugin = build_plugin(&root.join("controller/plugin"), &out)?;
    push(&mut code, format_args!("const LOCKSTEP_PLUGIN: &[u8] = include_bytes!({plugin:?});\n"));
    code.push_str("\n/// Every scenario of the catalogue: its name and its text, in the order of the names.\n");
    code.push_str("pub const SCENARIOS: &[(&str, &str)] = &[\n");
    for (name, path) in stems(&root.join("scenarios"), "yaml")? {
        push(&mut code, format_args!("    ({name:?}, include_str!({path:?})),\n"));
    }
    code.push_str("];\n");
    let file = out.join("embedded.rs");
    fs::write(&file, code).map_err(|e| format!("{}: {e}", file.display()))
}

/// Builds the guest programs; the folder they are in.
fn build_guest(root: &Path, target_folder: &Path) -> Result<PathBuf, String> {
    let target = var("TARGET")?;
    let mut cargo = Command::new(var("CARGO")?);
    // What the outer cargo tells this script, and what a user may have set for the controller, is not for the guest:
    // a flag for another build, clippy's wrapper, a target folder that is locked.
    for (name, _) in env::vars_os() {
        if is_for_the_controller_alone(&name) {
            cargo.env_remove(name);
        }
    }
    cargo
        .current_dir(root)
        .args(["build", "--package", "deadpeer-guest", "--bins", "--profile", PROFILE, "--locked", "--quiet"])
        // With a target named, the flags are for the programs alone, not for build scripts and macros.
        .args(["--target", &target, "--target-dir"])
        .arg(target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
        .env("CARGO_BUILD_BUILD_DIR", target_folder)
        .env("RUSTC", var("RUSTC")?);
    let shown = format!(
        "RUSTFLAGS='{}' cargo build -p deadpeer-guest --bins --profile {PROFILE} --target {target}",
        RUSTFLAGS.join(" ")
    );
    let done = cargo.output().map_err(|e| format!("the guest programs were not built: cargo does not start: {e}"))?;
    if !done.status.success() {
        return Err(format!(
            "the guest programs were not built ({}). What cargo said:\n\n{}\nTo try it alone, in {}:\n\n    {shown}\n",
            done.status,
            String::from_utf8_lossy(&done.stderr),
            root.display(),
        ));
    }
    Ok(target_folder.join(target).join(PROFILE))
}

/// Builds the QEMU plugin, a program of its own with a licence of its own; where it is. What it uses of QEMU it looks up when it is
/// loaded, so nothing of QEMU is needed here.
fn build_plugin(folder: &Path, out: &Path) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-env-changed=CC");
    let library = out.join("lockstep.so");
    let sources = stems(folder, "c")?.into_iter().map(|(_, path)| path);
    let mut compiler = Command::new(env::var_os("CC").unwrap_or_else(|| "gcc".into()));
    compiler
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-fPIC", "-fvisibility=hidden", "-shared", "-s"])
        .args(["-Wl,-z,defs", "-Wl,-z,now", "-o"])
        .arg(&library)
        .args(sources)
        .args(["-ldl", "-pthread"]);
    let done = compiler.output().map_err(|e| format!("the QEMU plugin was not built: gcc does not start: {e}"))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("the QEMU plugin was not built ({}). What gcc said:\n\n{said}", done.status));
    }
    Ok(library)
}

fn is_for_the_controller_alone(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    // CARGO_HOME, CARGO_NET_OFFLINE, CARGO_HTTP_..., CARGO_REGISTRIES_... and the job server stay.
    let prefixes = ["CARGO_PKG_", "CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PROFILE_", "DEP_"];
    let names = [
        "CARGO_BUILD_TARGET",
        "CARGO_INCREMENTAL",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_DIR",
        "CARGO_TARGET_TMPDIR",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
        "CLIPPY_CONF_DIR",
        "OUT_DIR",
        "TARGET",
        "HOST",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
    ];
    prefixes.iter().any(|prefix| name.starts_with(prefix)) || names.contains(&&*name)
}

/// Name without ending, and path, of everything in `folder` that ends so (with no ending, if `ending` is empty); in the
/// order of the names.
fn stems(folder: &Path, ending: &str) -> Result<Vec<(String, PathBuf)>, String> {
    let list = || -> io::Result<Vec<PathBuf>> { fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut files: Vec<_> = list()
        .map_err(|e| format!("{}: {e}", folder.display()))?
        .into_iter()
        .filter(|path| path.extension().unwrap_or_default() == ending)
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), path)))
        .collect();
    files.sort();
    Ok(files)
}

fn push(code: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = code.write_fmt(line);
}

fn var(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("cargo told no {name}: {e}"))
}
