//! Answers about prices.

use super::super::finding::{Finding, Hit};
use super::super::question::{Item, Question};
use super::passages::quoted;
use serde_json::{Map, Number, Value};

pub(super) fn answer(question: &Question, findings: &[Finding]) -> String {
    if let Some(refusal) = not_that_thing(findings) {
        return refusal;
    }
    let priced: Vec<_> = findings.iter().filter_map(Priced::of).collect();
    if priced.len() < question.items.len().max(1) {
        return no_item(findings).unwrap_or_else(|| no_price(&priced).to_owned());
    }
    match (question.items.as_slice(), priced.as_slice()) {
        ([item], [.., priced]) => one(question, item, priced, findings),
        (items, priced) => several(question, items, priced, findings),
    }
}

/// Says so when the best document lacks a word of what was asked for: its item is another one.
fn not_that_thing(findings: &[Finding]) -> Option<String> {
    let mut best = findings
        .iter()
        .filter_map(|finding| finding.hits()?.first().copied());
    let other = best.find(|hit| !hit.missing().is_empty())?;
    Some(format!(
        "I cannot tell the price: no document has {} with the rest of the request. The closest is {}.",
        quoted(&other.missing()),
        other.text("document").unwrap_or("another one")
    ))
}

/// Says so when a search found no item, so that there was nothing to look up.
fn no_item(findings: &[Finding]) -> Option<String> {
    let fruitless = |hits: Vec<Hit<'_>>| match hits.first() {
        None => Some("no document matches the request".to_owned()),
        Some(best) if !best.names_an_item() => {
            let document = best.text("document").unwrap_or("the one found");
            Some(format!(
                "no item matches the request. The closest document, {document}, names no item number"
            ))
        }
        Some(_) => None,
    };
    let reason = findings
        .iter()
        .filter_map(Finding::hits)
        .find_map(fruitless)?;
    Some(format!("I cannot tell the price: {reason}."))
}

const fn no_price(priced: &[Priced<'_>]) -> &'static str {
    if priced.is_empty() {
        "No price was found, so the cost cannot be told."
    } else {
        "Not every price was found, so the cost cannot be told."
    }
}

fn one(question: &Question, item: &Item, priced: &Priced<'_>, findings: &[Finding]) -> String {
    let thing = priced.thing();
    let each = priced.money(&amount(priced.price));
    if !question.needs_arithmetic() {
        return format!("One unit of {thing} costs {each}.");
    }
    let Some(total) = output(findings) else {
        return format!("{thing} costs {each} each, but the total could not be computed.");
    };
    let quantity = item.quantity.unwrap_or(1);
    let (units, cost) = if quantity == 1 {
        ("unit", "costs")
    } else {
        ("units", "cost")
    };
    format!(
        "{quantity} {units} of {thing} {cost} {}: {quantity} x {each}{}.",
        priced.money(total),
        discount(question)
    )
}

fn several(
    question: &Question,
    items: &[Item],
    priced: &[Priced<'_>],
    findings: &[Finding],
) -> String {
    let lines: Vec<_> = items
        .iter()
        .zip(priced)
        .map(|(item, priced)| {
            let each = priced.money(&amount(priced.price));
            format!(
                "{} x {} at {each}",
                item.quantity.unwrap_or(1),
                priced.thing()
            )
        })
        .collect();
    let lines = lines.join("; ");
    match (output(findings), priced.first()) {
        (Some(total), Some(first)) => format!(
            "Together they cost {}: {lines}{}.",
            first.money(total),
            discount(question)
        ),
        _ => format!("{lines}; but the total could not be computed."),
    }
}

fn discount(question: &Question) -> String {
    match question.discount {
        0 => String::new(),
        discount => format!(", less {} % discount", percent(discount)),
    }
}

/// An item with a price, found in a result.
struct Priced<'a> {
    item: &'a Map<String, Value>,
    price: &'a Number,
}

impl<'a> Priced<'a> {
    /// The number whose name speaks of a price.
    fn of(finding: &'a Finding) -> Option<Self> {
        let item = finding.result.as_object()?;
        item.iter().find_map(|(name, value)| match value {
            Value::Number(price) if name.to_lowercase().contains("price") => {
                Some(Self { item, price })
            }
            _ => None,
        })
    }

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

/// A price with two places, or with all of its places where it has more.
fn amount(price: &Number) -> String {
    let text = price.to_string();
    match text.split_once('.') {
        Some((_, places)) if places.len() > 2 => text,
        Some((whole, places)) => format!("{whole}.{places:0<2}"),
        None => format!("{text}.00"),
    }
}

/// The amount that a program printed.
fn output(findings: &[Finding]) -> Option<&str> {
    let printed = findings
        .iter()
        .rev()
        .find_map(|finding| finding.text("/stdout"))?
        .trim();
    printed.parse::<f64>().ok().map(|_| printed)
}

fn percent(hundredths: u32) -> String {
    match hundredths % 100 {
        0 => (hundredths / 100).to_string(),
        places => format!("{}.{places:02}", hundredths / 100),
    }
}
