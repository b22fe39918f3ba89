//! What the YAML parser and the types of the members refuse, in the words of the file.

use super::place::Place;
use super::problem::Problem;
use serde_saphyr::{Error, MessageFormatter as _, UserMessageFormatter};

/// How alike two words must be (Jaro-Winkler, 0 to 1) for one to be suggested instead of the other.
const ALIKE: f64 = 0.75;

/// Says what an error means for the file `text`.
pub(super) fn problem(error: &Error, text: &str) -> Problem {
    if text.trim().is_empty() {
        return empty();
    }
    let error = error.without_snippet();
    let place = error.location().map(Place::from).unwrap_or_default();
    let place = with_offset(place, text);
    if let Some(tab) = indented_with_tab(place, text) {
        return tab;
    }
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

fn empty() -> Problem {
    Problem {
        what: "the file is empty".to_owned(),
        place: Place::default(),
        help: Some(
            "begin with a scenario of `scenarios/`; `portproof schema` prints every member there is"
                .to_owned(),
        ),
    }
}

/// The parser itself knows lines and columns only; the offset is found from them.
fn with_offset(place: Place, text: &str) -> Place {
    let Some((start, line)) = line_of(place, text) else {
        return place;
    };
    if place.offset != 0 || place.line == 1 {
        return place;
    }
    let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let inside = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |it| it.0);
    Place {
        offset: start + inside,
        ..place
    }
}

/// The line a place is in, and where it begins.
fn line_of(place: Place, text: &str) -> Option<(usize, &str)> {
    let number = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let mut lines = text.split('\n');
    let before: usize = lines.by_ref().take(number).map(|line| line.len() + 1).sum();
    Some((before, lines.next()?))
}

/// YAML allows no tab in an indentation (YAML 1.2, section 6.1), and a parser says anything but that.
fn indented_with_tab(place: Place, text: &str) -> Option<Problem> {
    let (start, line) = line_of(place, text)?;
    let indentation = line.len() - line.trim_start().len();
    line[..indentation].contains('\t').then(|| Problem {
        what: "the line is indented with a tab".to_owned(),
        place: Place {
            column: 1,
            offset: start,
            length: indentation,
            ..place
        },
        help: Some("indent with spaces: YAML allows no tabs there".to_owned()),
    })
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
                in_plain_words(message),
                "`portproof schema` prints every member a scenario may have".to_owned(),
            )
        }
    }
}

/// The parser speaks of events; a person wrote members.
fn in_plain_words(message: String) -> String {
    match message.as_str() {
        "expected mapping start" => "members with values must stand here".to_owned(),
        "expected sequence start" => "a list must stand here".to_owned(),
        _ => message,
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
