//! A document with its head taken apart and its text in passages.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) key: String,
    head: BTreeMap<String, String>,
    /// At least one, so that a document of a title alone can be found.
    pub(super) passages: Vec<Passage>,
}

/// One paragraph with the heading above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Passage {
    pub(super) heading: Option<String>,
    pub(super) text: String,
}

impl Document {
    /// Takes a document apart; without a head all of it is text.
    pub(super) fn parse(key: String, text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let (head, body) = match parse_head(head) {
            Some(head) => (head, body),
            None => (BTreeMap::new(), text.as_str()),
        };
        Self {
            key,
            head,
            passages: passages(body),
        }
    }

    pub(super) fn title(&self) -> &str {
        self.head.get("title").unwrap_or(&self.key)
    }

    pub(super) fn skus(&self) -> Vec<String> {
        let listed = self.head.get("sku").map(String::as_str).unwrap_or_default();
        listed
            .split(',')
            .map(str::trim)
            .filter(|sku| sku.starts_with("SKU-"))
            .map(str::to_owned)
            .collect()
    }
}

/// The head as names and values; `None` when a line of it is neither.
fn parse_head(head: &str) -> Option<BTreeMap<String, String>> {
    head.lines()
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            let plain = !name.is_empty()
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '-');
            plain.then(|| (name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

fn passages(text: &str) -> Vec<Passage> {
    let mut heading = None;
    let mut passages = Vec::new();
    for block in text.split("\n\n") {
        let (headings, lines): (Vec<_>, Vec<_>) =
            block.lines().partition(|line| line.starts_with('#'));
        if let Some(last) = headings.last() {
            heading = Some(last.trim_start_matches('#').trim().to_owned());
        }
        let text = joined(&lines.join("\n"));
        if !text.is_empty() {
            passages.push(Passage {
                heading: heading.clone(),
                text,
            });
        }
    }
    if passages.is_empty() {
        passages.push(Passage::default());
    }
    passages
}

fn joined(paragraph: &str) -> String {
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_no_text_and_headings_stand_above_their_passages() {
        let document = Document::parse(
            "k".into(),
            "title: Pump\nsku: SKU-1, SKU-9, x\n\nFirst\nline.\n\n## Care\nSecond.\n\nThird.",
        );
        assert_eq!(document.title(), "Pump");
        assert_eq!(document.skus(), ["SKU-1", "SKU-9"]);
        let passages: Vec<_> = document
            .passages
            .iter()
            .map(|passage| (passage.heading.as_deref(), passage.text.as_str()))
            .collect();
        assert_eq!(
            passages,
            [
                (None, "First line."),
                (Some("Care"), "Second."),
                (Some("Care"), "Third.")
            ]
        );
    }

    #[test]
    fn a_document_without_head_is_all_text() {
        let document = Document::parse("notes".into(), "No head here: just text.\r\n\r\nMore.");
        assert_eq!(document.title(), "notes");
        assert_eq!(document.passages.len(), 2);
    }

    #[test]
    fn a_document_of_a_title_alone_has_one_empty_passage() {
        let document = Document::parse("k".into(), "title: Pump");
        assert_eq!(document.passages, [Passage::default()]);
    }
}
