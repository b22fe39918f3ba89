//! What a result lacks that a later step was to be called with, in words.

use super::words;
use serde_json::Value;

/// What is not there on the way that `pointer` (RFC 6901) takes into `result`, and what it would be by the tool's `schema`.
pub(super) fn told(pointer: &str, result: &Value, schema: Option<&Value>) -> String {
    let missing = missing(pointer, result);
    match schema.and_then(|schema| described(pointer, schema)) {
        Some(what) => format!("{missing} ({what})"),
        None => missing,
    }
}

fn missing(pointer: &str, result: &Value) -> String {
    let mut place = String::new();
    for name in pointer.split('/').skip(1) {
        let next = format!("{place}/{name}");
        let Some(here) = result
            .pointer(&place)
            .filter(|_| result.pointer(&next).is_none())
        else {
            place = next;
            continue;
        };
        let empty = here.as_array().is_some_and(Vec::is_empty);
        return match place.as_str() {
            "" => format!("there is no `{name}`"),
            place if empty => format!("`{place}` is empty"),
            place => format!("`{place}` has no `{name}`"),
        };
    }
    format!("there is nothing at `{pointer}`")
}

/// The description of the property that `pointer` leads to.
fn described(pointer: &str, schema: &Value) -> Option<String> {
    let property = pointer.split('/').skip(1).try_fold(schema, |schema, name| {
        let property = schema.get("properties").and_then(|all| all.get(name));
        property.or_else(|| schema.get("items"))
    });
    words::quoted(property?.get("description")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_thing_that_is_not_there_is_named() {
        let result = json!({"hits": [{"document": "a"}], "none": []});
        for (pointer, expected) in [
            ("/hits/0/sku", "`/hits/0` has no `sku`"),
            ("/hits/1/sku", "`/hits` has no `1`"),
            ("/none/0/sku", "`/none` is empty"),
            ("/price", "there is no `price`"),
            ("x", "there is nothing at `x`"),
        ] {
            assert_eq!(told(pointer, &result, None), expected);
        }
    }

    #[test]
    fn what_is_not_there_is_told_as_the_tool_describes_it() {
        let sku = json!({"type": "string", "description": "Number of\nthe item."});
        let schema = json!({"properties": {"hits": {"items": {"properties": {"sku": sku}}}}});
        let result = json!({"hits": []});
        assert_eq!(
            told("/hits/0/sku", &result, Some(&schema)),
            "`/hits` is empty (Number of the item.)"
        );
        assert_eq!(
            told("/hits/0/x", &result, Some(&schema)),
            "`/hits` is empty"
        );
    }
}
