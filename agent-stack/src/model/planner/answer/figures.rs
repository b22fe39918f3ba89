//! Answers about measured values, from the JSON that the program of the plan printed.

use super::super::finding::Finding;
use super::super::question::Question;
use serde::Deserialize;

/// What the program printed.
#[derive(Deserialize)]
struct Printed {
    #[serde(default)]
    problem: Option<String>,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    name: String,
    count: u64,
    mean: Option<String>,
    median: Option<String>,
    minimum: Option<Place>,
    maximum: Option<Place>,
    outliers: Option<Vec<Place>>,
}

/// A value and the labels of its row.
#[derive(Deserialize)]
struct Place {
    value: String,
    at: String,
}

pub(super) fn answer(question: &Question, findings: &[Finding]) -> String {
    let printed = findings
        .iter()
        .rev()
        .find_map(|finding| finding.text("/stdout"))
        .and_then(|text| serde_json::from_str::<Printed>(text).ok());
    match printed {
        None => "I cannot tell: the computation gave no figures.".to_owned(),
        Some(Printed {
            problem: Some(problem),
            ..
        }) => format!("I cannot tell: {problem}."),
        Some(Printed { unit, groups, .. }) => told(question, &unit, &groups),
    }
}

fn told(question: &Question, unit: &str, groups: &[Group]) -> String {
    let subject = subject(question);
    match (groups, &question.group) {
        ([group], None) => format!("{subject}, {}: {}.", values(group.count), group.told(unit)),
        (groups, by) => {
            let parts: Vec<_> = groups
                .iter()
                .map(|group| {
                    format!(
                        "{}: {} ({})",
                        group.name,
                        group.told(unit),
                        values(group.count)
                    )
                })
                .collect();
            let by = by.as_deref().unwrap_or("group");
            format!("{subject} by {by}: {}.", parts.join("; "))
        }
    }
}

/// What was measured, and on which machine.
fn subject(question: &Question) -> String {
    let what = if question.labels.is_empty() {
        "measured values".to_owned()
    } else {
        question.labels.join(" ")
    };
    let what = match &question.machine {
        Some(machine) => format!("{what} of {machine}"),
        None => what,
    };
    let mut letters = what.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn values(count: u64) -> String {
    match count {
        1 => "1 value".to_owned(),
        count => format!("{count} values"),
    }
}

impl Group {
    fn told(&self, unit: &str) -> String {
        let with_unit = |value: &str| format!("{value} {unit}").trim_end().to_owned();
        let place = |place: &Place| match place.at.as_str() {
            "" => with_unit(&place.value),
            at => format!("{} ({at})", with_unit(&place.value)),
        };
        let figures = [
            self.mean
                .as_deref()
                .map(|mean| format!("mean {}", with_unit(mean))),
            self.median
                .as_deref()
                .map(|median| format!("median {}", with_unit(median))),
            self.minimum
                .as_ref()
                .map(|found| format!("minimum {}", place(found))),
            self.maximum
                .as_ref()
                .map(|found| format!("maximum {}", place(found))),
            self.outliers.as_deref().map(|found| outliers(found, place)),
        ];
        let figures: Vec<_> = figures.into_iter().flatten().collect();
        if figures.is_empty() {
            values(self.count)
        } else {
            figures.join(", ")
        }
    }
}

fn outliers(found: &[Place], told: impl Fn(&Place) -> String) -> String {
    let places: Vec<_> = found.iter().map(told).collect();
    match places.as_slice() {
        [] => "no outlier".to_owned(),
        [one] => format!("1 outlier, {one}"),
        several => format!("{} outliers, {}", several.len(), several.join(", ")),
    }
}
