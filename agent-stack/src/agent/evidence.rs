//! What a task rests on: the calls that were made, and which numbers of an answer come from nowhere.

use super::event::{CallEvidence, CallOutcome};
use portproof_proto::canonical;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// The calls of one task, filled while they run. What the model says never gets in here.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By place in the plan.
    calls: Mutex<BTreeMap<usize, CallEvidence>>,
    /// Numbers that were seen.
    numbers: Mutex<BTreeSet<String>>,
    retries: Mutex<u32>,
}

impl Ledger {
    /// Notes the end of a call.
    pub(super) fn call(&self, place: usize, evidence: CallEvidence) {
        self.retried(evidence.attempts);
        lock(&self.calls).insert(place, evidence);
    }

    /// Notes that something took `attempts`.
    pub(super) fn retried(&self, attempts: u32) {
        *lock(&self.retries) += attempts.saturating_sub(1);
    }

    /// Notes the numbers in a text that came from outside the model.
    pub(super) fn saw(&self, text: &str) {
        lock(&self.numbers).extend(numbers(text));
    }

    /// Notes every number in a value.
    pub(super) fn saw_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.saw(text),
            Value::Array(items) => items.iter().for_each(|item| self.saw_value(item)),
            Value::Object(members) => members.values().for_each(|member| self.saw_value(member)),
            Value::Number(number) => self.saw(&number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Every call in the order of the plan.
    pub(super) fn evidence(&self) -> Vec<CallEvidence> {
        lock(&self.calls).values().cloned().collect()
    }

    pub(super) fn retries(&self) -> u32 {
        *lock(&self.retries)
    }

    /// Numbers of `text` that were never seen, each once.
    pub(super) fn unsupported(&self, text: &str) -> Vec<String> {
        let seen = lock(&self.numbers);
        let mut told = BTreeSet::new();
        numbers(text)
            .filter(|number| !seen.contains(number) && told.insert(number.clone()))
            .collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The evidence of a call that has ended; `result` is what the tool returned.
pub(super) fn evidence(
    (call_id, tool): (&str, &str),
    arguments: &Value,
    result: Option<&Value>,
    (outcome, attempts): (CallOutcome, u32),
) -> CallEvidence {
    CallEvidence {
        call_id: call_id.to_owned(),
        tool: tool.to_owned(),
        arguments_sha256: digest(arguments),
        result_sha256: result.and_then(digest),
        attempts,
        outcome,
    }
}

/// A value without a canonical form has no digest.
pub(super) fn digest(value: &Value) -> Option<String> {
    canonical::digest(value)
        .ok()
        .map(|digest| digest.to_string())
}

/// The numbers of a text in their shortest form: `42.50` and `42.5` are one. Digits in a word, as in `P-100` or
/// `2026-03-04`, are no number.
fn numbers(text: &str) -> impl Iterator<Item = String> {
    let inside = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | ',' | '-' | ':');
    text.split(move |letter| !inside(letter))
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()))
        .flat_map(ungrouped)
        .filter_map(|word| number(&word))
}

/// Takes the commas out of `8,000` and takes `10,20` apart.
fn ungrouped(word: &str) -> Vec<String> {
    let mut groups = word.split(',').skip(1);
    let thousands = groups.all(|group| {
        group
            .split('.')
            .next()
            .is_some_and(|digits| digits.len() == 3)
    });
    if thousands {
        vec![word.replace(',', "")]
    } else {
        word.split(',').map(str::to_owned).collect()
    }
}

fn number(word: &str) -> Option<String> {
    let plain = word
        .chars()
        .all(|letter| letter.is_ascii_digit() || letter == '.');
    if word.is_empty() || !plain || word.matches('.').count() > 1 {
        return None;
    }
    let short = match word.split_once('.') {
        Some(_) => word.trim_end_matches('0').trim_end_matches('.'),
        None => word,
    };
    let short = short.trim_start_matches('0');
    Some(if short.is_empty() || short.starts_with('.') {
        format!("0{short}")
    } else {
        short.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn found(text: &str) -> Vec<String> {
        numbers(text).collect()
    }

    #[test]
    fn numbers_are_compared_by_what_they_say_and_not_how() {
        assert_eq!(
            found("42.50 EUR, 8,000 hours (3 x 0.5)."),
            ["42.5", "8000", "3", "0.5"]
        );
        assert_eq!(found(r#"{"count": 12,"n":[10,20]}"#), ["12", "10", "20"]);
    }

    #[test]
    fn digits_of_names_and_dates_are_no_numbers() {
        assert_eq!(
            found("P-100 SKU-7311 2026-03-04 12:00 step-1 v2"),
            [] as [&str; 0]
        );
    }

    #[test]
    fn a_number_that_was_never_seen_is_told_once() {
        let ledger = Ledger::default();
        ledger.saw_value(&json!({"lines": [{"price": 42.5}]}));
        assert_eq!(
            ledger.unsupported("42.50 EUR, that is 99 EUR and again 99"),
            ["99"]
        );
    }

    #[test]
    fn calls_stand_in_the_order_of_the_plan_and_retries_add_up() {
        let ledger = Ledger::default();
        for (place, id, attempts) in [(1, "b", 3), (0, "a", 1)] {
            let outcome = (CallOutcome::Ok, attempts);
            ledger.call(
                place,
                evidence((id, "t"), &json!({}), Some(&json!(1)), outcome),
            );
        }
        ledger.retried(2);
        let ids: Vec<_> = ledger
            .evidence()
            .into_iter()
            .map(|call| call.call_id)
            .collect();
        assert_eq!((ids, ledger.retries()), (vec!["a".into(), "b".into()], 3));
    }

    proptest! {
        #[test]
        fn whatever_was_seen_is_supported(text in "\\PC{0,60}") {
            let ledger = Ledger::default();
            ledger.saw(&text);
            prop_assert!(ledger.unsupported(&text).is_empty());
        }
    }
}
