//! The documents of the project say what the program does: commands parse, files exist, sample output is what is
//! printed today, and the table of checks is the catalogue.

use crate::program::{portproof, repository};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use portproof::cli::Cli;
use portproof::scenario;
use portproof::verify::catalogue;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

const DOCUMENTS: [&str; 3] = ["README.md", "CONTRIBUTING.md", "SECURITY.md"];
/// Programs of others that examples may use.
const FOREIGN: [&str; 3] = ["kubectl", "cargo", "git"];

fn document(name: &str) -> String {
    std::fs::read_to_string(repository().join(name)).unwrap()
}

/// The blocks of a document that show a terminal.
fn consoles(text: &str) -> Vec<Vec<&str>> {
    blocks(text, "```console")
}

/// The blocks of a document that begin with this line.
fn blocks<'a>(text: &'a str, first: &str) -> Vec<Vec<&'a str>> {
    let mut blocks: Vec<Vec<&str>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line {
            line if line == first => {
                inside = true;
                blocks.push(Vec::new());
            }
            "```" => inside = false,
            line if inside => blocks.last_mut().unwrap().push(line),
            _ => {}
        }
    }
    blocks
}

/// What a person would type: the lines after `$ `, without comments.
fn commands(text: &str) -> Vec<String> {
    let lines = consoles(text).into_iter().flatten();
    let typed = lines.filter_map(|line| line.strip_prefix("$ "));
    typed
        .map(|line| line.split(" #").next().unwrap().trim().to_owned())
        .collect()
}

/// What stands between backticks in the text outside of blocks.
fn inline(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, block) in text.split("```").enumerate() {
        if number % 2 == 0 {
            let spans = block.split('`').skip(1).step_by(2);
            words.extend(spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    words
}

/// Why a command line of ours is none, if so. Help and versions are answers, not errors.
fn refused(line: &str, may_be_short: bool) -> Option<String> {
    let line = line.split('>').next().unwrap();
    let error = Cli::command()
        .try_get_matches_from(line.split_whitespace())
        .err()?;
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            if may_be_short =>
        {
            None
        }
        _ => Some(error.to_string()),
    }
}

fn check_command(line: &str) {
    let program = line.split_whitespace().next().unwrap();
    if let Some((_, inner)) = line.split_once("$(") {
        check_command(inner.split_once(')').unwrap().0);
    }
    if program == "portproof" {
        assert_eq!(refused(line, false), None, "`{line}`");
    } else if program.starts_with("ci/") {
        assert!(repository().join(program).is_file(), "`{line}`");
    } else {
        assert!(
            FOREIGN.contains(&program),
            "`{line}`: nobody knows `{program}`"
        );
    }
    for word in line.split_whitespace().skip(1) {
        if word.starts_with("scenarios/") {
            assert!(repository().join(word).exists(), "`{line}`: no `{word}`");
        }
    }
}

#[test]
fn every_command_that_is_shown_can_be_typed() {
    let mut seen = 0;
    for name in DOCUMENTS {
        for line in commands(&document(name)) {
            check_command(&line);
            seen += 1;
        }
    }
    assert!(seen >= 8, "only {seen} commands were found");
}

#[test]
fn every_command_that_is_spoken_of_exists() {
    let mut seen = 0;
    for name in DOCUMENTS {
        let spoken = inline(&document(name));
        for line in spoken.iter().filter(|it| it.starts_with("portproof ")) {
            assert_eq!(refused(line, true), None, "{name}: `{line}`");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} commands were found");
}

/// Every Rust file below a directory.
fn sources(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// A command in backticks, up to the first word that stands for another.
fn advised(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("`portproof ")?;
    let command = rest.split(['`', '{', '<', '\\']).next().unwrap();
    Some(format!("portproof {command}"))
}

#[test]
fn every_command_that_the_program_itself_advises_exists() {
    let mut seen = 0;
    for source in sources(&repository().join("orchestrator/src")) {
        for line in source.lines().filter(|line| !line.contains("//")) {
            let Some(command) = advised(line) else {
                continue;
            };
            assert_eq!(refused(&command, true), None, "`{command}`");
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} commands were found");
}

#[test]
fn commands_that_cannot_be_typed_are_noticed() {
    assert!(refused("portproof lab upp", true).is_some());
    assert!(refused("portproof run x.yaml --fast", false).is_some());
    assert!(refused("portproof cleanup", false).is_some());
    assert_eq!(refused("portproof cleanup", true), None);
}

/// A piece of a scenario, put in where the rehearsal has its like, makes a scenario again.
#[test]
fn every_piece_of_a_scenario_in_the_documents_is_one() {
    let rehearsal =
        std::fs::read_to_string(repository().join("scenarios/level2/rehearsal.yaml")).unwrap();
    let texts = DOCUMENTS.map(document);
    let pieces = texts.iter().flat_map(|text| blocks(text, "```yaml"));
    let mut checked = 0;
    for piece in pieces {
        let first = format!("{}\n", piece[0]);
        assert!(rehearsal.contains(&first), "{piece:?}");
        let text = rehearsal.replacen(&first, &format!("{}\n", piece.join("\n")), 1);
        let read = scenario::load(Path::new("x.yaml"), &text);
        assert!(
            read.is_ok_and(|scenario| scenario.stack.upstream.is_some()),
            "{piece:?}"
        );
        checked += 1;
    }
    assert!(checked > 0);
}

/// Where a path that a document names may begin.
const PLACES: [&str; 4] = ["", "orchestrator/src", "orchestrator", "scenarios"];

fn is_path(word: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || "./-_".contains(c);
    word.contains('/') && !word.starts_with('/') && word.chars().all(letters)
}

#[test]
fn every_file_that_is_named_exists() {
    let mut seen = 0;
    for name in DOCUMENTS {
        for word in inline(&document(name)).into_iter().filter(|it| is_path(it)) {
            if catalogue::find(&word).is_some() {
                continue;
            }
            let there = |place: &&str| repository().join(place).join(&word).exists();
            assert!(PLACES.iter().any(there), "{name}: no `{word}`");
            seen += 1;
        }
    }
    assert!(seen >= 10, "only {seen} files were found");
}

#[test]
fn every_link_leads_to_a_file() {
    for name in DOCUMENTS {
        for target in document(name).split("](").skip(1) {
            let target = target.split(')').next().unwrap();
            let local = !target.contains("://") && !target.starts_with('#');
            assert!(
                !local || repository().join(target).exists(),
                "{name}: {target}"
            );
        }
    }
}

/// The checks that the table of the README names.
fn checks_of_the_table(text: &str) -> Vec<&str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next())
        .filter(|id| id.contains('/') && !id.ends_with('/'))
        .collect()
}

#[test]
fn the_table_of_checks_is_the_catalogue() {
    let readme = document("README.md");
    let named: BTreeSet<_> = checks_of_the_table(&readme).into_iter().collect();
    let known: BTreeSet<_> = catalogue::ALL.iter().map(|check| check.id).collect();
    assert_eq!(named, known);
}

/// Every scenario below a directory.
fn scenarios(directory: &Path) -> Vec<scenario::Scenario> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(scenarios(&path));
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(scenario::load(&path, &text).unwrap());
        }
    }
    found
}

#[test]
fn for_every_check_there_is_a_stack_that_must_fail_it() {
    let broken = scenarios(&repository().join("scenarios/broken"));
    let failing: BTreeSet<_> = broken.iter().flat_map(|it| &it.expect_failed).collect();
    for check in catalogue::ALL {
        assert!(failing.contains(&check.id.to_owned()), "{}", check.id);
    }
}

/// A line of output without what differs from run to run.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for word in line.split_whitespace() {
        let word = if word.starts_with("runs/r") {
            "runs/RUN/report.html"
        } else if word.chars().next().is_some_and(|c| c.is_ascii_digit()) {
            "N"
        } else if word.starts_with('─') {
            "─"
        } else {
            word
        };
        shape.push_str(word);
        shape.push(' ');
    }
    shape
}

/// The recorded run as today's program writes it: the first version of the format did not say who removed what.
fn recorded_today() -> String {
    let recorded = repository().join("orchestrator/tests/cli/recorded/passed.jsonl");
    let text = std::fs::read_to_string(recorded).unwrap();
    let mut today = String::new();
    for line in text.lines() {
        let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
        if event["event"] == "cleanup_finished" {
            event["by_agent"] = 14.into();
            event["removed"] = 6.into();
        }
        writeln!(today, "{event}").unwrap();
    }
    today
}

/// The lines from the table on that `report` prints of the recorded run.
fn printed() -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("runs/r1ng2vp648g");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("events.jsonl"), recorded_today()).unwrap();
    let printed = portproof(directory.path(), ["report"]).out;
    let from_the_table = printed
        .lines()
        .skip_while(|line| !line.starts_with(" check "));
    shapes(from_the_table)
}

fn shapes<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    lines.filter(|line| !line.is_empty()).map(shape).collect()
}

#[test]
fn the_report_that_is_shown_is_the_one_that_is_printed_line_by_line() {
    let readme = document("README.md");
    let shown = consoles(&readme).into_iter().find(|block| {
        block[0].starts_with("$ portproof run") && block.iter().any(|line| line.contains("passed"))
    });
    let shown = shapes(shown.unwrap().into_iter().skip(1));
    assert_eq!(shown, printed());
}
