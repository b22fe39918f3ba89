//! Reads a person's request: what it is about, how many of what, at which discount, which statistic of which machine.

mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

/// What the answer is to be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Prices of items, and what they come to.
    Price,
    /// Statistics of measured values.
    Analysis,
    /// What documents say.
    Documents,
}

/// A figure that sums measured values up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Statistic {
    Count,
    Mean,
    Median,
    Minimum,
    Maximum,
    /// Values far from the median.
    Outliers,
}

/// Some number of one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Item {
    /// Number of units; `None` when none is named.
    pub(super) quantity: Option<u32>,
    /// Item number, when the request names one.
    pub(super) sku: Option<String>,
    /// The words that describe the thing.
    pub(super) words: Vec<String>,
}

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// The things it is about, in the order they are named; at least one.
    pub(super) items: Vec<Item>,
    /// Discount in hundredths of a percent: 800 is 8 %.
    pub(super) discount: u32,
    /// Every word that says something.
    pub(super) words: Vec<String>,
    /// Statistics it asks for, without repetition.
    pub(super) statistics: BTreeSet<Statistic>,
    /// What the statistics are to be grouped by.
    pub(super) group: Option<String>,
    /// Machine it names, for example `P-100`.
    pub(super) machine: Option<String>,
    /// Words that may be labels of measured values.
    pub(super) labels: Vec<String>,
    asks_price: bool,
    asks_data: bool,
}

/// A word without the punctuation around it.
struct Token<'a> {
    word: &'a str,
    lower: String,
    /// Whether a comma, `and` or `plus` stands before it.
    listed: bool,
}

impl Item {
    /// The words of the thing as one query.
    pub(super) fn query(&self) -> String {
        self.words.join(" ")
    }

    fn is_named(&self) -> bool {
        self.sku.is_some() || !self.words.is_empty()
    }

    fn is_open(&self) -> bool {
        self.quantity.is_none() && !self.is_named()
    }
}

impl Question {
    /// Reads a request.
    pub(super) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let mut question = Self {
            items: vec![Item::default()],
            ..Self::default()
        };
        let mut index = 0;
        while let Some(token) = tokens.get(index) {
            index += question.take(token, tokens.get(index + 1));
        }
        question.items.retain(Item::is_named);
        if question.items.is_empty() {
            question.items.push(Item::default());
        }
        question
    }

    pub(super) const fn goal(&self) -> Goal {
        match (self.asks_price, self.asks_data) {
            (true, _) => Goal::Price,
            (false, true) => Goal::Analysis,
            (false, false) => Goal::Documents,
        }
    }

    /// Everything it says as one query.
    pub(super) fn query(&self) -> String {
        self.words.join(" ")
    }

    /// Whether the answer needs arithmetic.
    pub(super) fn needs_arithmetic(&self) -> bool {
        let several = |item: &Item| item.quantity.is_some_and(|quantity| quantity != 1);
        self.items.len() > 1 || self.discount > 0 || self.items.iter().any(several)
    }

    /// Takes one word in, knowing the next; says how many words that used up.
    fn take(&mut self, token: &Token<'_>, next: Option<&Token<'_>>) -> usize {
        if let Some((discount, used)) = percent(&token.lower, next) {
            self.discount = discount;
            self.words.push(token.word.to_owned());
            return used;
        }
        if let Some(group) = next.filter(|_| words::GROUPS.contains(&token.lower.as_str())) {
            self.group = Some(words::singular(&group.lower).to_owned());
        }
        if !words::FILLER.contains(&token.lower.as_str()) {
            self.words.push(token.word.to_owned());
        }
        self.take_measured(token, next);
        self.take_priced(token, next);
        1
    }

    /// What a word means to a request for statistics.
    fn take_measured(&mut self, token: &Token<'_>, next: Option<&Token<'_>>) {
        let lower = token.lower.as_str();
        let statistics = words::statistics(lower);
        if words::is_data(lower) {
            self.asks_data = true;
        } else if !statistics.is_empty() {
            self.statistics.extend(statistics);
        } else if is_machine(token.word) {
            self.machine.get_or_insert_with(|| token.word.to_owned());
        } else if !words::FILLER.contains(&lower)
            && !next.is_some_and(|next| is_machine(next.word))
            && self.group.as_deref() != Some(words::singular(lower))
        {
            self.labels.push(token.lower.clone());
        }
    }

    /// What a word means to a request for a price.
    fn take_priced(&mut self, token: &Token<'_>, next: Option<&Token<'_>>) {
        let lower = token.lower.as_str();
        if let Some(number) = quantity(lower).filter(|_| !words::is_unit(next.map(lower_of))) {
            self.count(number, token);
        } else if token.listed && words::ARTICLES.contains(&lower) && self.last().is_named() {
            self.next_item().quantity = Some(1);
        } else if lower.starts_with("sku-") {
            self.name(token);
        } else if words::PRICE.contains(&lower) {
            self.asks_price = true;
        } else if !words::FILLER.contains(&lower) {
            self.last().words.push(token.word.to_owned());
        }
    }

    fn count(&mut self, number: u32, token: &Token<'_>) {
        if token.listed && self.last().is_named() {
            self.next_item().quantity = Some(number);
        } else if self.last().quantity.is_none() {
            self.last().quantity = Some(number);
        } else {
            self.last().words.push(token.word.to_owned());
        }
    }

    fn name(&mut self, token: &Token<'_>) {
        let full = self.last().sku.is_some() || (token.listed && !self.last().is_open());
        let item = if full { self.next_item() } else { self.last() };
        item.sku = Some(token.word.to_uppercase());
    }

    fn last(&mut self) -> &mut Item {
        if self.items.is_empty() {
            self.items.push(Item::default());
        }
        let last = self.items.len() - 1;
        &mut self.items[last]
    }

    fn next_item(&mut self) -> &mut Item {
        self.items.push(Item::default());
        self.last()
    }
}

fn lower_of<'a>(token: &'a Token<'_>) -> &'a str {
    &token.lower
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut listed = false;
    let mut tokens = Vec::new();
    for raw in text.split_whitespace() {
        let word = bare(raw);
        let lower = word.to_lowercase();
        let joins = matches!(lower.as_str(), "and" | "plus");
        if !word.is_empty() && !joins {
            tokens.push(Token {
                word,
                lower,
                listed,
            });
        }
        listed = joins || raw.ends_with([',', ';']);
    }
    tokens
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '%')
}

/// Letters and digits together name a machine: `P-100`, `G7`. Item numbers do not.
fn is_machine(word: &str) -> bool {
    let begins = word.starts_with(|letter: char| letter.is_ascii_uppercase());
    let has_digit = word.contains(|letter: char| letter.is_ascii_digit());
    begins && has_digit && !word.to_lowercase().starts_with("sku-")
}

fn quantity(word: &str) -> Option<u32> {
    let spelled = words::NUMBERS
        .iter()
        .position(|name| *name == word)
        .and_then(|number| u32::try_from(number).ok());
    spelled.or_else(|| word.strip_suffix('x').unwrap_or(word).parse().ok())
}

/// A percentage in hundredths of a percent and the number of words it takes.
fn percent(word: &str, next: Option<&Token<'_>>) -> Option<(u32, usize)> {
    if let Some(number) = word.strip_suffix('%') {
        return hundredths(number).map(|discount| (discount, 1));
    }
    let unit = next.filter(|next| matches!(next.lower.as_str(), "%" | "percent"));
    unit.and_then(|_| hundredths(word))
        .map(|discount| (discount, 2))
}

/// Reads a decimal with at most two places, at most 100.
fn hundredths(number: &str) -> Option<u32> {
    let (whole, places) = number.split_once(['.', ',']).unwrap_or((number, ""));
    if places.len() > 2 || !places.chars().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let value = whole.parse::<u32>().ok()?.checked_mul(100)?
        + format!("{places:0<2}").parse::<u32>().ok()?;
    (value <= 10_000).then_some(value)
}
