//! Names of files that come with a program.

use std::fmt;

/// Longest path, in bytes.
const LONGEST: usize = 512;
/// Longest name between two slashes, in bytes (`NAME_MAX`).
const LONGEST_NAME: usize = 255;
/// Most names in a path.
pub(super) const DEEPEST: usize = 16;
/// Name of the program itself.
pub(super) const PROGRAM: &str = "main.py";

/// A path that stays within the directory it is put into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InnerPath(String);

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No path.
    #[error("it is empty")]
    Empty,
    /// Not below the workspace.
    #[error("it starts with `/`; paths are relative to the workspace")]
    Absolute,
    /// `.`, `..`, or nothing between two slashes.
    #[error("it has an empty name, `.` or `..` in it")]
    Detour,
    /// A control character; the null byte would cut the path off.
    #[error("it has a control character in it")]
    Control,
    /// Too long or too deep.
    #[error(
        "it is longer than {LONGEST} bytes, or a name in it than {LONGEST_NAME}, or has more than {DEEPEST} names"
    )]
    Long,
    /// The program's own name.
    #[error("`{PROGRAM}` is the program itself")]
    Program,
}

impl InnerPath {
    /// Checks a path.
    ///
    /// # Errors
    /// [`PathError`] for everything that would lead out of the workspace, or is not a path.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let names = || path.split('/');
        match path {
            "" => Err(PathError::Empty),
            PROGRAM => Err(PathError::Program),
            _ if path.chars().any(char::is_control) => Err(PathError::Control),
            _ if path.starts_with('/') => Err(PathError::Absolute),
            _ if names().any(|name| matches!(name, "" | "." | "..")) => Err(PathError::Detour),
            _ if path.len() > LONGEST
                || names().count() > DEEPEST
                || names().any(|name| name.len() > LONGEST_NAME) =>
            {
                Err(PathError::Long)
            }
            _ => Ok(Self(path.to_owned())),
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the other path goes through this one, as if it were a directory.
    pub fn is_parent_of(&self, other: &Self) -> bool {
        let rest = other.0.strip_prefix(&self.0);
        rest.is_some_and(|rest| rest.starts_with('/'))
    }
}

impl fmt::Display for InnerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    #[test]
    fn paths_that_lead_out_are_refused_with_the_reason() {
        let long = "x".repeat(256);
        let deep = "d/".repeat(DEEPEST) + "f";
        for (path, reason) in [
            ("", PathError::Empty),
            ("/etc/passwd", PathError::Absolute),
            ("../x", PathError::Detour),
            ("a/../../x", PathError::Detour),
            ("a//b", PathError::Detour),
            ("a/", PathError::Detour),
            ("./a", PathError::Detour),
            ("a\0b", PathError::Control),
            ("a\nb", PathError::Control),
            (&long, PathError::Long),
            (&deep, PathError::Long),
            ("main.py", PathError::Program),
        ] {
            assert_eq!(InnerPath::parse(path), Err(reason), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_are_taken() {
        for path in [
            "data.csv",
            "in/a b.txt",
            "..data",
            "zeitläufe.txt",
            "a/main.py",
        ] {
            assert_eq!(InnerPath::parse(path).unwrap().as_str(), path);
        }
    }

    #[test]
    fn a_file_cannot_be_a_directory_too() {
        let path = |path| InnerPath::parse(path).unwrap();
        assert!(path("a").is_parent_of(&path("a/b")));
        assert!(!path("a").is_parent_of(&path("ab")) && !path("a").is_parent_of(&path("a")));
    }

    proptest! {
        #[test]
        fn a_path_that_is_taken_has_only_plain_names(text in "[a./\\\\\0é-]{0,24}|\\PC{0,40}") {
            if let Ok(path) = InnerPath::parse(&text) {
                let path = Path::new(path.as_str());
                prop_assert!(path.is_relative());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(path.components().count(), text.split('/').count());
            }
        }
    }
}
