//! Run ids: short, sortable by time, and safe in every name Kubernetes knows.

use jiff::Timestamp;
use portproof_proto::names::run_namespace;
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32, lower case: no letter that is read as another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TIME_DIGITS: u32 = 7;
const RANDOM_DIGITS: u32 = 3;

/// The id of one run: `r`, the second it began in seven digits, three random digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(String);

/// A text that is no run id.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a run id: one looks like `r1mhj8n3k7q`")]
pub struct InvalidRunId {
    /// The text.
    pub text: String,
}

impl RunId {
    /// A new id for a run that begins `now`; `random` supplies the last three digits.
    pub fn new(now: Timestamp, random: u64) -> Self {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        Self(format!(
            "r{}{}",
            digits(seconds, TIME_DIGITS),
            digits(random, RANDOM_DIGITS)
        ))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The namespace of the run, the same on every cluster: renaming a namespace would be a modification.
    pub fn namespace(&self) -> String {
        run_namespace(&self.0)
    }
}

fn digits(value: u64, count: u32) -> String {
    (0..count)
        .rev()
        .filter_map(|place| ALPHABET.get(((value >> (5 * place)) & 31) as usize))
        .map(|&digit| char::from(digit))
        .collect()
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = InvalidRunId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = 1 + (TIME_DIGITS + RANDOM_DIGITS) as usize;
        let well_formed = text.len() == length
            && text.starts_with('r')
            && text.bytes().all(|byte| ALPHABET.contains(&byte));
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidRunId {
                text: text.to_owned(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_later_run_sorts_behind_an_earlier_one() {
        let at = |second| RunId::new(Timestamp::from_second(second).unwrap(), 31);
        assert!(at(1_800_000_000) < at(1_800_000_001));
    }

    proptest! {
        #[test]
        fn every_id_parses_back_and_names_a_namespace(second in 0_i64..30_000_000_000, random in any::<u64>()) {
            let id = RunId::new(Timestamp::from_second(second).unwrap(), random);
            prop_assert_eq!(id.as_str().parse::<RunId>().unwrap(), id.clone());
            prop_assert!(id.namespace().len() <= 63);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,16}") {
            let _ = text.parse::<RunId>();
        }
    }
}
