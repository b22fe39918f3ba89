//! In which text format metrics are told: what Prometheus asks for in `accept`, the classic format otherwise.

use axum::http::{HeaderMap, header};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text format for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Exposition {
    /// Prometheus' own format 0.0.4, which every reader knows.
    Classic,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Exposition {
    /// The format a client prefers; the classic one unless it accepts OpenMetrics at least as gladly.
    pub(in crate::model) fn accepted(headers: &HeaderMap) -> Self {
        let accepts = headers.get_all(header::ACCEPT).iter();
        let ranges: Vec<(String, f32)> = accepts
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(range)
            .collect();
        let best = |media_type: &str| {
            let weights = ranges.iter().filter(|(name, _)| name == media_type);
            weights.map(|(_, weight)| *weight).fold(0.0, f32::max)
        };
        let open_metrics = best("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= best("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Classic
        }
    }

    /// Media type of the format.
    pub(in crate::model) const fn media_type(self) -> &'static str {
        match self {
            Self::Classic => CLASSIC,
            Self::OpenMetrics => OPEN_METRICS,
        }
    }

    /// An OpenMetrics text in this format.
    pub(super) fn write(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Classic => classic(&open_metrics),
        }
    }
}

/// A media range with its weight (RFC 9110, section 12.5.1).
fn range(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let weight = parts
        .find_map(|part| part.strip_prefix("q="))
        .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
    (name, weight)
}

/// The formats differ, as far as we use them, in the name under which counters are described and in the end mark.
fn classic(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let counters: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in lines.into_iter().filter(|line| *line != "# EOF") {
        match description(line).filter(|(_, name, _)| counters.contains(name)) {
            Some((keyword, name, rest)) => text.extend([keyword, " ", name, "_total ", rest]),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Keyword, name and rest of a line that describes a family.
fn description(line: &str) -> Option<(&str, &str, &str)> {
    let keyword = line
        .get(..6)
        .filter(|keyword| matches!(*keyword, "# HELP" | "# TYPE"))?;
    let (name, rest) = line.get(7..)?.split_once(' ')?;
    Some((keyword, name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &'static str) -> Exposition {
        Exposition::accepted(&HeaderMap::from_iter([(
            header::ACCEPT,
            accept.parse().unwrap(),
        )]))
    }

    #[test]
    fn open_metrics_is_told_only_to_those_who_accept_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(accepted(prometheus), Exposition::OpenMetrics);
        for classic in [
            "*/*",
            "text/plain",
            "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5",
            "application/openmetrics-text;q=0",
            "",
        ] {
            assert_eq!(accepted(classic), Exposition::Classic, "{classic}");
        }
        assert_eq!(Exposition::accepted(&HeaderMap::new()), Exposition::Classic);
    }

    #[test]
    fn counters_are_described_in_the_classic_format_under_the_name_they_have_there() {
        let open_metrics = "# HELP a Things.\n# TYPE a counter\na_total{b=\"# TYPE a\"} 1\n# HELP c Others.\n# TYPE c gauge\nc 2\n# EOF\n";
        assert_eq!(
            Exposition::Classic.write(open_metrics.to_owned()),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"# TYPE a\"} 1\n# HELP c Others.\n# TYPE c gauge\nc 2\n"
        );
        assert_eq!(
            Exposition::OpenMetrics.write(open_metrics.to_owned()),
            open_metrics
        );
    }
}
