//! The JSON Schema of scenario files, for editors.

use super::file::File;
use schemars::generate::SchemaSettings;

/// The JSON Schema (2020-12) of scenario files, pretty-printed with a line feed at the end.
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>();
    // `{:#}` of a JSON value is its pretty form and cannot fail.
    format!("{:#}\n", schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_beside_the_scenarios_is_the_one_of_this_code() {
        let shipped = include_str!("../../../scenarios/schema/scenario.schema.json");
        assert!(
            shipped == schema(),
            "write the output of `portproof schema` to scenarios/schema/scenario.schema.json"
        );
    }

    #[test]
    fn the_schema_is_as_strict_as_the_parser() {
        let schema: serde_json::Value = serde_json::from_str(&schema()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        let definitions = schema["$defs"].as_object().unwrap();
        let open: Vec<_> = definitions
            .iter()
            .filter(|(_, definition)| {
                definition["type"] == "object" && definition["additionalProperties"] != false
            })
            .map(|(name, _)| name)
            .collect();
        assert!(open.is_empty(), "{open:?} accept anything");
    }
}
