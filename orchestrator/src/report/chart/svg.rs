//! A few SVG elements and axes.

use std::fmt::Write as _;

/// Where a text ends up relative to its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG picture in the making.
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
    label: String,
}

impl Svg {
    /// An empty picture; `label` says what it shows to those who cannot see it.
    pub(super) fn new(width: f64, height: f64, label: &str) -> Self {
        Self {
            body: String::new(),
            width,
            height,
            label: label.to_owned(),
        }
    }

    pub(super) fn rect(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.add(format_args!(r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#));
    }

    /// A rectangle with round corners that tells `title` under the pointer.
    pub(super) fn bar(
        &mut self,
        class: &str,
        (x, y): (f64, f64),
        (width, height): (f64, f64),
        title: &str,
    ) {
        let (width, title) = (width.max(1.5), escape(title));
        self.add(format_args!(
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"><title>{title}</title></rect>"#
        ));
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.add(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    pub(super) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.add(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.add(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    pub(super) fn finish(self) -> String {
        let Self {
            body,
            width,
            height,
            label,
        } = self;
        let label = escape(&label);
        format!(
            r#"<svg viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{label}">{body}</svg>"#
        )
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = self.body.write_fmt(element);
    }
}

/// Text as it may stand in an element or an attribute.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other if other.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Round values from 0 to `maximum`, at most `most` steps of 1, 2 or 5 times a power of ten.
pub(super) fn ticks(maximum: f64, most: u32) -> Vec<f64> {
    if !(maximum.is_finite() && maximum > 0.0) {
        return vec![0.0];
    }
    let rough = maximum / f64::from(most.max(1));
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough);
    let step = step.unwrap_or(maximum);
    (0..=most)
        .map(|index| f64::from(index) * step)
        .take_while(|tick| *tick <= maximum * 1.000_1)
        .collect()
}

/// A number with as many decimals as it has, three at most: ticks may stand between whole numbers.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_strangers_cannot_leave_its_element() {
        let mut svg = Svg::new(1.0, 1.0, "\"><script>");
        svg.text("t", (0.0, 0.0), Anchor::Start, "</text><script>&'");
        let svg = svg.finish();
        assert!(!svg.contains("<script>"), "{svg}");
    }

    #[test]
    fn ticks_are_round_and_reach_as_far_as_the_values() {
        assert_eq!(ticks(14.0, 6), [0.0, 5.0, 10.0]);
        assert_eq!(ticks(5.0, 6), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(ticks(f64::NAN, 6), [0.0]);
        assert_eq!(ticks(0.0, 6), [0.0]);
    }

    #[test]
    fn two_ticks_never_say_the_same() {
        let said: Vec<_> = ticks(3.0, 6).into_iter().map(number).collect();
        assert_eq!(said, ["0", "0.5", "1", "1.5", "2", "2.5", "3"]);
        assert_eq!(number(100.0), "100");
        assert_eq!(number(0.2 * 3.0), "0.6");
    }
}
