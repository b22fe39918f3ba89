//! Where two JSON values differ, by JSON pointer (RFC 6901).

use json_patch::PatchOperation;
use serde_json::{Value, json};
use std::fmt;

/// Longest text of a value shown to people, in characters.
const SHOWN: usize = 80;

/// One place where two values differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where; empty for the whole value.
    pub pointer: String,
    /// What the one holds there; `None` when the member is missing.
    pub one: Option<Value>,
    /// What the other holds there; `None` when the member is missing.
    pub other: Option<Value>,
}

impl Difference {
    /// For machines, with values cut to a readable length.
    pub fn to_json(&self) -> Value {
        json!({"pointer": self.pointer, "one": shown(self.one.as_ref()), "other": shown(self.other.as_ref())})
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() {
            "/"
        } else {
            &self.pointer
        };
        write!(
            f,
            "{pointer}: {} became {}",
            shown(self.one.as_ref()),
            shown(self.other.as_ref())
        )
    }
}

/// Every place where `one` and `other` differ. Numbers count as equal when they differ by at most `tolerance` of the
/// larger one, whole numbers when they are the same; 0 asks for the same value, whichever way it is written (`1` and `1.0`).
pub fn differences(one: &Value, other: &Value, tolerance: f64) -> Vec<Difference> {
    let mut found = Vec::new();
    // Each operation names places in what those before it have made: an element that goes moves those behind it.
    let mut state = one.clone();
    for operation in json_patch::diff(one, other).0 {
        found.extend(difference(&state, &operation));
        if json_patch::patch(&mut state, &[operation]).is_err() {
            break;
        }
    }
    found.retain(|difference| !difference.within(tolerance));
    found
}

/// Whether two numbers differ by at most `tolerance` of the larger one.
pub(super) fn close(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

fn difference(state: &Value, operation: &PatchOperation) -> Option<Difference> {
    let (path, other) = match operation {
        PatchOperation::Add(add) => {
            return Some(Difference {
                pointer: add.path.to_string(),
                one: None,
                other: Some(add.value.clone()),
            });
        }
        PatchOperation::Remove(remove) => (remove.path.as_str(), None),
        PatchOperation::Replace(replace) => (replace.path.as_str(), Some(replace.value.clone())),
        // A diff moves, copies and tests nothing.
        PatchOperation::Move(_) | PatchOperation::Copy(_) | PatchOperation::Test(_) => return None,
    };
    Some(Difference {
        pointer: path.to_owned(),
        one: state.pointer(path).cloned(),
        other,
    })
}

impl Difference {
    fn within(&self, tolerance: f64) -> bool {
        let whole = |value: &Option<Value>| {
            value
                .as_ref()
                .is_some_and(|value| value.is_i64() || value.is_u64())
        };
        // The tolerance is for roundings; an order number one higher is another order.
        if whole(&self.one) && whole(&self.other) {
            return false;
        }
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
        matches!((number(&self.one), number(&self.other)), (Some(one), Some(other)) if close(one, other, tolerance))
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "nothing".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_difference_is_named_by_its_pointer() {
        let one = json!({"a": {"b/c": 1, "gone": true}, "same": [1]});
        let other = json!({"a": {"b/c": 2}, "same": [1], "new": "x"});
        let found: Vec<_> = differences(&one, &other, 0.0)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "/a/b~1c: 1 became 2",
                "/a/gone: true became nothing",
                "/new: nothing became \"x\""
            ]
        );
    }

    #[test]
    fn a_difference_of_the_whole_value_has_the_root_as_its_place() {
        assert_eq!(
            differences(&json!(1), &json!("1"), 0.5)[0].to_string(),
            "/: 1 became \"1\""
        );
    }

    #[test]
    fn every_element_that_went_is_shown_as_it_was() {
        let found = differences(&json!(["a", "b", "c"]), &json!(["a"]), 0.0);
        let gone: Vec<_> = found.iter().filter_map(|it| it.one.clone()).collect();
        assert_eq!(gone, ["b", "c"]);
        assert!(found.iter().all(|it| it.other.is_none()));
    }

    #[test]
    fn numbers_within_the_tolerance_are_equal_and_others_are_not() {
        let (one, other) = (json!({"x": 34.2}), json!({"x": 34.200_000_001}));
        assert!(differences(&one, &other, 1e-9).is_empty());
        assert_eq!(differences(&one, &other, 0.0).len(), 1);
        assert!(differences(&json!(1), &json!(1.0), 0.0).is_empty());
    }

    #[test]
    fn long_values_are_cut() {
        assert!(
            differences(&json!("x".repeat(500)), &json!(1), 0.0)[0]
                .to_string()
                .len()
                < 120
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-z/~]{0,3}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[a-z~/]{1,2}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_never_differs_from_itself(value in value()) {
            prop_assert!(differences(&value, &value, 0.0).is_empty());
        }

        #[test]
        fn unequal_values_differ_somewhere(one in value(), other in value()) {
            prop_assert_eq!(differences(&one, &other, 0.0).is_empty(), one == other);
        }
    }
}
