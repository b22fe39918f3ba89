//! What is said about scenario files that cannot be run: what, where, and what to do.

use crate::program::{Ran, finish, portproof, repository};
use std::path::Path;
use std::process::Command;

/// The rehearsal after one change, as `x.yaml` in a directory of its own; what `validate` and `run` say about it.
fn said(from: &str, to: &str) -> Ran {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), from, to);
    let validated = portproof(directory.path(), ["validate", "x.yaml"]);
    let ran = portproof(directory.path(), ["run", "x.yaml"]);
    assert_eq!(
        (ran.code, &ran.err, &ran.out),
        (validated.code, &validated.err, &validated.out),
        "`run` and `validate` differ"
    );
    assert!(!directory.path().join("runs").exists());
    validated
}

fn write(directory: &Path, from: &str, to: &str) {
    let good = repository().join("scenarios/level2/rehearsal.yaml");
    let good = std::fs::read_to_string(good).unwrap();
    assert!(good.contains(from), "the rehearsal does not hold `{from}`");
    std::fs::write(directory.join("x.yaml"), good.replacen(from, to, 1)).unwrap();
}

macro_rules! wrong {
    ($($name:ident: $from:literal => $to:literal),* $(,)?) => {$(
        #[test]
        fn $name() {
            let ran = said($from, $to);
            assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
            insta::assert_snapshot!(ran.err);
        }
    )*};
}

wrong! {
    an_unknown_key_is_shown_with_the_one_that_was_meant: "requests: 4000" => "request: 4000",
    a_wrong_type_is_shown_with_the_right_one: "rate: 800" => "rate: fast",
    an_id_that_is_used_twice_is_shown: "id: carry" => "id: tools",
    a_role_that_no_cluster_has_is_shown: "to: b" => "to: c",
    a_tab_is_shown_as_what_it_is: "    - id: carry" => "\t- id: carry",
    a_file_that_ends_too_early_is_shown: "metadata:" => "metadata: {",
    a_gateway_that_the_lab_does_not_have_is_shown: "gateway: envoy" => "gateway: nginx",
    a_version_that_is_not_known_is_shown: "portproof.dev/v1alpha1" => "portproof.dev/v9",
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["validate", "run"] {
        let ran = portproof(directory.path(), [command, "absent.yaml"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.err);
        }
    }
}

#[test]
fn every_file_is_looked_at_and_the_good_ones_are_said_to_be_good() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "requests: 4000", "requests: 4000");
    std::fs::rename(
        directory.path().join("x.yaml"),
        directory.path().join("good.yaml"),
    )
    .unwrap();
    write(directory.path(), "rate: 800", "rate: fast");
    let ran = portproof(
        directory.path(),
        ["validate", "absent.yaml", "x.yaml", "good.yaml"],
    );
    insta::assert_snapshot!(ran.all());
}

#[test]
fn a_pipe_gets_no_colour_and_a_terminal_gets_none_with_no_color() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "rate: 800", "rate: fast");
    let piped = portproof(directory.path(), ["validate", "x.yaml"]);
    assert!(!piped.err.contains('\u{1b}'), "{}", piped.err);
    let plain = on_a_terminal(directory.path(), Some("1"));
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let coloured = on_a_terminal(directory.path(), None);
    assert!(coloured.contains("\u{1b}["), "{coloured}");
}

/// What the program writes to a terminal; `script` makes one.
fn on_a_terminal(directory: &Path, no_color: Option<&str>) -> String {
    let program = env!("CARGO_BIN_EXE_portproof");
    let mut command = Command::new("script");
    crate::program::isolate(&mut command, directory);
    command.args(["--quiet", "--return", "--command"]);
    command.arg(format!("'{program}' validate x.yaml"));
    command.arg("/dev/null");
    if let Some(value) = no_color {
        command.env("NO_COLOR", value);
    }
    let ran = finish(command);
    assert_eq!(ran.code, Some(2), "{}{}", ran.out, ran.err);
    ran.out
}

/// What `validate` says about a file with these bytes.
fn said_of(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.yaml"), bytes).unwrap();
    let ran = portproof(directory.path(), ["validate", "x.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert!(ran.err.len() < 4_000, "{} bytes of error", ran.err.len());
    ran.err
}

#[test]
fn what_is_said_of_files_that_are_no_scenario_at_all() {
    let endless = vec![b'a'; 1 << 20];
    let number = format!("apiVersion: {}", "a".repeat(1 << 20));
    let files: [(&str, &[u8]); 7] = [
        ("nothing", b""),
        ("blank lines", b"\n \n"),
        ("a list", b"- a\n- b\n"),
        ("text", b"just text\n"),
        ("a MiB of a", &endless),
        ("a value of a MiB", number.as_bytes()),
        ("no UTF-8", b"kind: \xc3\x28\n"),
    ];
    let said = files.map(|(name, bytes)| format!("--- {name}\n{}", said_of(bytes)));
    insta::assert_snapshot!(said.concat());
}

#[test]
fn a_directory_and_an_endless_file_are_no_scenario() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("d.yaml")).unwrap();
    let said = ["d.yaml", "/dev/zero"].map(|file| portproof(directory.path(), ["validate", file]));
    insta::assert_snapshot!(said.map(|ran| ran.all()).concat());
}

#[test]
fn a_scenario_without_clusters_is_told_so_once() {
    let ran = said(
        "  clusters:\n    a: {lab: {gateway: traefik}}\n    b: {lab: {gateway: envoy}}",
        "  clusters: {}",
    );
    assert!(!ran.err.contains("there is no cluster `"), "{}", ran.err);
    assert!(ran.err.contains("there is no cluster"), "{}", ran.err);
}
