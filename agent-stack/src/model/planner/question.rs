//! Reads a person's request: how many of what, at which discount.

/// What a person asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Number of units; `None` when none is named.
    pub(super) quantity: Option<u32>,
    /// Discount in hundredths of a percent: 800 is 8 %.
    pub(super) discount: u32,
    /// Item number, when the request names one.
    pub(super) sku: Option<String>,
    /// The words that describe the thing.
    pub(super) product: Vec<String>,
    /// Whether the request is about money.
    pub(super) asks_price: bool,
}

const NUMBER_WORDS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
];

const PRICE_WORDS: [&str; 9] = [
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
const FILLER: [&str; 53] = [
    "a", "all", "an", "and", "are", "at", "buy", "by", "can", "could", "discount", "do", "does",
    "for", "from", "get", "give", "how", "i", "if", "in", "is", "it", "less", "many", "me",
    "minus", "much", "need", "of", "off", "on", "or", "our", "pcs", "per", "piece", "pieces",
    "please", "tell", "the", "to", "unit", "units", "us", "want", "we", "what", "which", "will",
    "with", "would", "you",
];

impl Question {
    /// Reads a request.
    pub(super) fn read(text: &str) -> Self {
        let words: Vec<&str> = text
            .split_whitespace()
            .map(bare)
            .filter(|word| !word.is_empty())
            .collect();
        let mut question = Self::default();
        let mut index = 0;
        while let Some(word) = words.get(index) {
            index += question.take(word, words.get(index + 1).copied());
        }
        question
    }

    /// Takes one word in, knowing the next; says how many words that used up.
    fn take(&mut self, word: &str, next: Option<&str>) -> usize {
        let lower = word.to_lowercase();
        if let Some((discount, used)) = percent(&lower, next) {
            self.discount = discount;
            return used;
        }
        if let Some(number) = quantity(&lower).filter(|_| self.quantity.is_none()) {
            self.quantity = Some(number);
        } else if lower.starts_with("sku-") {
            self.sku = Some(word.to_uppercase());
        } else if PRICE_WORDS.contains(&lower.as_str()) {
            self.asks_price = true;
        } else if !FILLER.contains(&lower.as_str()) {
            self.product.push(word.to_owned());
        }
        1
    }

    /// The words of the thing as one query.
    pub(super) fn query(&self) -> String {
        self.product.join(" ")
    }

    /// Whether the answer needs arithmetic.
    pub(super) fn needs_arithmetic(&self) -> bool {
        self.quantity.is_some_and(|quantity| quantity != 1) || self.discount > 0
    }
}

/// A word without the punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '%')
}

fn quantity(word: &str) -> Option<u32> {
    let spelled = NUMBER_WORDS
        .iter()
        .position(|name| *name == word)
        .and_then(|number| u32::try_from(number).ok());
    spelled.or_else(|| word.strip_suffix('x').unwrap_or(word).parse().ok())
}

/// A percentage in hundredths of a percent and the number of words it takes.
fn percent(word: &str, next: Option<&str>) -> Option<(u32, usize)> {
    if let Some(number) = word.strip_suffix('%') {
        return hundredths(number).map(|discount| (discount, 1));
    }
    let unit = next.filter(|next| *next == "%" || next.eq_ignore_ascii_case("percent"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantity_product_and_discount_are_found() {
        let question = Question::read(
            "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?",
        );
        let product = ["replacement", "seal", "pump", "P-100"]
            .map(str::to_owned)
            .to_vec();
        let expected = Question {
            quantity: Some(3),
            discount: 800,
            sku: None,
            product,
            asks_price: true,
        };
        assert_eq!(question, expected);
    }

    #[test]
    fn numbers_may_be_words_and_discounts_decimals() {
        let question = Question::read("Please tell me the price of twelve bearings at 7.5% off");
        assert_eq!(
            (
                question.quantity,
                question.discount,
                question.query().as_str()
            ),
            (Some(12), 750, "bearings")
        );
    }

    #[test]
    fn an_item_number_is_no_product_word() {
        let question = Question::read("How much is sku-2048?");
        assert_eq!(
            (question.sku.as_deref(), question.query().as_str()),
            (Some("SKU-2048"), "")
        );
    }

    #[test]
    fn a_question_without_money_asks_no_price() {
        let question = Question::read("Which oil is in the gearbox G-7?");
        assert!(!question.asks_price);
        assert_eq!(question.query(), "oil gearbox G-7");
    }

    proptest! {
        #[test]
        fn any_quantity_and_discount_are_read_back(quantity in 1_u32..1_000_000, percent in 0_u32..=100) {
            let question = Question::read(&format!("price of {quantity} valves less {percent} percent"));
            prop_assert_eq!((question.quantity, question.discount), (Some(quantity), percent * 100));
        }

        #[test]
        fn no_text_makes_the_reader_fail(text in "\\PC{0,80}") {
            Question::read(&text);
        }
    }
}
