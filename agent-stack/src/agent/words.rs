//! The words of a model or its server, as they are told on: one line, and not too long a one.

use serde_json::Value;

/// Longest quotation, in characters.
const LONGEST: usize = 300;

/// `text` as one line of at most [`LONGEST`] characters; `None` when nothing is left.
pub(super) fn quoted(text: &str) -> Option<String> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        _ if line.is_empty() => None,
        None => Some(line),
        Some((end, _)) => Some(format!("{}\u{2026}", &line[..end])),
    }
}

/// What the body of an error says: `error.message` as OpenAI's API has it, or what others put in its place.
pub(super) fn of_error(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    ["/error/message", "/error", "/message", "/detail"]
        .into_iter()
        .find_map(|pointer| quoted(body.pointer(pointer)?.as_str()?))
}

/// `: "words"`, where there are any.
pub(super) fn behind(words: Option<&str>) -> String {
    words.map_or_else(String::new, |words| format!(": \"{words}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_one_line_of_bounded_length() {
        assert_eq!(quoted(" a\r\n\tb\u{1b}[2J "), Some("a b [2J".into()));
        assert_eq!(quoted("\n"), None);
        let long = quoted(&"\u{e9}".repeat(10_000)).unwrap();
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert!(long.ends_with('\u{2026}'));
    }

    #[test]
    fn the_words_of_an_error_are_found_in_the_forms_that_servers_use() {
        for body in [
            r#"{"error": {"message": "no", "code": 1}}"#,
            r#"{"error": "no"}"#,
            r#"{"object": "error", "message": "no"}"#,
            r#"{"detail": "no"}"#,
        ] {
            assert_eq!(of_error(body.as_bytes()).as_deref(), Some("no"), "{body}");
        }
        for body in ["", "<html>", "{}", r#"{"error": {"message": 1}}"#] {
            assert_eq!(of_error(body.as_bytes()), None, "{body}");
        }
    }
}
