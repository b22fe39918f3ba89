//! Full-text search in a document set: BM25 over passages, English stemming, titles and headings weigh more.
//!
//! A document is a head of `name: value` lines, an empty line, and text in paragraphs; a line that begins with `#` is
//! the heading of the paragraphs below it. The head's `title` is searched with every passage and its `sku` (one item
//! number, or several separated by commas) is told with each hit.
//!
//! A query is words, never syntax. The same documents and the same query give the same hits in the same order: the index
//! has one segment, scores are rounded, and of equals the one whose key sorts first comes first.

mod document;
mod words;

#[cfg(test)]
mod tests;

use document::Document;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tantivy::collector::TopDocs;
use tantivy::merge_policy::NoMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{
    Field, IndexRecordOption, STORED, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
    Value as _,
};
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyDocument, TantivyError, Term,
};
use words::Words;

/// How much more a word of a title or a heading says than a word of the text.
const TITLE_BOOST: f32 = 2.0;
const HEADING_BOOST: f32 = 1.5;
/// Scores are told as integers in thousandths.
const SCORE_SCALE: f32 = 1000.0;
/// The smallest heap a writer takes, in bytes; it lives only while an index is built.
const WRITER_HEAP: usize = 15_000_000;
const ANALYZER: &str = "words";

/// Why documents cannot be indexed or searched.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The index.
    #[error("the index of the documents cannot be used")]
    Index(#[from] TantivyError),
    /// Building it was cut off.
    #[error("the index of the documents was not built")]
    Build(#[source] tokio::task::JoinError),
}

/// One document that matches, best first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hit {
    /// Key of the document.
    document: String,
    /// Its title, or its key.
    title: String,
    /// Heading above the passage.
    #[serde(skip_serializing_if = "Option::is_none")]
    heading: Option<String>,
    /// The paragraph that matches best.
    passage: String,
    /// How well it matches (BM25, in thousandths); only comparable within one answer.
    score: u64,
    /// The first item number of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    sku: Option<String>,
    /// Every item number of the document.
    skus: Vec<String>,
    /// Words of the query that stand neither in the passage nor above it.
    missing: Vec<String>,
}

/// An indexed document set.
pub struct Library {
    documents: Vec<Document>,
    reader: IndexReader,
    fields: Fields,
    words: Words,
}

/// A passage that matches.
struct Match {
    document: usize,
    passage: usize,
    score: u64,
}

#[derive(Clone, Copy)]
struct Fields {
    title: Field,
    heading: Field,
    text: Field,
    document: Field,
    passage: Field,
}

impl Fields {
    fn define() -> (Schema, Self) {
        let mut schema = SchemaBuilder::new();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(ANALYZER)
            .set_index_option(IndexRecordOption::WithFreqs);
        let text = TextOptions::default().set_indexing_options(indexing);
        let fields = Self {
            title: schema.add_text_field("title", text.clone()),
            heading: schema.add_text_field("heading", text.clone()),
            text: schema.add_text_field("text", text),
            document: schema.add_u64_field("document", STORED),
            passage: schema.add_u64_field("passage", STORED),
        };
        (schema.build(), fields)
    }

    fn weighted(self) -> [(Field, f32); 3] {
        [
            (self.title, TITLE_BOOST),
            (self.heading, HEADING_BOOST),
            (self.text, 1.0),
        ]
    }
}

impl Library {
    /// Indexes documents, by key.
    ///
    /// # Errors
    /// When the index cannot be written, for example because memory is short.
    pub(super) fn build(texts: &BTreeMap<String, String>) -> Result<Self, IndexError> {
        let documents: Vec<_> = texts
            .iter()
            .map(|(key, text)| Document::parse(key.clone(), text))
            .collect();
        let words = Words::new()?;
        let (schema, fields) = Fields::define();
        let index = Index::create_in_ram(schema);
        index.tokenizers().register(ANALYZER, words.analyzer());
        write(&index, fields, &documents)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            documents,
            reader,
            fields,
            words,
        })
    }

    /// The documents that match `query`, best first, at most `limit`.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub(super) fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, IndexError> {
        let terms = self.words.of(query);
        let passages = self.documents.iter().map(|found| found.passages.len());
        let passages: usize = passages.sum();
        if terms.is_empty() || passages == 0 {
            return Ok(Vec::new());
        }
        let searcher = self.reader.searcher();
        let best = TopDocs::with_limit(passages).order_by_score();
        let found = searcher.search(&self.query(terms.keys()), &best)?;
        let mut matches = found
            .into_iter()
            .map(|(score, address)| self.located(&searcher, score, address))
            .collect::<Result<Vec<_>, _>>()?;
        best_of_each_document(&mut matches);
        matches.truncate(limit);
        Ok(matches
            .iter()
            .map(|found| self.hit(found, &terms))
            .collect())
    }

    /// Any of the words in any of the fields.
    fn query<'a>(&self, stems: impl Iterator<Item = &'a String>) -> BooleanQuery {
        let clauses = stems.flat_map(|stem| {
            self.fields.weighted().map(|(field, boost)| {
                let term = Term::from_field_text(field, stem);
                let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
                let boosted: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), boost));
                (Occur::Should, boosted)
            })
        });
        BooleanQuery::new(clauses.collect())
    }

    fn located(
        &self,
        searcher: &Searcher,
        score: f32,
        address: tantivy::DocAddress,
    ) -> Result<Match, IndexError> {
        let stored: TantivyDocument = searcher.doc(address)?;
        let number = |field| {
            let value = stored.get_first(field).and_then(|value| value.as_u64());
            value.and_then(|value| usize::try_from(value).ok())
        };
        Ok(Match {
            document: number(self.fields.document).unwrap_or_default(),
            passage: number(self.fields.passage).unwrap_or_default(),
            score: rounded(score),
        })
    }

    fn hit(&self, found: &Match, terms: &BTreeMap<String, String>) -> Hit {
        let document = &self.documents[found.document];
        let passage = &document.passages[found.passage];
        let heading = passage.heading.as_deref();
        let around = [document.title(), heading.unwrap_or_default(), &passage.text];
        let present: BTreeSet<String> = around
            .into_iter()
            .flat_map(|text| self.words.of(text).into_keys())
            .collect();
        let missing = terms.iter().filter(|(stem, _)| !present.contains(*stem));
        Hit {
            document: document.key.clone(),
            title: document.title().to_owned(),
            heading: passage.heading.clone(),
            passage: passage.text.clone(),
            score: found.score,
            sku: document.skus().first().cloned(),
            skus: document.skus(),
            missing: missing.map(|(_, word)| word.clone()).collect(),
        }
    }
}

/// One thread and one commit make one segment, so that nothing depends on which thread was faster.
fn write(index: &Index, fields: Fields, documents: &[Document]) -> Result<(), IndexError> {
    let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_HEAP)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    for (number, document) in documents.iter().enumerate() {
        for (place, passage) in document.passages.iter().enumerate() {
            let mut entry = TantivyDocument::new();
            entry.add_text(fields.title, document.title());
            entry.add_text(
                fields.heading,
                passage.heading.as_deref().unwrap_or_default(),
            );
            entry.add_text(fields.text, &passage.text);
            entry.add_u64(fields.document, number as u64);
            entry.add_u64(fields.passage, place as u64);
            writer.add_document(entry)?;
        }
    }
    writer.commit()?;
    Ok(())
}

/// A score below half a thousandth would be 0, which the tool's schema takes for no match.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "scores of BM25 are positive and small"
)]
fn rounded(score: f32) -> u64 {
    ((score * SCORE_SCALE).round() as u64).max(1)
}

/// Keeps the best passage of each document, the first of equals. Documents are numbered in the order of their keys.
fn best_of_each_document(matches: &mut Vec<Match>) {
    matches.sort_by(|one, other| {
        let place = |found: &Match| (found.document, found.passage);
        let scores = other.score.cmp(&one.score);
        scores.then_with(|| place(one).cmp(&place(other)))
    });
    let mut seen = BTreeSet::new();
    matches.retain(|found| seen.insert(found.document));
}
