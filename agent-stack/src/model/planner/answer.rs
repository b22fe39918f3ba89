//! Puts an answer together from what the tools returned.

use super::question::Question;
use serde_json::{Map, Value};

/// The answer to `question`, given the results of the tools in the order they came.
pub(super) fn answer(question: &Question, results: &[Value]) -> String {
    match (question.asks_price, priced(results)) {
        (true, Some(item)) => price_answer(question, &item, results),
        (true, None) => "No price was found, so the cost cannot be told.".to_owned(),
        (false, _) => passage(results)
            .unwrap_or_else(|| "Nothing was found that answers the question.".to_owned()),
    }
}

fn price_answer(question: &Question, item: &Priced<'_>, results: &[Value]) -> String {
    let thing = item.thing();
    let each = item.money(&format!("{:.2}", item.price));
    if !question.needs_arithmetic() {
        return format!("1 unit of {thing} costs {each}.");
    }
    let Some(total) = output(results) else {
        return format!("{thing} costs {each} each, but the total could not be computed.");
    };
    let quantity = question.quantity.unwrap_or(1);
    let (units, cost) = if quantity == 1 {
        ("unit", "costs")
    } else {
        ("units", "cost")
    };
    let discount = if question.discount == 0 {
        String::new()
    } else {
        format!(", less {} % discount", percent(question.discount))
    };
    format!(
        "{quantity} {units} of {thing} {cost} {}: {quantity} x {each}{discount}.",
        item.money(total)
    )
}

/// An item with a price, found in a result.
struct Priced<'a> {
    item: &'a Map<String, Value>,
    price: f64,
}

impl Priced<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.item.get(name).and_then(Value::as_str)
    }

    fn thing(&self) -> String {
        match (self.text("name"), self.text("sku")) {
            (Some(name), Some(sku)) => format!("{name} ({sku})"),
            (Some(one), None) | (None, Some(one)) => one.to_owned(),
            (None, None) => "the item".to_owned(),
        }
    }

    fn money(&self, amount: &str) -> String {
        format!("{amount} {}", self.text("currency").unwrap_or_default())
            .trim_end()
            .to_owned()
    }
}

/// The last result with a number whose name speaks of a price.
fn priced(results: &[Value]) -> Option<Priced<'_>> {
    results
        .iter()
        .rev()
        .filter_map(Value::as_object)
        .find_map(|item| {
            let mut members = item.iter();
            let price = members.find_map(|(name, value)| {
                value
                    .as_f64()
                    .filter(|_| name.to_lowercase().contains("price"))
            })?;
            Some(Priced { item, price })
        })
}

/// The amount that a program printed.
fn output(results: &[Value]) -> Option<&str> {
    let printed = results
        .iter()
        .rev()
        .find_map(|result| result.get("stdout")?.as_str())?
        .trim();
    printed.parse::<f64>().ok().map(|_| printed)
}

/// The passage of the best hit.
fn passage(results: &[Value]) -> Option<String> {
    results
        .iter()
        .find_map(|result| result.pointer("/hits/0/passage")?.as_str())
        .map(str::to_owned)
}

fn percent(hundredths: u32) -> String {
    match hundredths % 100 {
        0 => (hundredths / 100).to_string(),
        places => format!("{}.{places:02}", hundredths / 100),
    }
}
