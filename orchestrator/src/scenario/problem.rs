//! What is wrong with a scenario file, said so that it can be put right: what, where, and what to do.

use super::place::Place;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use std::fmt;
use std::iter;
use std::path::{Path, PathBuf};

/// Width of rendered problems, in columns.
const WIDTH: usize = 100;
/// Longest line of a file that is shown, in bytes.
const WIDEST: usize = 400;
/// Longest text of a problem, in characters: it may quote the file.
const LONGEST: usize = 300;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong, a lower-case fragment.
    pub what: String,
    /// Where.
    pub place: Place,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = LabeledSpan::new(None, self.place.offset, self.place.length);
        (self.place.line > 0)
            .then(|| Box::new(iter::once(span)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

/// A scenario file that cannot be run, with everything that is wrong with it.
#[derive(Debug)]
pub struct ScenarioError {
    /// The file.
    pub path: PathBuf,
    /// In the order of the file; at least one.
    pub problems: Vec<Problem>,
    source: NamedSource<String>,
}

impl ScenarioError {
    pub(super) fn new(path: &Path, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place);
        for problem in &mut problems {
            problem.what = shortened(&problem.what);
        }
        let source =
            NamedSource::new(path.display().to_string(), text.to_owned()).with_language("yaml");
        Self {
            path: path.to_owned(),
            problems,
            source,
        }
    }

    /// All problems with their lines of the file, for a terminal.
    pub fn render(&self, color: bool) -> String {
        if self.source.inner().lines().any(|line| line.len() > WIDEST) {
            return self.without_lines();
        }
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(WIDTH)
            .with_links(false);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
            Ok(()) => text,
            Err(fmt::Error) => self.lines().collect::<Vec<_>>().join("\n"),
        }
    }

    /// All problems without the lines of a file that nobody could read in a terminal.
    fn without_lines(&self) -> String {
        let problems = self.problems.iter().zip(self.lines());
        let texts = problems.map(|(problem, line)| match &problem.help {
            Some(help) => format!("  {line}\n    help: {help}"),
            None => format!("  {line}"),
        });
        format!("{self}\n{}", texts.collect::<Vec<_>>().join("\n"))
    }

    /// One line a problem, `file:line:column: what`, for editors and logs.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.problems.iter().map(|problem| {
            format!(
                "{}:{}:{}: {problem}",
                self.path.display(),
                problem.place.line,
                problem.place.column
            )
        })
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.problems.len() == 1 { "" } else { "s" };
        write!(
            f,
            "`{}` is not a valid scenario: {} problem{plural}",
            self.path.display(),
            self.problems.len()
        )
    }
}

impl std::error::Error for ScenarioError {}

impl Diagnostic for ScenarioError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.problems
                .iter()
                .map(|problem| problem as &dyn Diagnostic),
        ))
    }
}
