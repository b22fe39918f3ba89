use super::fixture::{event, failing_run, passing_run};
use super::*;
use crate::exit::Exit;
use crate::run::event::{Event, EventKind};
use crate::verify::catalogue::CANARY_WEIGHT;
use crate::verify::{CheckResult, Role, Verdict};

fn summaries() -> [RunSummary; 2] {
    [
        RunSummary::of(&passing_run()),
        RunSummary::of(&failing_run()),
    ]
}

#[test]
fn the_fixtures_are_what_they_say() {
    let [passing, failing] = summaries();
    assert_eq!(passing.failed_ids().len(), 0, "{:?}", passing.counts);
    assert_eq!(exit(&passing_run(), ExitPolicy::default()), Exit::Passed);
    assert_eq!(
        exit(&failing_run(), ExitPolicy::default()),
        Exit::MustFailed
    );
    let words: Vec<_> = failing
        .counts
        .words()
        .into_iter()
        .map(|(word, _)| word)
        .collect();
    assert_eq!(
        words,
        ["failed", "error", "inconclusive", "skipped", "passed"]
    );
}

#[test]
fn a_terminal_shows_what_went_wrong_first() {
    let [passing, failing] = summaries();
    insta::assert_snapshot!(
        "terminal_passing",
        terminal(&passing, TerminalStyle::default())
    );
    insta::assert_snapshot!(
        "terminal_failing",
        terminal(&failing, TerminalStyle::default())
    );
}

#[test]
fn a_narrow_terminal_breaks_no_verdict() {
    let run = RunSummary::of(&failing_run());
    let wide = terminal(&run, TerminalStyle::default());
    for width in [1, 20, 45, 60] {
        let style = TerminalStyle {
            width,
            ..TerminalStyle::default()
        };
        let narrow = terminal(&run, style);
        for word in ["failed", "inconclusive", "skipped", "across"] {
            let count = |text: &str| text.matches(word).count();
            assert_eq!(count(&narrow), count(&wide), "{word} at {width}");
        }
    }
}

#[test]
fn the_last_verdict_of_a_row_is_coloured_too() {
    let style = TerminalStyle {
        color: true,
        ..TerminalStyle::default()
    };
    let text = terminal(&RunSummary::of(&passing_run()), style);
    let row = text
        .lines()
        .find(|line| line.contains("portability/output-consistent"));
    assert!(
        row.unwrap().ends_with("\u{1b}[32mpassed\u{1b}[0m"),
        "{row:?}"
    );
}

#[test]
fn colours_add_nothing_but_escape_sequences() {
    for run in summaries() {
        let plain = terminal(&run, TerminalStyle::default());
        let colored = terminal(
            &run,
            TerminalStyle {
                color: true,
                ..TerminalStyle::default()
            },
        );
        assert!(colored.len() > plain.len());
        let codes = [
            "\u{1b}[31m",
            "\u{1b}[32m",
            "\u{1b}[33m",
            "\u{1b}[2m",
            "\u{1b}[0m",
        ];
        assert_eq!(
            codes
                .iter()
                .fold(colored, |text, code| text.replace(code, "")),
            plain
        );
    }
}

#[test]
fn junit_tells_failures_from_errors_and_keeps_its_names() {
    let [_, failing] = summaries();
    let mut xml = Vec::new();
    junit(&failing, &mut xml).unwrap();
    insta::assert_snapshot!("junit_failing", String::from_utf8(xml).unwrap());
}

#[test]
fn json_holds_the_run_with_its_evidence() {
    let [_, failing] = summaries();
    let report: serde_json::Value = serde_json::from_str(&json(&failing).unwrap()).unwrap();
    insta::assert_json_snapshot!("json_failing", report, {
        ".checks[].result.evidence" => "[evidence]",
        ".checks[].result.facts" => "[facts]",
    });
    let evidence = report.pointer("/checks/0/result/evidence/source/digest");
    assert!(
        evidence.is_some_and(serde_json::Value::is_string),
        "the evidence is missing"
    );
}

#[test]
fn the_page_is_self_contained() {
    for run in summaries() {
        let page = html(&run).unwrap();
        for outside in [
            "http://", "https://", "<script", "src=", "@import", "url(", "<link",
        ] {
            let found: Vec<_> = page
                .match_indices(outside)
                .map(|(at, _)| &page[at..(at + 60).min(page.len())])
                .collect();
            assert!(found.is_empty(), "{found:?}");
        }
    }
}

#[test]
fn verdicts_stand_in_one_order_in_whatever_order_they_were_reached() {
    let mut shuffled = passing_run();
    let checks: Vec<_> = (0..shuffled.len())
        .filter(|index| matches!(shuffled[*index].kind, EventKind::CheckFinished { .. }))
        .collect();
    for (one, other) in checks
        .iter()
        .zip(checks.iter().rev())
        .take(checks.len() / 2)
    {
        let kind = shuffled[*one].kind.clone();
        shuffled[*one].kind = std::mem::replace(&mut shuffled[*other].kind, kind);
    }
    let order = |events: &[Event]| -> Vec<_> {
        let run = RunSummary::of(events);
        let place = |check: &CheckResult| (check.id.clone(), check.role.clone());
        run.with(|_| true).map(place).collect()
    };
    assert_eq!(order(&shuffled), order(&passing_run()));
}

#[test]
fn of_a_check_that_was_asked_twice_the_table_shows_the_worst() {
    let mut events = passing_run();
    let failed = CANARY_WEIGHT.decided(
        Verdict::Failed { reason: "x".into() },
        Vec::new(),
        serde_json::Value::Null,
    );
    events.push(event(EventKind::CheckFinished {
        step: "canary-again".into(),
        check: Box::new(failed.on(&Role::new("a").unwrap())),
    }));
    let run = RunSummary::of(&events);
    let text = terminal(&run, TerminalStyle::default());
    let row = text
        .lines()
        .find(|line| line.contains("gateway/canary-weight  "))
        .unwrap();
    assert!(row.contains("failed"), "{row}");
}

#[test]
fn every_disclosure_has_one_triangle() {
    let page = html(&summaries()[1]).unwrap();
    assert!(page.contains("summary { list-style: none; }"));
}

#[test]
fn the_page_says_first_what_failed_why_and_what_to_do() {
    let page = html(&summaries()[1]).unwrap();
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("no `{text}`"));
    assert!(at("<h1>") < at("What needs attention"));
    assert!(at("What needs attention") < at("What was checked"));
    assert!(page.contains("portproof cleanup r7k2m9x4"));
    assert!(
        !html(&summaries()[0])
            .unwrap()
            .contains("What needs attention")
    );
}

#[test]
fn strangers_cannot_write_markup_into_the_page() {
    let page = html(&summaries()[1]).unwrap();
    assert!(
        page.contains("&lt;script&gt;alert(1)"),
        "the fixture no longer tries to break out"
    );
    assert!(!page.contains("<script"));
}

#[test]
fn the_page_shows_every_check_every_fact_and_every_chart() {
    for run in summaries() {
        let page = html(&run).unwrap();
        for entry in &run.checks {
            let check = &entry.result;
            assert!(
                page.contains(&format!("id=\"{}\"", check.id.replace('/', "-"))),
                "{} is missing",
                check.id
            );
            for fact in &check.facts {
                assert!(
                    page.contains(&fact.label),
                    "the fact `{}` of {} is missing",
                    fact.label,
                    check.id
                );
            }
        }
        assert!(
            page.contains("share in each slice of the load") && page.contains("weights set back")
        );
        assert!(page.contains("class=\"trace\""));
    }
}

#[test]
fn the_worst_decides_the_headline() {
    let [passing, failing] = summaries();
    assert_eq!(
        passing.headline(),
        "Everything holds: 14 checks passed on clusters a and b in 40.5 s."
    );
    assert_eq!(
        failing.headline(),
        "It does not hold: portability/import-identical, gateway/canary-weight on a, gateway/rollback on a and 2 more failed."
    );
    assert_eq!(RunSummary::of(&[]).headline(), "Nothing was checked.");
}

#[test]
fn a_log_cut_off_anywhere_still_gives_every_report() {
    for events in [passing_run(), failing_run()] {
        for length in 0..=events.len() {
            let run = RunSummary::of(&events[..length]);
            assert!(!terminal(&run, TerminalStyle::default()).is_empty());
            assert!(html(&run).unwrap().contains("</html>"));
            assert!(junit(&run, &mut Vec::new()).is_ok() && json(&run).is_ok());
            assert_eq!(run.exit_code.is_some(), length == events.len());
            assert!(length == events.len() || !run.headline().contains("holds:"));
        }
    }
}

/// For looking at the page in a browser: `PORTPROOF_PAGES=<directory> cargo test pages_for_a_browser -- --ignored`.
#[test]
#[ignore = "writes files"]
fn pages_for_a_browser() {
    let directory = std::env::var("PORTPROOF_PAGES").unwrap();
    for (name, run) in ["passing", "failing"].into_iter().zip(summaries()) {
        std::fs::write(format!("{directory}/{name}.html"), html(&run).unwrap()).unwrap();
    }
}
