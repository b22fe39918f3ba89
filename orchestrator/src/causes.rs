//! What an error says, cause by cause, each said once: errors of others often repeat their source in their own text.

use std::error::Error;

/// The texts of an error and its causes, the outermost first, without those that the text before holds already.
pub(crate) fn texts(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = source.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        cause = source.source();
    }
    texts
}

/// The same as one line.
pub(crate) fn one_line(error: &dyn Error) -> String {
    texts(error).join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (text, below) = texts.split_first().unwrap();
        let source = (!below.is_empty()).then(|| Box::new(layers(below)));
        Layer { text, source }
    }

    #[test]
    fn each_cause_is_said_once() {
        for (given, said) in [
            (
                &["cannot start", "no such file"][..],
                "cannot start: no such file",
            ),
            (
                &["cannot start", "reading `x`: no such file", "no such file"],
                "cannot start: reading `x`: no such file",
            ),
            (
                &[
                    "cannot call",
                    "service: connect",
                    "connect",
                    "tcp",
                    "refused",
                ],
                "cannot call: service: connect: tcp: refused",
            ),
            (&["alone"], "alone"),
        ] {
            assert_eq!(one_line(&layers(given)), said);
        }
    }
}
