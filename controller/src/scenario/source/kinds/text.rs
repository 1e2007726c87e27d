//! Texts and names.

use super::{Kind, Wrong};
use crate::scenario::model::BoxName;
use crate::scenario::names;
use schemars::{Schema, json_schema};

/// Text of several lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prose;

impl Kind for Prose {
    type Value = String;
    const WHAT: &'static str = "the text";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        if let Some(odd) = text.chars().find(|c| c.is_control() && !"\n\t".contains(*c)) {
            return Err(Wrong::new(format!("the text holds the control character {odd:?}"), "not in a text"));
        }
        match text.trim() {
            "" => Err(Wrong::new("the text is empty", "something must stand here")),
            text => Ok(text.to_owned()),
        }
    }
}

/// Text of one line, not empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line;

impl Kind for Line {
    type Value = String;
    const WHAT: &'static str = "the text";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        Prose::read(text)?;
        // A block scalar (`|`) ends in a newline that nobody means.
        let line = text.strip_suffix('\n').unwrap_or(text);
        match line.contains('\n') {
            true => Err(Wrong::new("the text has several lines", "one line must stand here")),
            false => Ok(line.to_owned()),
        }
    }
}

/// Longest line that a terminal in canonical mode takes, without its newline (`N_TTY_BUF_SIZE` of
/// `drivers/tty/n_tty.c` is 4096; what is longer is cut off).
const LONGEST_LINE: usize = 4095;

/// A line that is typed. It may be empty.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Typed;

impl Kind for Typed {
    type Value = String;
    const WHAT: &'static str = "the line to type (`\"\"` for an empty one)";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "maxLength": LONGEST_LINE })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        if line.contains('\n') {
            return Err(Wrong::new("only one line can be typed at a time", "several lines")
                .help("write a step for each line: `- type: ...`"));
        }
        if let Some(odd) = line.chars().find(|c| c.is_control()) {
            return Err(Wrong::new(format!("the line holds the control character {odd:?}"), "cannot be typed as text")
                .help("`end-input` types the end of file (^D); `signal: INT` does what ^C does"));
        }
        if line.len() > LONGEST_LINE {
            let fact = format!("the line is {} bytes long, a terminal takes {LONGEST_LINE}", line.len());
            return Err(Wrong::new(fact, "too long"));
        }
        Ok(line.to_owned())
    }
}

/// A section of the textbook: "5.15".
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section;

impl Kind for Section {
    type Value = String;
    const WHAT: &'static str = "the section";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^\d+(\.\d+)*$", "examples": ["5.15"] })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        let part = |p: &str| !p.is_empty() && p.len() <= 3 && p.bytes().all(|b| b.is_ascii_digit());
        match text.split('.').all(part) {
            true => Ok(text.to_owned()),
            false => Err(Wrong::new(format!("{text:?} is no section"), "not of the form \"5.15\"")),
        }
    }
}

/// A box of Vagrant's.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BoxWord;

impl Kind for BoxWord {
    type Value = BoxName;
    const WHAT: &'static str = "a box's name";

    fn schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?(@[A-Za-z0-9][A-Za-z0-9._-]*)?$",
            "examples": ["debian/bookworm64", "debian/bookworm64@12.20250126.1"],
        })
    }

    fn read(text: &str) -> Result<BoxName, Wrong> {
        text.parse().map_err(|_| {
            Wrong::new(format!("{text:?} is no box's name"), "not of the form `debian/bookworm64`")
                .help("a name, or a name and a version of it: `debian/bookworm64@12.20250126.1`")
        })
    }
}

/// A name that is made up here: of a step, an expectation, the scenario.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name;

impl Kind for Name {
    type Value = String;
    const WHAT: &'static str = "the name";

    fn schema() -> Schema {
        name_form(names::LONGEST_NAME)
    }

    fn read(text: &str) -> Result<String, Wrong> {
        read_name(text, names::LONGEST_NAME)
    }
}

/// What a name of at most `longest` characters looks like.
pub(crate) fn name_form(longest: usize) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[a-z]([a-z0-9-]*[a-z0-9])?$", "maxLength": longest })
}

/// Reads a name of at most `longest` characters.
pub(crate) fn read_name(text: &str, longest: usize) -> Result<String, Wrong> {
    let Some(why) = names::wrong_with(text, longest) else {
        return Ok(text.to_owned());
    };
    let rule = format!("a name is lower-case letters, digits and hyphens, begins with a letter, at most {longest}");
    let help = names::mended(text, longest).map_or(rule.clone(), |name| format!("{rule}: `{name}`"));
    Err(Wrong::new(format!("{text:?} cannot be a name"), why).help(help))
}

/// The name of something that is declared elsewhere: a host, a program, a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reference;

impl Kind for Reference {
    type Value = String;
    const WHAT: &'static str = "a name";

    fn schema() -> Schema {
        json_schema!({ "type": "string" })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        Ok(text.to_owned())
    }
}

/// A command. No shell reads it where words are wanted; `run` steps are read by `/bin/sh`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command;

impl Kind for Command {
    type Value = String;
    const WHAT: &'static str = "a command";

    fn schema() -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }

    fn read(text: &str) -> Result<String, Wrong> {
        if text.trim().is_empty() {
            return Err(Wrong::new("the command is empty", "a command must stand here"));
        }
        match text.chars().find(|c| c.is_control() && *c != '\n') {
            Some(odd) => {
                Err(Wrong::new(format!("the command holds the control character {odd:?}"), "not in a command"))
            }
            None => Ok(text.trim_end().to_owned()),
        }
    }
}
