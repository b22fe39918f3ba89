use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

#[derive(Debug, Deserialize, PartialEq)]
struct Line {
    sku: String,
    units: u8,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Order {
    lines: Vec<Line>,
}

fn error_of(text: &str) -> StrictJsonError {
    value(text.as_bytes()).unwrap_err()
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn a_good_text_is_read_as_the_type_that_is_asked_for() {
    let order: Order = from_slice(br#" {"lines": [{"sku": "SKU-1", "units": 3}]} "#).unwrap();
    let sku = "SKU-1".to_owned();
    assert_eq!(
        order,
        Order {
            lines: vec![Line { sku, units: 3 }]
        }
    );
}

#[test]
fn a_member_that_is_there_twice_is_refused_by_its_path() {
    let error = error_of(r#"{"a": 1, "b": [0, {"c": 1, "d": 2, "c": 1}]}"#);
    assert_eq!(error.to_string(), "the member `b[1].c` is there twice");
    assert_eq!(error.path(), Some("b[1].c"));
    let top = error_of(r#"{"a": {"a": 1}, "a": {}}"#);
    assert_eq!(top.path(), Some("a"));
}

#[test]
fn names_that_differ_only_in_how_they_are_escaped_are_one_name() {
    let error = error_of(r#"{"role": 1, "\u0072ole": 2}"#);
    assert!(matches!(error, StrictJsonError::Duplicate { path } if path == "role"));
}

#[test]
fn nesting_ends_at_the_limit() {
    assert!(value(nested(MAX_DEPTH).as_bytes()).is_ok());
    let error = error_of(&nested(MAX_DEPTH + 1));
    assert_eq!(error.path(), Some("[0]".repeat(MAX_DEPTH).as_str()));
    assert!(matches!(
        error_of(&nested(100_000)),
        StrictJsonError::Depth { .. }
    ));
    let objects = r#"{"a":"#.repeat(100_000);
    assert!(matches!(error_of(&objects), StrictJsonError::Depth { .. }));
}

#[test]
fn a_text_that_is_not_utf_8_is_refused_by_its_byte() {
    let error = value(b"{\"a\": \"\xff\"}").unwrap_err();
    assert!(matches!(error, StrictJsonError::Encoding { offset: 7 }));
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[1,]",
        "{'a': 1}",
        "1 2",
        "NaN",
        "1e999",
        "\"\u{1}\"",
        "\u{feff}1",
    ] {
        assert!(
            matches!(error_of(text), StrictJsonError::Syntax(_)),
            "{text}"
        );
    }
}

#[test]
fn a_wrong_type_is_told_with_its_path() {
    let error = from_slice::<Order>(br#"{"lines": [{"sku": "x", "units": 300}]}"#).unwrap_err();
    assert_eq!(error.to_string(), "`lines[0].units` has the wrong form");
    let whole = from_slice::<Order>(b"[]").unwrap_err();
    assert_eq!(
        (whole.to_string().as_str(), whole.path()),
        ("the value has the wrong form", None)
    );
}

#[test]
fn a_member_that_is_not_known_is_told_by_its_name() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    let error = from_slice::<Empty>(br#"{"colour": 1}"#).unwrap_err();
    let told = crate::telemetry::chain(&error);
    assert!(told.contains("unknown field `colour`"), "{told}");
    assert_eq!(error.path(), Some("colour"));
}

#[test]
fn an_error_in_a_member_can_be_told_from_the_root() {
    let path = |text: &[u8]| {
        let error = from_slice::<Order>(text).unwrap_err().below("order");
        error.path().map(str::to_owned).unwrap()
    };
    assert_eq!(path(br#"{"lines": [0]}"#), "order.lines[0]");
    assert_eq!(path(b"[]"), "order");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(".{0,4}", inner, 0..6).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_is_read_as_serde_json_reads_it(written in any_json()) {
        let text = written.to_string();
        prop_assert_eq!(value(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn it_accepts_no_text_that_serde_json_refuses(text in proptest::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(read) = value(&text) {
            prop_assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), read);
        }
    }

    #[test]
    fn a_repeated_member_is_found_at_any_depth(outer in 0_usize..40, name in "[a-z]{1,6}", first in any_json()) {
        let object = format!("{{\"{name}\": {first}, \"other-one\": 0, \"{name}\": 1}}");
        let text = "[".repeat(outer) + &object + &"]".repeat(outer);
        let error = value(text.as_bytes()).unwrap_err();
        let path = "[0]".repeat(outer) + if outer == 0 { "" } else { "." } + &name;
        prop_assert_eq!(error.path(), Some(path.as_str()));
    }
}

#[test]
fn numbers_keep_their_kind() {
    let read = value(b"[18446744073709551615, -9223372036854775808, 1.5, 1e2]").unwrap();
    assert_eq!(read, json!([u64::MAX, i64::MIN, 1.5, 100.0]));
}
