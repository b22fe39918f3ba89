//! A small deterministic search: rare words count more, words of a title count more.
//!
//! A document is a head of `name: value` lines, an empty line, and text in paragraphs. The head's `title` is searched
//! with extra weight and its `sku` (one item number, or several separated by commas) is told with each hit.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How much more a word of the title counts.
const TITLE_WEIGHT: usize = 3;

/// A document with its head taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    key: String,
    head: BTreeMap<String, String>,
    paragraphs: Vec<String>,
}

/// One document that matches, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hit {
    /// Key of the document.
    document: String,
    /// Its title, or its key.
    title: String,
    /// The paragraph that matches best.
    passage: String,
    /// How well it matches; only comparable within one answer.
    score: usize,
    /// The first item number in the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    /// Every item number in the head.
    skus: Vec<String>,
}

impl Document {
    /// Takes a document apart; without a head all of it is text.
    pub(super) fn parse(key: String, text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        match parse_head(head) {
            Some(head) => Self {
                key,
                head,
                paragraphs: paragraphs(body),
            },
            None => Self {
                key,
                head: BTreeMap::new(),
                paragraphs: paragraphs(&text),
            },
        }
    }

    fn title(&self) -> &str {
        self.head.get("title").unwrap_or(&self.key)
    }

    fn skus(&self) -> Vec<String> {
        let listed = self.head.get("sku").map(String::as_str).unwrap_or_default();
        listed
            .split(',')
            .map(str::trim)
            .filter(|sku| sku.starts_with("SKU-"))
            .map(str::to_owned)
            .collect()
    }

    fn words(&self) -> BTreeSet<String> {
        self.paragraphs
            .iter()
            .flat_map(|paragraph| words(paragraph))
            .chain(words(self.title()))
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

fn paragraphs(text: &str) -> Vec<String> {
    let joined = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    text.split("\n\n")
        .map(joined)
        .filter(|paragraph| !paragraph.is_empty())
        .collect()
}

/// Words in lower case without the plural s; a hyphen belongs to the word, as in `P-100`.
fn words(text: &str) -> BTreeSet<String> {
    let lower = text.to_lowercase();
    let split = lower.split(|letter: char| !letter.is_alphanumeric() && letter != '-');
    split
        .map(|word| word.trim_matches('-'))
        .filter(|word| word.len() > 1)
        .map(|word| singular(word).to_owned())
        .collect()
}

fn singular(word: &str) -> &str {
    word.strip_suffix('s')
        .filter(|stem| stem.len() > 2 && !stem.ends_with('s'))
        .unwrap_or(word)
}

/// The documents that match `query`, best first; of equals the one whose key sorts first.
pub(super) fn search(documents: &[Document], query: &str, limit: usize) -> Vec<Hit> {
    let weights = weights(documents, &words(query));
    let mut hits: Vec<Hit> = documents
        .iter()
        .map(|document| hit(document, &weights))
        .filter(|hit| hit.score > 0)
        .collect();
    hits.sort_by(|one, other| {
        other
            .score
            .cmp(&one.score)
            .then_with(|| one.document.cmp(&other.document))
    });
    hits.truncate(limit);
    hits
}

/// The weight of each word of the query: the fewer documents have it, the more it says.
fn weights(documents: &[Document], query: &BTreeSet<String>) -> BTreeMap<String, usize> {
    let texts: Vec<_> = documents.iter().map(Document::words).collect();
    let holders = |word: &String| texts.iter().filter(|text| text.contains(word)).count();
    query
        .iter()
        .map(|word| (word.clone(), documents.len() + 1 - holders(word)))
        .collect()
}

fn hit(document: &Document, weights: &BTreeMap<String, usize>) -> Hit {
    let in_title = score(&words(document.title()), weights) * TITLE_WEIGHT;
    let in_text = score(&document.words(), weights);
    let skus = document.skus();
    Hit {
        document: document.key.clone(),
        title: document.title().to_owned(),
        passage: best_paragraph(document, weights),
        score: in_title + in_text,
        sku: skus.first().cloned(),
        skus,
    }
}

fn score(text: &BTreeSet<String>, weights: &BTreeMap<String, usize>) -> usize {
    weights
        .iter()
        .filter(|(word, _)| text.contains(*word))
        .map(|(_, weight)| weight)
        .sum()
}

fn best_paragraph(document: &Document, weights: &BTreeMap<String, usize>) -> String {
    let scored = document
        .paragraphs
        .iter()
        .map(|paragraph| (score(&words(paragraph), weights), paragraph));
    // Of equals the first: `max_by_key` takes the last.
    scored
        .rev()
        .max_by_key(|(score, _)| *score)
        .map(|(_, paragraph)| paragraph.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn documents() -> Vec<Document> {
        [
            ("bearing", "title: Bearings of pump P-100\nsku: SKU-2\n\nGrease the bearing."),
            ("notes", "No head here: just text about a pump."),
            ("seal", "title: Shaft seal of pump P-100\nsku: SKU-1, SKU-9\n\nFirst.\n\nReplace the seal\nyearly."),
            ("seal-200", "title: Shaft seal of pump P-200\nsku: SKU-3\n\nReplace the seal."),
        ]
        .map(|(key, text)| Document::parse(key.into(), text))
        .to_vec()
    }

    #[test]
    fn the_document_about_both_words_comes_first_with_its_item_numbers() {
        let hits = search(&documents(), "replacement seals P-100", 2);
        assert_eq!(hits.len(), 2);
        assert_eq!(
            (hits[0].document.as_str(), hits[0].sku.as_deref()),
            ("seal", Some("SKU-1"))
        );
        assert_eq!(hits[0].skus, ["SKU-1", "SKU-9"]);
        assert_eq!(hits[0].passage, "Replace the seal yearly.");
    }

    #[test]
    fn a_document_without_head_is_all_text() {
        let hits = search(&documents(), "just text", 9);
        assert_eq!(
            (hits[0].document.as_str(), hits[0].sku.as_deref()),
            ("notes", None)
        );
        assert_eq!(hits[0].passage, "No head here: just text about a pump.");
    }

    #[test]
    fn what_no_document_has_gives_no_hit() {
        assert!(search(&documents(), "gearbox", 9).is_empty());
    }

    proptest! {
        #[test]
        fn the_order_of_the_documents_does_not_matter(query in "(seal|pump|P-100|grease| ){1,6}") {
            let mut reversed = documents();
            reversed.reverse();
            prop_assert_eq!(search(&documents(), &query, 9), search(&reversed, &query, 9));
        }

        #[test]
        fn any_text_is_a_document(text in "\\PC{0,60}(\n\n)?\\PC{0,60}") {
            search(&[Document::parse("k".into(), &text)], &text, 1);
        }
    }
}
