//! Root's shell on a guest: what SSH starts.
//!
//! It sets the `PATH` that the lab's programs are on, which SSH does not give (dropbear's own `DEFAULT_ROOT_PATH` ends at
//! `/bin`), and hands over to `/bin/sh`. A command that names this very program needs no `/bin/sh`: its words are taken apart
//! here, and it is carried out at once. To start a shell takes an emulated processor 50 ms, each time.

use crate::{PROGRAM_DIR, WITNESS};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The name by which this program knows that it is the shell; a login shell's has a hyphen before it (login(1)).
const NAME: &str = "shell";

/// Where programs are looked for.
fn path() -> String {
    format!("/usr/local/sbin:/usr/local/bin:{PROGRAM_DIR}:/usr/sbin:/usr/bin:/sbin:/bin")
}

/// Whether a process of this name (`argv[0]`) is to be the shell.
#[must_use]
pub fn is_meant(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or_default();
    base.strip_prefix('-').unwrap_or(base) == NAME
}

/// Sets the `PATH` for this process and what it becomes.
#[allow(unsafe_code)] // To set a variable is unsafe where there are threads that read it.
pub fn set_path() {
    // SAFETY: this process has one thread.
    unsafe { std::env::set_var("PATH", path()) };
}

/// Is the shell. `arguments`: those after the name. Returns the words after our own name if the command is one of ours, else
/// becomes `/bin/sh`; or says why it cannot, with an exit status.
///
/// # Errors
/// The exit status, where there is no `/bin/sh`.
pub fn serve(arguments: impl Iterator<Item = String>) -> Result<Vec<String>, i32> {
    set_path();
    let arguments: Vec<String> = arguments.collect();
    if let [option, command] = arguments.as_slice()
        && option == "-c"
        && let Some(words) = ours(command)
    {
        return Ok(words);
    }
    let mut shell = Command::new("/bin/sh");
    if arguments.is_empty() {
        shell.arg("-l");
    }
    let error = shell.args(&arguments).exec();
    crate::wrap::complain(format_args!("/bin/sh: {error}"));
    Err(127)
}

/// The command that has the program at `witness` carry out these words: [`serve`] itself, where that is [`WITNESS`]. The words,
/// and the path, are quoted already where they need it.
#[must_use]
pub fn command(witness: &str, words: &str) -> String {
    format!("exec {witness} {words}")
}

/// The words after our own name, if this command names us and is no more than words: plain ones, in single quotes, or with a
/// backslash before a character.
fn ours(command: &str) -> Option<Vec<String>> {
    let rest = command.strip_prefix("exec ")?.strip_prefix(WITNESS)?.strip_prefix(' ')?;
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        quoted => word.push(quoted),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next().filter(|it| *it != '\n')?),
            _ if letter.is_ascii_alphanumeric() || "_-./:,@%+=".contains(letter) => {
                word.get_or_insert_default().push(letter);
            }
            _ => return None,
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_of_ours_are_taken_apart_as_a_shell_does() {
        for words in [
            "attend a1 echo-server -- echo-server",
            "attend a1 x -- sh -c 'echo \"$HOME\"; sleep 1' '' 'it'\\''s'",
            "attend  a1 x -- a'b'c \\$x 'two\nlines'  ",
        ] {
            let shell = Command::new("sh").args(["-c", &format!("printf '%s\\0' {words}")]).output().unwrap();
            let shell = String::from_utf8(shell.stdout).unwrap();
            let wanted: Vec<&str> = shell.split_terminator('\0').collect();
            assert_eq!(ours(&command(WITNESS, words)).unwrap(), wanted, "{words}");
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_left_to_it() {
        for words in
            ["tell; reboot", "tell $HOME", "tell `id`", "tell >x", "tell 'open", "tell \"x\"", "tell *", "tell\n"]
        {
            assert_eq!(ours(&command(WITNESS, words)), None, "{words}");
        }
        assert_eq!(ours("exec /run/deadpeer/witnesses tell"), None);
        assert_eq!(ours("/run/deadpeer/witness tell"), None);
    }

    #[test]
    fn a_shell_is_known_by_its_name() {
        for name in ["shell", "-shell", "/usr/lib/deadpeer/shell"] {
            assert!(is_meant(name), "{name}");
        }
        for name in ["", "witness", "/run/deadpeer/witness", "eggshell"] {
            assert!(!is_meant(name), "{name}");
        }
    }
}
