#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

/// The help of a verb (of the program itself where it is empty) as `--help` prints it, 100 columns wide.
fn help(verb: &[&str]) -> String {
    // Each level has its own width.
    fn fixed(command: clap::Command) -> clap::Command {
        command.term_width(WIDEST).mut_subcommands(fixed)
    }
    let arguments = ["controller"].into_iter().chain(verb.iter().copied()).chain(["--help"]);
    fixed(command()).try_get_matches_from(arguments).unwrap_err().to_string()
}

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn clap_finds_no_fault_with_the_arguments() {
    command().debug_assert();
}

#[test]
fn help_is_what_users_were_told() {
    for verb in [
        "",
        "run",
        "list",
        "show",
        "check",
        "image",
        "image box",
        "image build",
        "image list",
        "image programs",
        "image remove",
        "checkpoint",
        "checkpoint list",
        "checkpoint remove",
        "machines",
        "machines list",
        "machines remove",
        "doctor",
        "bench",
        "textbook",
        "timeouts",
        "schema",
        "completions",
        "man",
    ] {
        let words: Vec<&str> = verb.split_whitespace().collect();
        let name = format!("help {verb}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, help(&words));
    }
}

#[test]
fn no_line_of_help_is_wider_than_told() {
    for verb in command().get_subcommands().map(clap::Command::get_name) {
        let text = help(&[verb]);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= WIDEST, "{verb}: {widest}");
    }
}

#[test]
fn run_has_sensible_defaults() {
    let Command::Run(args) = parsed("controller run crash-reboot").unwrap().command else { panic!() };
    assert_eq!((args.scenarios, args.kernel), (vec!["crash-reboot".to_owned()], None));
    assert_eq!((args.out, args.format, args.repeat.get(), args.quiet), (None, Format::Text, 1, false));
    assert_eq!((args.accel, args.jobs, args.junit), (crate::machine::Choice::Auto, None, None));
}

#[test]
fn run_takes_several_scenarios_or_all_of_them() {
    let Command::Run(args) = parsed("controller run a ./b.yaml a --jobs 3 --repeat 2").unwrap().command else {
        panic!()
    };
    assert_eq!((args.scenarios.len(), args.all, args.jobs.unwrap().get()), (3, false, 3));
    let Command::Run(args) = parsed("controller run --all").unwrap().command else { panic!() };
    assert!(args.all && args.scenarios.is_empty());
}

#[test]
fn run_takes_a_range_of_seeds() {
    let Command::Run(args) = parsed("controller run a --seeds 1..50 --time lockstep").unwrap().command else {
        panic!()
    };
    assert_eq!((args.seeds, args.seed), (Some(1..=50), 0));
}

#[test]
fn verbose_is_taken_before_and_after_the_verb() {
    for line in ["controller -vv list", "controller list -vv", "controller -v list -v"] {
        let verbose = parsed(line).unwrap().verbose;
        assert!(verbose > 0, "{line}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    for line in [
        "controller",
        "controller run",
        "controller run a --all",
        "controller run a b --jobs 0",
        "controller run a --repeat 0",
        "controller run a --seeds",
        "controller run a --seeds 1-50",
        "controller run a --seeds 5..1",
        "controller run a --seeds 1..9 --seed 3",
        "controller run a --seeds 1..9 --repeat 2",
        "controller run a --accel hvf",
        "controller run a --format xml",
        "controller check",
        "controller image",
        "controller completions csh",
        "controller rnu",
    ] {
        let error = parsed(line).unwrap_err();
        assert!(error.use_stderr(), "{line}");
    }
}
