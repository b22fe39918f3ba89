//! Runs programs of the operating system and tells why they failed.

use super::error::LabError;
use std::process::{Output, Stdio};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Runs a program to its end; its standard output when it succeeds.
///
/// # Errors
/// It cannot be started, or it ends with another status than 0.
pub(crate) async fn run(program: &str, args: &[&str]) -> Result<String, LabError> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await;
    checked(program, args, output)
}

/// As [`run`], with text on the program's standard input.
///
/// # Errors
/// As [`run`].
pub(crate) async fn run_with_input(
    program: &str,
    args: &[&str],
    input: &str,
) -> Result<String, LabError> {
    checked(program, args, feed(program, args, input).await)
}

async fn feed(program: &str, args: &[&str], input: &str) -> std::io::Result<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early closes its input; its status tells more than the broken pipe.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    child.wait_with_output().await
}

/// Turns the outcome of a program into its output or an error.
///
/// # Errors
/// It could not be started, or it ended with another status than 0.
pub(crate) fn checked(
    program: &str,
    args: &[&str],
    output: std::io::Result<Output>,
) -> Result<String, LabError> {
    let output = output.map_err(|source| LabError::Spawn {
        program: program.to_owned(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(LabError::Command {
        command: format!("{program} {}", args.join(" ")),
        status: output.status.to_string(),
        message: last_words(&output),
    })
}

fn last_words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_program_is_told_with_its_last_words() {
        let error = run("sh", &["-c", "echo broken pipe dream >&2; exit 3"])
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("broken pipe dream"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run("no-such-program", &[]).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`");
    }

    #[tokio::test]
    async fn input_reaches_the_program() {
        assert_eq!(run_with_input("cat", &[], "text").await.unwrap(), "text");
    }
}
