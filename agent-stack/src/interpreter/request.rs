//! What a caller sends to have a program run, and what it gets back.

use super::body::{ErrorCode, Failure};
use super::limits::{LimitArgs, Limits, WantedLimits};
use super::report::{Confinement, EndedBy, Usage};
use super::run::Execution;
use super::workspace::{FileCaps, InnerPath, OutputFile, Program};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest program, in bytes.
const LONGEST_CODE: usize = 256 << 10;

/// Body of `POST /v1/execute`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExecuteRequest {
    /// Python source.
    pub code: String,
    /// Longest time it may run, in seconds: a short form of `limits.wallSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// What it may use.
    #[serde(default)]
    pub limits: WantedLimits,
    /// Files beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<EncodedFile>,
}

/// A file in a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EncodedFile {
    /// Path relative to the program's directory.
    pub path: String,
    /// What is in it, in base64 (RFC 4648, section 4).
    pub content_base64: String,
}

/// Answer to `POST /v1/execute`.
///
/// `stdout`, `stderr`, `exitCode`, `timedOut`, `truncated` and `endedBy` are the program's own doing and the same wherever
/// it runs; the other members tell about the place it ran in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecuteAnswer {
    /// What the program wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; 128 + n after signal n.
    pub exit_code: i32,
    /// Whether it was ended because its time was over.
    pub timed_out: bool,
    /// Whether it wrote more than is kept.
    pub truncated: bool,
    /// What ended it.
    pub ended_by: EndedBy,
    /// Files it made or changed.
    pub files: Vec<EncodedFile>,
    /// How many of those are not among `files`: beyond the caps, or not plain files with a name in UTF-8.
    pub files_omitted: u64,
    /// The limits that held for it.
    pub limits: Limits,
    /// What it used.
    pub usage: Usage,
    /// What confined it.
    pub confinement: Confinement,
    /// The finished spans of this request: base64 of an OTLP `ExportTraceServiceRequest`. The caller relays them,
    /// because this pod may not reach the collector.
    pub spans: String,
}

impl ExecuteAnswer {
    pub(super) fn new(execution: Execution, spans: String) -> Self {
        Self {
            timed_out: execution.timed_out(),
            stdout: execution.stdout,
            stderr: execution.stderr,
            exit_code: execution.exit_code,
            truncated: execution.truncated,
            ended_by: execution.ended_by,
            files: execution.files.files.into_iter().map(encode).collect(),
            files_omitted: execution.files.omitted,
            limits: execution.limits,
            usage: execution.usage,
            confinement: execution.confinement,
            spans,
        }
    }
}

fn encode(file: OutputFile) -> EncodedFile {
    EncodedFile {
        path: file.path,
        content_base64: STANDARD.encode(file.content),
    }
}

impl ExecuteRequest {
    /// The limits that hold for the program.
    pub(super) fn limits(&self, args: &LimitArgs) -> Result<Limits, Failure> {
        let invalid = |message: String| Failure::invalid(ErrorCode::InvalidLimit, message);
        let wanted = match (self.timeout_seconds, self.limits.wall_seconds) {
            (Some(_), Some(_)) => {
                let message = "`timeoutSeconds` and `limits.wallSeconds` are the same; send one";
                return Err(invalid(message.into()));
            }
            (short, long) => WantedLimits {
                wall_seconds: short.or(long),
                ..self.limits
            },
        };
        let limits = args.resolve(&wanted);
        limits.map_err(|error| invalid(error.to_string()))
    }

    /// The program and its files, checked.
    pub(super) fn program(self, caps: FileCaps) -> Result<Program, Failure> {
        check_code(&self.code)?;
        Ok(Program {
            code: self.code,
            files: decode(&self.files, caps)?,
        })
    }
}

fn check_code(code: &str) -> Result<(), Failure> {
    if code.len() > LONGEST_CODE {
        let message = format!("`code` has more than {LONGEST_CODE} bytes");
        return Err(Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::TooLarge,
            message,
        ));
    }
    match code.find('\0') {
        Some(place) => Err(Failure::invalid(
            ErrorCode::InvalidCode,
            format!("`code` has a null byte at {place}, which Python source cannot have"),
        )),
        None => Ok(()),
    }
}

fn decode(files: &[EncodedFile], caps: FileCaps) -> Result<Vec<(InnerPath, Vec<u8>)>, Failure> {
    let FileCaps { count, bytes } = caps;
    if files.len() as u64 > count {
        return Err(too_large(format!("there are more than {count} `files`")));
    }
    let mut decoded = BTreeMap::new();
    let mut room = bytes;
    for (index, file) in files.iter().enumerate() {
        let (path, content) = decode_one(index, file)?;
        room = room
            .checked_sub(content.len() as u64)
            .ok_or_else(|| too_large(format!("`files` have more than {bytes} bytes")))?;
        if decoded.insert(path, content).is_some() {
            return Err(invalid_file(index, "the path is there twice"));
        }
    }
    check_nesting(&decoded)?;
    Ok(decoded.into_iter().collect())
}

fn decode_one(index: usize, file: &EncodedFile) -> Result<(InnerPath, Vec<u8>), Failure> {
    let path = InnerPath::parse(&file.path)
        .map_err(|error| invalid_file(index, &format!("the path cannot be used: {error}")))?;
    let content = STANDARD
        .decode(&file.content_base64)
        .map_err(|error| invalid_file(index, &format!("`contentBase64` is not base64: {error}")))?;
    Ok((path, content))
}

/// Nothing can be a file and a directory. In their order a parent comes before its children, but not always next to them.
fn check_nesting(files: &BTreeMap<InnerPath, Vec<u8>>) -> Result<(), Failure> {
    for parent in files.keys() {
        if let Some(child) = files.keys().find(|path| parent.is_parent_of(path)) {
            let message = format!("`{parent}` cannot be a file, because `{child}` is in it");
            return Err(Failure::invalid(ErrorCode::InvalidFile, message));
        }
    }
    Ok(())
}

fn invalid_file(index: usize, what: &str) -> Failure {
    Failure::invalid(ErrorCode::InvalidFile, format!("`files[{index}]`: {what}"))
}

fn too_large(message: String) -> Failure {
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPS: FileCaps = FileCaps {
        count: 2,
        bytes: 10,
    };

    fn file(path: &str, content: &str) -> EncodedFile {
        EncodedFile {
            path: path.into(),
            content_base64: STANDARD.encode(content),
        }
    }

    fn refused(request: ExecuteRequest) -> Failure {
        request.program(CAPS).unwrap_err()
    }

    fn with_files(files: Vec<EncodedFile>) -> ExecuteRequest {
        ExecuteRequest {
            code: "pass".into(),
            files,
            ..ExecuteRequest::default()
        }
    }

    #[test]
    fn files_are_decoded() {
        let program = with_files(vec![file("a/b", "x")]).program(CAPS).unwrap();
        assert_eq!(program.files[0].0.as_str(), "a/b");
        assert_eq!(program.files[0].1, b"x");
    }

    #[test]
    fn files_that_cannot_be_put_beside_the_program_are_refused_by_place() {
        let bad = EncodedFile {
            path: "a".into(),
            content_base64: "*".into(),
        };
        for (files, reason) in [
            (
                vec![file("../a", "")],
                "`files[0]`: the path cannot be used: it has an empty name, `.` or `..` in it",
            ),
            (
                vec![file("a", ""), file("a", "")],
                "`files[1]`: the path is there twice",
            ),
            (
                vec![file("a", ""), file("a/b", "")],
                "`a` cannot be a file, because `a/b` is in it",
            ),
            (vec![bad], "`files[0]`: `contentBase64` is not base64"),
        ] {
            let failure = refused(with_files(files));
            assert_eq!(failure.code, ErrorCode::InvalidFile);
            assert!(failure.message.starts_with(reason), "{}", failure.message);
        }
    }

    #[test]
    fn too_many_files_and_too_many_bytes_are_refused() {
        let three = ["a", "b", "c"].map(|path| file(path, "")).to_vec();
        let large = vec![file("a", "123456"), file("b", "12345")];
        for files in [three, large] {
            assert_eq!(
                refused(with_files(files)).status,
                StatusCode::PAYLOAD_TOO_LARGE
            );
        }
    }

    #[test]
    fn a_null_byte_in_the_program_is_refused_with_its_place() {
        let mut request = with_files(Vec::new());
        request.code = "print(1)\0".into();
        let failure = refused(request);
        assert_eq!(failure.code, ErrorCode::InvalidCode);
        assert!(failure.message.contains("at 8"), "{}", failure.message);
    }

    #[test]
    fn the_time_is_named_once() {
        let mut request = with_files(Vec::new());
        request.timeout_seconds = Some(7);
        let args = LimitArgs::default();
        assert_eq!(request.limits(&args).unwrap().wall_seconds, 7);
        request.limits.wall_seconds = Some(7);
        assert_eq!(
            request.limits(&args).unwrap_err().code,
            ErrorCode::InvalidLimit
        );
    }
}
