//! What kind of a file a program is, by its first bytes (elf(5), execve(2)).

use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

/// What a program needs where it runs, beside a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is statically linked.
    Nothing,
    /// This loader, and the shared libraries that the loader knows to find.
    Loader(String),
    /// This interpreter; and what env(1) is to look for, if that is it.
    Interpreter(String, Option<String>),
}

/// What the program in `bytes` needs; or why no guest can run it, to follow its name.
pub(super) fn needs(bytes: &[u8]) -> Result<Needs, String> {
    if let Some(rest) = bytes.strip_prefix(b"#!") {
        return script(rest);
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err("is no program: neither an ELF executable nor a script that begins with #!".to_owned());
    }
    // A 32-bit program would run, but the kernel's tracepoints do not see its system calls (ftrace skips those of
    // compatibility mode): it would go unwitnessed.
    if let Ok(header) = FileHeader32::<Endianness>::parse(bytes) {
        let machine = header.endian().map(|endian| header.e_machine(endian)).unwrap_or_default();
        return Err(format!("is a 32-bit program{}; the hosts run programs for x86-64", of(machine)));
    }
    let damaged = |error: object::read::Error| format!("is a damaged ELF file: {error}");
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(damaged)?;
    let endian = header.endian().map_err(damaged)?;
    let machine = header.e_machine(endian);
    if machine != EM_X86_64 {
        return Err(format!("is a program{}; the hosts run programs for x86-64", of(machine)));
    }
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return Err("is an ELF file, but no executable: is it linked?".to_owned());
    }
    for segment in header.program_headers(endian, bytes).map_err(damaged)? {
        if let Some(loader) = segment.interpreter(endian, bytes).map_err(damaged)? {
            return Ok(Needs::Loader(String::from_utf8_lossy(loader).into_owned()));
        }
    }
    Ok(Needs::Nothing)
}

/// " for aarch64"
fn of(machine: u16) -> String {
    let name = match machine {
        elf::EM_386 => "i386",
        elf::EM_ARM => "ARM",
        elf::EM_AARCH64 => "aarch64",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC64 => "POWER",
        elf::EM_S390 => "S/390",
        elf::EM_X86_64 => "x32",
        _ => return format!(" for another processor (ELF machine {machine})"),
    };
    format!(" for {name}")
}

/// The line after `#!`: an interpreter and at most one argument.
fn script(rest: &[u8]) -> Result<Needs, String> {
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    if line.ends_with('\r') {
        return Err(
            "ends its #! line with a carriage return, as on DOS: no kernel finds such an interpreter".to_owned()
        );
    }
    let mut words = line.split_whitespace();
    let Some(interpreter) = words.next() else { return Err("names no interpreter after #!".to_owned()) };
    let by_env = interpreter.ends_with("/env");
    let sought = words.find(|word| !word.starts_with('-') && !word.contains('='));
    Ok(Needs::Interpreter(interpreter.to_owned(), sought.filter(|_| by_env).map(str::to_owned)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn scripts_need_their_interpreter_and_what_env_looks_for() {
        let interpreter =
            |path: &str, sought: Option<&str>| Ok(Needs::Interpreter(path.to_owned(), sought.map(str::to_owned)));
        assert_eq!(needs(b"#!/bin/sh\nexit\n"), interpreter("/bin/sh", None));
        assert_eq!(needs(b"#! /bin/sh -e"), interpreter("/bin/sh", None));
        assert_eq!(needs(b"#!/usr/bin/env python3\n"), interpreter("/usr/bin/env", Some("python3")));
        assert_eq!(needs(b"#!/usr/bin/env -S A=b perl -w\n"), interpreter("/usr/bin/env", Some("perl")));
        assert!(needs(b"#!\n").unwrap_err().contains("no interpreter"));
        assert!(needs(b"#!/bin/sh\r\n").unwrap_err().contains("carriage return"));
    }

    #[test]
    fn our_static_programs_need_nothing_and_this_test_needs_a_loader() {
        assert_eq!(needs(crate::embedded::guest_program("echo-client").unwrap()), Ok(Needs::Nothing));
        let this = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let Ok(Needs::Loader(loader)) = needs(&this) else { panic!("{:?}", needs(&this)) };
        assert!(loader.contains("/ld-"), "{loader}");
    }

    #[test]
    fn what_no_guest_can_run_is_told_from_what_it_can() {
        let ours = crate::embedded::guest_program("echo-client").unwrap();
        let altered = |at: usize, byte: u8| {
            let mut bytes = ours.to_vec();
            bytes[at] = byte;
            needs(&bytes).unwrap_err()
        };
        // Offsets of elf(5): e_ident[EI_CLASS], e_type, e_machine, e_phnum.
        assert!(altered(4, 1).contains("32-bit"), "{}", altered(4, 1));
        assert!(altered(16, 1).contains("is it linked?"));
        assert!(altered(18, 183).contains("for aarch64; the hosts run programs for x86-64"));
        assert!(altered(18, 99).contains("ELF machine 99"));
        assert!(altered(57, 255).contains("damaged"));
        assert!(needs(&ours[..40]).unwrap_err().contains("damaged"));
        for text in ["", "hello", "int main() {}"] {
            assert!(needs(text.as_bytes()).unwrap_err().contains("neither"));
        }
    }
}
