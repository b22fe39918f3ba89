//! Words that all formats share.

use crate::verify::{EvidenceClass, Role, Verdict};

/// Milliseconds for people: `850 ms`, `48.2 s`, `3 min 5 s`.
#[expect(
    clippy::cast_precision_loss,
    reason = "times shown to people need no more than 52 bits"
)]
pub(super) fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..100_000 => format!("{:.1} s", milliseconds as f64 / 1e3),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds % 60_000 / 1_000
        ),
    }
}

/// `x`, `x and y`, `x, y and 3 more`.
pub(super) fn join(items: &[String], limit: usize) -> String {
    let mut shown: Vec<String> = items.iter().take(limit).cloned().collect();
    match (items.len().saturating_sub(limit), shown.pop()) {
        (_, None) => String::new(),
        (0, Some(last)) if shown.is_empty() => last,
        (0, Some(last)) => format!("{} and {last}", shown.join(", ")),
        (more, Some(last)) => format!("{}, {last} and {more} more", shown.join(", "))
            .trim_start_matches(", ")
            .to_owned(),
    }
}

/// `on cluster a`, `on clusters a and b`, or nothing.
pub(super) fn on<'a>(roles: impl IntoIterator<Item = &'a Role>) -> String {
    let names: Vec<_> = roles.into_iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => format!("on cluster {name}"),
        names => format!("on clusters {}", join(names, 6)),
    }
}

/// `1 check`, `3 checks`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// What kind of thing was looked at, for people.
pub(super) const fn evidence_class(class: EvidenceClass) -> &'static str {
    match class {
        EvidenceClass::Real => "real",
        EvidenceClass::SimulatedDevice => "simulated device",
        EvidenceClass::SimulatedNode => "simulated node",
        EvidenceClass::NumericsVariant => "numerics variant",
        EvidenceClass::NotExercised => "not exercised",
    }
}

/// Verdicts from worst to best, for sorting.
pub(super) const fn severity(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Failed { .. } => 0,
        Verdict::Error { .. } => 1,
        Verdict::Inconclusive { .. } => 2,
        Verdict::Skipped { .. } => 3,
        Verdict::NotApplicable { .. } => 4,
        Verdict::Passed => 5,
    }
}

/// Text of strangers without what could move a cursor, change a colour or break a line.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_lists_are_written_for_people() {
        assert_eq!(
            [seconds(850), seconds(48_234), seconds(185_000)],
            ["850 ms", "48.2 s", "3 min 5 s"]
        );
        let items: Vec<_> = ["x", "y", "z"].map(str::to_owned).to_vec();
        assert_eq!(
            [
                join(&items[..1], 3),
                join(&items[..2], 3),
                join(&items, 3),
                join(&items, 2),
                join(&items, 1)
            ],
            [
                "x",
                "x and y",
                "x, y and z",
                "x, y and 1 more",
                "x and 2 more"
            ]
        );
    }

    #[test]
    fn escape_sequences_of_strangers_do_nothing() {
        assert_eq!(plain("a\u{1b}[31mb\r\nc"), "a [31mb  c");
    }
}
