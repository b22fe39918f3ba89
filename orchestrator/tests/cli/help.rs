//! What `--help` of each command says.

use crate::program::portproof;
use clap::CommandFactory as _;
use portproof::cli::Cli;
use std::path::Path;

/// Every command a person can see, as the words after `portproof`.
fn commands() -> Vec<Vec<String>> {
    fn below(command: &clap::Command, path: &[String], all: &mut Vec<Vec<String>>) {
        all.push(path.to_vec());
        for inner in command.get_subcommands().filter(|it| !it.is_hide_set()) {
            let mut path = path.to_vec();
            path.push(inner.get_name().to_owned());
            below(inner, &path, all);
        }
    }
    let mut all = Vec::new();
    below(&Cli::command(), &[], &mut all);
    all
}

#[test]
fn every_command_says_what_it_does() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for mut words in commands {
        let name = std::iter::once("portproof".to_owned())
            .chain(words.clone())
            .collect::<Vec<_>>()
            .join("-");
        words.push("--help".to_owned());
        let ran = portproof(Path::new("/"), &words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{words:?}");
        insta::assert_snapshot!(name, ran.out);
    }
}

#[test]
fn commands_that_portproof_calls_itself_by_are_not_shown() {
    let help = portproof(Path::new("/"), ["--help"]).out;
    assert!(help.contains("cleanup") && !help.contains("node-init"));
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}
