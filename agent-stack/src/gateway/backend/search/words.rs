//! What counts as a word: lower case, stemmed, without words that every text has.

use std::collections::BTreeMap;
use tantivy::TantivyError;
use tantivy::tokenizer::{
    Language, LowerCaser, RegexTokenizer, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer,
};

/// Letters and digits; a hyphen before a digit belongs to the word, as in `P-100` and in dates.
const WORD: &str = r"[\p{L}\p{N}]+(?:-\p{N}[\p{L}\p{N}]*)*";
/// Longer words are no words, in bytes.
const LONGEST: usize = 64;

const STOP_WORDS: [&str; 46] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "does", "for", "from",
    "had", "has", "have", "how", "if", "in", "into", "is", "it", "its", "me", "my", "no", "not",
    "of", "on", "or", "our", "so", "that", "the", "their", "there", "this", "to", "was", "we",
    "what", "when", "which", "with", "you",
];

/// Takes texts apart into words.
#[derive(Clone)]
pub(super) struct Words {
    analyzer: TextAnalyzer,
    /// The same without stems, for the words as they were written.
    splitter: TextAnalyzer,
}

impl Words {
    pub(super) fn new() -> Result<Self, TantivyError> {
        let split = || -> Result<_, TantivyError> {
            Ok(TextAnalyzer::builder(RegexTokenizer::new(WORD)?)
                .filter(RemoveLongFilter::limit(LONGEST))
                .filter(LowerCaser)
                .filter(StopWordFilter::remove(STOP_WORDS.map(str::to_owned))))
        };
        Ok(Self {
            analyzer: split()?.filter(Stemmer::new(Language::English)).build(),
            splitter: split()?.build(),
        })
    }

    pub(super) fn analyzer(&self) -> TextAnalyzer {
        self.analyzer.clone()
    }

    /// The stems of a text, each with the first word it stands for.
    pub(super) fn of(&self, text: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (stem, word) in tokens(&self.analyzer, text)
            .into_iter()
            .zip(tokens(&self.splitter, text))
        {
            found.entry(stem).or_insert(word);
        }
        found
    }
}

fn tokens(analyzer: &TextAnalyzer, text: &str) -> Vec<String> {
    let mut analyzer = analyzer.clone();
    let mut stream = analyzer.token_stream(text);
    let mut tokens = Vec::new();
    stream.process(&mut |token| tokens.push(token.text.clone()));
    tokens
}
