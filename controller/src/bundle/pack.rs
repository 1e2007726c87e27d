//! A run's folder to a bundle.

use super::manifest::{ENDING, MANIFEST, Manifest, Member, is_plain, limit};
use super::private::Private;
use crate::error::{Context, Error, Result};
use crate::image;
use crate::report::{self, RunResult};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Files of a run that are text. They go in without what is private; captures go in as they are.
const TEXT: [&str; 5] = [".json", ".jsonl", ".log", ".yaml", ".html"];

/// A bundle that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// Where it is.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What is in it.
    pub manifest: Manifest,
}

/// What a member is made of.
enum Source {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Makes a bundle of the run in `folder`: `to`, or in the current folder one that is named after the run's folder. With `with_images`, what the
/// hosts booted goes in, too.
///
/// # Errors
/// The run is not whole; a program of the user's was changed since; an image is not in the cache any more; the scenario itself
/// names a private path; the file is there already or cannot be written. Nothing is left then.
pub fn pack(folder: &Path, to: Option<&Path>, with_images: bool) -> Result<Packed> {
    let folder = folder.canonicalize().usage(|| format!("cannot find {}", folder.display()))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let to = to.map_or_else(|| PathBuf::from(format!("{name}{ENDING}")), Path::to_owned);
    let text = fs::read_to_string(folder.join("result.json")).usage(|| format!("{} holds no run", folder.display()))?;
    let mut result: RunResult =
        serde_json::from_str(&text).usage(|| format!("cannot read {}", folder.join("result.json").display()))?;
    let private = Private::here(&folder);
    let mut manifest = Manifest::new();
    let mut members = programs(&mut result, &mut manifest)?;
    members.extend(of_run(&folder, &result, &private)?);
    let _held = if with_images { images(&result, &mut manifest, &mut members)? } else { Vec::new() };
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (name, source) in &members {
        manifest.members.push(measured(name, source)?);
    }
    write(&to, &manifest, &members)?;
    let size = fs::metadata(&to).broken(|| format!("cannot read {}", to.display()))?.len();
    Ok(Packed { file: to, size, manifest })
}

/// The user's own programs, as they were when they ran. In the result, their places on this computer give way to their names.
fn programs(result: &mut RunResult, manifest: &mut Manifest) -> Result<Vec<(String, Source)>> {
    let mut members = Vec::new();
    for (program, own) in &mut result.own_programs {
        let file = &own.file;
        let bytes = fs::read(file).usage(|| format!("cannot read {}, which ran as {program}", file.display()))?;
        if hex(&Sha256::digest(&bytes)) != own.sha256 {
            return Err(Error::usage(format!("{} is not the program any more that ran as {program}", file.display()))
                .help("Run the scenario again with it, and make a bundle of that run."));
        }
        let base = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let base = if is_plain(&base) { base } else { "program".to_owned() };
        if !is_plain(program) {
            return Err(Error::usage(format!("a program's name is too odd for a bundle: {program:?}")));
        }
        let member = format!("programs/{program}/{base}");
        own.file = PathBuf::from(&base);
        manifest.programs.insert(program.clone(), member.clone());
        members.push((member, Source::Bytes(bytes)));
    }
    Ok(members)
}

/// The run's folder: what the run itself says it left, and what was made of it since.
fn of_run(folder: &Path, result: &RunResult, private: &Private) -> Result<Vec<(String, Source)>> {
    let mut names: BTreeSet<&str> = result.files.iter().map(String::as_str).collect();
    names.extend(["report.html"].into_iter().filter(|name| folder.join(name).is_file()));
    let mut members = Vec::new();
    for name in names {
        let path = folder.join(name);
        let member = format!("run/{name}");
        if limit(&member).is_none() {
            return Err(Error::usage(format!("a file of the run has a name that is too odd for a bundle: {name:?}")));
        }
        if !TEXT.iter().any(|ending| name.ends_with(ending)) {
            members.push((member, Source::File(path)));
            continue;
        }
        let text = if name == "result.json" {
            let mut result = result.clone();
            result.folder = PathBuf::from(folder.file_name().unwrap_or_default());
            report::to_json(&result)
        } else {
            let bytes = fs::read(&path).usage(|| format!("cannot read {}", path.display()))?;
            String::from_utf8_lossy(&bytes).into_owned()
        };
        if name == "scenario.yaml" {
            // It is known by its hash: it goes in as it ran, or not at all.
            if let Some((line, text)) = private.found(&text) {
                return Err(Error::usage(
                    "the scenario names something private, and would tell it to whoever reads the bundle",
                )
                .detail(format!("scenario.yaml, line {line}: {text}"))
                .help("Take it out of the scenario, run that, and make a bundle of the new run."));
            }
            members.push((member, Source::File(path)));
        } else {
            members.push((member, Source::Bytes(private.hidden(&text).into_bytes())));
        }
    }
    Ok(members)
}

/// What the hosts booted. What is returned keeps the images from being removed meanwhile.
fn images(
    result: &RunResult,
    manifest: &mut Manifest,
    members: &mut Vec<(String, Source)>,
) -> Result<Vec<image::Image>> {
    let keys: BTreeSet<&String> =
        result.hosts.values().filter_map(|host| host.image.as_ref()).map(|image| &image.key).collect();
    let mut held = Vec::new();
    for key in keys {
        let image = image::of_key(key)?;
        for path in [&image.kernel, &image.initrd, &image.disk, &image.lock] {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            members.push((format!("images/{key}/{file}"), Source::File(path.clone())));
        }
        manifest.images.push(key.clone());
        held.push(image);
    }
    Ok(held)
}

fn measured(name: &str, source: &Source) -> Result<Member> {
    let (size, sha256) = match source {
        Source::Bytes(bytes) => (bytes.len() as u64, hex(&Sha256::digest(bytes))),
        Source::File(path) => {
            let cannot = || format!("cannot read {}", path.display());
            let mut file = File::open(path).usage(cannot)?;
            let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 64 << 10]);
            loop {
                let length = file.read(&mut piece).usage(cannot)?;
                if length == 0 {
                    break (size, hex(&hash.finalize()));
                }
                hash.update(&piece[..length]);
                size += length as u64;
            }
        }
    };
    let most = limit(name).unwrap_or(0);
    if size > most {
        return Err(Error::usage(format!("{name} has {size} bytes; {most} are the most that a bundle takes")));
    }
    Ok(Member { name: name.to_owned(), size, sha256 })
}

/// Writes the archive beside `to`, and then in its place. The same run gives the same bytes.
fn write(to: &Path, manifest: &Manifest, members: &[(String, Source)]) -> Result<()> {
    let cannot = || format!("cannot write {}", to.display());
    let folder = to.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // For others to read, as far as the user lets them.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let beside = tempfile::Builder::new().permissions(mode).tempfile_in(folder).usage(cannot)?;
    let packed = GzEncoder::new(BufWriter::new(beside), Compression::default());
    let mut archive = tar::Builder::new(packed);
    let json = serde_json::to_vec_pretty(manifest).broken(cannot)?;
    append(&mut archive, MANIFEST, json.len() as u64, &json[..]).usage(cannot)?;
    for ((name, source), member) in members.iter().zip(&manifest.members) {
        match source {
            Source::Bytes(bytes) => append(&mut archive, name, member.size, &bytes[..]),
            Source::File(path) => File::open(path).and_then(|file| append(&mut archive, name, member.size, file)),
        }
        .usage(cannot)?;
    }
    let written = archive.into_inner().and_then(GzEncoder::finish).usage(cannot)?;
    let beside = written.into_inner().usage(cannot)?;
    beside.persist_noclobber(to).map_err(|e| {
        let exists = e.error.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::usage(format!("{}: {}", cannot(), e.error));
        if exists { error.help("Nothing is written over. Name another file with --output.") } else { error }
    })?;
    Ok(())
}

fn append<W: Write>(archive: &mut tar::Builder<W>, name: &str, size: u64, from: impl Read) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    // A file that grows meanwhile stays as long as it was measured; one that shrinks is found out by whoever reads the bundle.
    archive.append(&header, from.take(size))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
