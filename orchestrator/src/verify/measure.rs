//! How numbers are written in facts and reasons.

/// Groups the digits of `number` by three: `4,000`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share of 0 to 1 as a percentage with one decimal, two below one percent: `10.1 %`.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value != 0.0 && value.abs() < 1.0 {
        format!("{value:.2} %")
    } else {
        format!("{value:.1} %")
    }
}

/// Nanoseconds as milliseconds or seconds: `134 ms`, `2.4 s`.
#[expect(
    clippy::cast_precision_loss,
    reason = "times shown to people need no more than 52 bits"
)]
pub(super) fn duration_ns(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds as f64 / 1e6;
    match milliseconds {
        under if under < 10.0 => format!("{under:.1} ms"),
        under if under < 1000.0 => format!("{under:.0} ms"),
        over => format!("{:.1} s", over / 1000.0),
    }
}

/// `1 tool`, `3 tools`.
pub(super) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number as u64))
}

/// The first `limit` items joined by `, `, and how many were left out.
pub(super) fn list<T: AsRef<str>>(items: &[T], limit: usize) -> String {
    let shown: Vec<_> = items.iter().take(limit).map(AsRef::as_ref).collect();
    match items.len().saturating_sub(limit) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            [
                thousands(0),
                thousands(999),
                thousands(4_000),
                thousands(1_234_567)
            ],
            ["0", "999", "4,000", "1,234,567"]
        );
        assert_eq!(
            [percent(0.1006), percent(0.000_75), percent(0.0)],
            ["10.1 %", "0.07 %", "0.0 %"]
        );
        assert_eq!(
            [
                duration_ns(1_500_000),
                duration_ns(134_000_000),
                duration_ns(2_449_000_000)
            ],
            ["1.5 ms", "134 ms", "2.4 s"]
        );
        assert_eq!([count(1, "tool"), count(3, "tool")], ["1 tool", "3 tools"]);
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
