//! What the YAML parser and the types of the members refuse, in the words of the file.

use super::place::Place;
use super::problem::Problem;
use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

/// How alike two words must be (Jaro-Winkler, 0 to 1) for one to be suggested instead of the other.
const ALIKE: f64 = 0.75;

/// Says what an error means for the file `text`.
pub(super) fn problem(error: &Error, text: &str) -> Problem {
    let error = error.without_snippet();
    let place = error.location().map(Place::from).unwrap_or_default();
    let written = text
        .get(place.offset..place.offset + place.length)
        .unwrap_or_default();
    let (what, help) = explain(error, written);
    Problem {
        what,
        place,
        help: Some(help),
    }
}

fn explain(error: &Error, written: &str) -> (String, String) {
    match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => (
            format!("there is no member `{field}` here"),
            choices(field, expected, "nothing may stand here"),
        ),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!("`{variant}` is not known here"),
            choices(variant, expected, "nothing may stand here"),
        ),
        Error::SerdeMissingField { field, .. } => (
            format!("the member `{field}` is missing"),
            format!("add `{field}`"),
        ),
        Error::InvalidScalar { ty, .. } => (
            format!("`{written}` is not {}", noun(ty)),
            format!("write {}", noun(ty)),
        ),
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            (
                format!("`{key}` stands here twice"),
                "keep one of the two".to_owned(),
            )
        }
        Error::Eof { .. } => (
            "the file ends too early".to_owned(),
            "close what is open".to_owned(),
        ),
        other => {
            let message = UserMessageFormatter.format_message(other).into_owned();
            (
                message,
                "`portproof schema` prints every member a scenario may have".to_owned(),
            )
        }
    }
}

fn noun(rust: &str) -> &str {
    match rust {
        "u8" | "u16" | "u32" | "u64" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        "bool" | "boolean" => "`true` or `false`",
        other => other,
    }
}

/// The word that was probably meant, or every word there is.
fn choices(written: &str, expected: &[&str], none: &str) -> String {
    let alike = |word: &&&str| strsim::jaro_winkler(written, word);
    let closest = expected
        .iter()
        .max_by(|one, other| alike(one).total_cmp(&alike(other)));
    match closest {
        Some(word) if alike(&word) >= ALIKE => format!("did you mean `{word}`?"),
        Some(_) => format!(
            "use one of {}",
            expected
                .iter()
                .map(|word| format!("`{word}`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        None => none.to_owned(),
    }
}
