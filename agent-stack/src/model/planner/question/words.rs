//! The English words the planner knows.

use super::Statistic;

pub(super) const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

pub(super) const ARTICLES: [&str; 2] = ["a", "an"];

/// Words after which the name of a group stands.
pub(super) const GROUPS: [&str; 3] = ["per", "by", "each"];

pub(super) const PRICE: [&str; 9] = [
    "cost",
    "costs",
    "price",
    "prices",
    "priced",
    "pay",
    "total",
    "expensive",
    "charge",
];

/// Words that say nothing about the thing itself.
pub(super) const FILLER: [&str; 97] = [
    "a",
    "all",
    "altogether",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "been",
    "both",
    "buy",
    "by",
    "can",
    "could",
    "did",
    "discount",
    "do",
    "does",
    "each",
    "for",
    "from",
    "get",
    "give",
    "goes",
    "had",
    "has",
    "have",
    "he",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "it",
    "its",
    "less",
    "long",
    "many",
    "me",
    "minus",
    "much",
    "must",
    "my",
    "need",
    "of",
    "off",
    "often",
    "on",
    "or",
    "our",
    "out",
    "pcs",
    "per",
    "piece",
    "pieces",
    "please",
    "say",
    "says",
    "shall",
    "should",
    "take",
    "tell",
    "than",
    "that",
    "the",
    "their",
    "them",
    "there",
    "they",
    "this",
    "to",
    "together",
    "unit",
    "units",
    "us",
    "use",
    "used",
    "value",
    "values",
    "want",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "who",
    "whose",
    "why",
    "will",
    "with",
    "would",
    "you",
];

/// Units of measure: a number before one of them belongs to the thing and counts nothing.
const UNITS: [&str; 15] = [
    "mm", "cm", "m", "km", "nm", "bar", "kg", "g", "l", "ml", "h", "hours", "days", "months",
    "degrees",
];

/// Beginnings of words that speak of measured values.
const DATA: [&str; 5] = ["measure", "reading", "recorded", "logged", "data"];

pub(super) fn is_unit(word: Option<&str>) -> bool {
    word.is_some_and(|word| UNITS.contains(&word))
}

pub(super) fn is_data(word: &str) -> bool {
    DATA.iter().any(|stem| word.starts_with(stem))
}

/// The statistics that a word asks for.
pub(super) fn statistics(word: &str) -> &'static [Statistic] {
    match word {
        "count" | "number" => &[Statistic::Count],
        "mean" | "average" => &[Statistic::Mean],
        "median" => &[Statistic::Median],
        "minimum" | "min" | "lowest" | "smallest" => &[Statistic::Minimum],
        "maximum" | "max" | "highest" | "largest" | "peak" => &[Statistic::Maximum],
        "range" => &[Statistic::Minimum, Statistic::Maximum],
        "outlier" | "outliers" | "anomaly" | "anomalies" | "unusual" => &[Statistic::Outliers],
        _ => &[],
    }
}

/// A word without the plural s.
pub(super) fn singular(word: &str) -> &str {
    word.strip_suffix('s')
        .filter(|stem| stem.len() > 2 && !stem.ends_with('s'))
        .unwrap_or(word)
}
