//! Recognises what the offered tools can do, from their names, descriptions and schemas.

use crate::model::openai::ToolOffer;
use crate::plan;
use serde_json::Value;

/// What a plan can need a tool for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ability {
    /// Finds documents by words.
    Search,
    /// Finds the price of an item by its number.
    Price,
    /// Reads the measured values of a machine.
    Data,
    /// Runs a program.
    Code,
}

impl Ability {
    const ALL: [Self; 4] = [Self::Search, Self::Price, Self::Data, Self::Code];

    /// Beginnings of words that speak of the ability.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["search", "find", "document", "manual", "passage", "query"],
            Self::Price => &["price", "lookup", "look", "catalog", "item", "sku"],
            Self::Data => &["measure", "reading", "sensor", "telemetry", "series"],
            Self::Code => &[
                "python",
                "code",
                "program",
                "run",
                "execute",
                "interpreter",
                "comput",
                "calculat",
            ],
        }
    }

    /// Beginnings of the names of the argument that such a tool takes.
    const fn argument_words(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["query", "q", "text", "question"],
            Self::Price => &["sku", "item", "id", "number"],
            Self::Data => &["machine", "device", "series", "sensor", "name", "id"],
            Self::Code => &["code", "source", "program", "script"],
        }
    }

    /// The ability in words, for a plan that lacks it.
    pub(super) const fn need(self) -> &'static str {
        match self {
            Self::Search => "a tool that searches documents by words",
            Self::Price => "a tool that tells the price of an item by its number",
            Self::Data => "a tool that reads the measured values of a machine",
            Self::Code => "a tool that runs code",
        }
    }
}

/// One offered tool.
#[derive(Clone, Debug)]
pub(super) struct Offered {
    /// Name of the tool.
    pub(super) name: String,
    /// Name of the argument the plan fills in.
    pub(super) argument: String,
    /// Schema of the result, where it is known.
    pub(super) result: Option<Value>,
}

/// The tool that fits `ability` best; `None` when no offered tool fits it better than anything else.
pub(super) fn pick(offers: &[ToolOffer], ability: Ability) -> Option<Offered> {
    let mut fitting: Vec<_> = offers
        .iter()
        .filter_map(|offer| fit(offer, ability))
        .collect();
    fitting.sort_by(|(one, a), (other, b)| other.cmp(one).then_with(|| a.name.cmp(&b.name)));
    fitting.into_iter().next().map(|(_, offered)| offered)
}

/// The tool with its score, when `ability` is what the tool is best at.
fn fit(offer: &ToolOffer, ability: Ability) -> Option<(usize, Offered)> {
    let (description, result) = plan::described(&offer.function.description);
    let words = words_of(&offer.function.name, description);
    let score = score(&words, ability);
    let best = Ability::ALL
        .into_iter()
        .all(|other| score_rank(&words, other) <= (score, ability == other));
    if score < 2 || !best {
        return None;
    }
    let argument = argument(&offer.function.parameters, ability)?;
    Some((
        score,
        Offered {
            name: offer.function.name.clone(),
            argument,
            result,
        },
    ))
}

/// Words of the name count double: a description speaks of other things too.
fn words_of(name: &str, description: &str) -> Vec<String> {
    let split = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|letter: char| !letter.is_alphanumeric())
            .map(str::to_owned)
            .collect()
    };
    [split(name), split(name), split(description)].concat()
}

fn score(words: &[String], ability: Ability) -> usize {
    words
        .iter()
        .filter(|word| ability.words().iter().any(|stem| word.starts_with(stem)))
        .count()
}

fn score_rank(words: &[String], ability: Ability) -> (usize, bool) {
    (score(words, ability), false)
}

/// The text argument of the tool that takes what the plan has to give.
fn argument(parameters: &Value, ability: Ability) -> Option<String> {
    let properties = parameters.get("properties")?.as_object()?;
    let is_text = |schema: &Value| schema.get("type").and_then(Value::as_str) == Some("string");
    let texts: Vec<&String> = properties
        .iter()
        .filter(|(_, schema)| is_text(schema))
        .map(|(name, _)| name)
        .collect();
    let named = ability.argument_words().iter().find_map(|stem| {
        texts
            .iter()
            .find(|name| name.to_lowercase().starts_with(stem))
    });
    named
        .or_else(|| texts.first().filter(|_| texts.len() == 1))
        .map(|name| (*name).clone())
}

/// The JSON pointer to the first property of `schema` whose name `wanted` accepts, shallow ones first.
pub(super) fn pointer_to(schema: &Value, wanted: impl Fn(&str) -> bool) -> Option<String> {
    let mut level = vec![(String::new(), schema)];
    while !level.is_empty() {
        let mut deeper = Vec::new();
        for (pointer, schema) in level {
            for (name, property) in properties(schema) {
                if wanted(name) {
                    return Some(format!("{pointer}/{name}"));
                }
                deeper.push((format!("{pointer}/{name}"), property));
            }
            deeper.extend(
                schema
                    .get("items")
                    .map(|items| (format!("{pointer}/0"), items)),
            );
        }
        level = deeper;
    }
    None
}

/// The form of measured values in a result: rows with one number each and texts that label it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Member with the number.
    pub(super) value: String,
    /// Member with its unit.
    pub(super) unit: Option<String>,
    /// Members with labels.
    pub(super) labels: Vec<String>,
}

/// The JSON pointer to the first list of rows in `schema`, with the form of a row.
pub(super) fn table_in(schema: &Value) -> Option<(String, Table)> {
    properties(schema).find_map(|(name, property)| {
        let table = table(property.get("items")?)?;
        Some((format!("/{name}"), table))
    })
}

fn table(row: &Value) -> Option<Table> {
    let named = |types: &[&str]| -> Vec<&String> {
        let is = |property: &Value| {
            let r#type = property.get("type").and_then(Value::as_str);
            r#type.is_some_and(|name| types.contains(&name))
        };
        properties(row)
            .filter(|(_, property)| is(property))
            .map(|(name, _)| name)
            .collect()
    };
    let value = (*named(&["number", "integer"]).first()?).clone();
    let (units, labels): (Vec<_>, Vec<_>) = named(&["string"])
        .into_iter()
        .cloned()
        .partition(|name| name.to_lowercase().starts_with("unit"));
    Some(Table {
        value,
        unit: units.into_iter().next(),
        labels,
    })
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::openai::FunctionOffer;
    use serde_json::json;

    fn offer(name: &str, description: &str, argument: &str) -> ToolOffer {
        let parameters = json!({"type": "object", "properties": {argument: {"type": "string"}, "limit": {"type": "integer"}}});
        let function = FunctionOffer {
            name: name.into(),
            description: description.into(),
            parameters,
        };
        ToolOffer {
            r#type: "function".into(),
            function,
        }
    }

    #[test]
    fn tools_are_recognised_by_what_they_say_and_not_by_one_name() {
        let offers = [
            offer(
                "kb",
                "Find passages in the manuals that match a query.",
                "text",
            ),
            offer(
                "calc",
                "Executes a Python program and returns its output.",
                "source",
            ),
            offer("erp", "Looks up the price of a catalog item.", "itemNumber"),
        ];
        let picked = |ability| {
            pick(&offers, ability)
                .map(|found| (found.name, found.argument))
                .unwrap()
        };
        assert_eq!(picked(Ability::Search), ("kb".into(), "text".into()));
        assert_eq!(picked(Ability::Code), ("calc".into(), "source".into()));
        assert_eq!(picked(Ability::Price), ("erp".into(), "itemNumber".into()));
    }

    #[test]
    fn a_tool_that_does_something_else_is_not_picked() {
        let offers = [offer(
            "search_documents",
            "Searches documents; each hit names an item.",
            "query",
        )];
        assert!(pick(&offers, Ability::Price).is_none());
        assert!(pick(&offers, Ability::Code).is_none());
    }

    #[test]
    fn rows_of_numbers_are_found_with_their_labels() {
        let text = json!({"type": "string"});
        let row = json!({"properties": {"day": text, "reading": {"type": "number"}, "unit": text}});
        let schema =
            json!({"properties": {"machine": text, "rows": {"type": "array", "items": row}}});
        let expected = Table {
            value: "reading".into(),
            unit: Some("unit".into()),
            labels: vec!["day".into()],
        };
        assert_eq!(table_in(&schema), Some(("/rows".into(), expected)));
        assert_eq!(table_in(&json!({"properties": {"rows": text}})), None);
    }

    #[test]
    fn the_pointer_goes_through_lists_to_the_property() {
        let schema =
            json!({"properties": {"hits": {"items": {"properties": {"sku": {"type": "string"}}}}}});
        assert_eq!(
            pointer_to(&schema, |name| name == "sku").unwrap(),
            "/hits/0/sku"
        );
        assert_eq!(pointer_to(&schema, |name| name == "price"), None);
    }
}
