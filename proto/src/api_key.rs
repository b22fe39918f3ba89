//! What the key of a model server is like, so that what the orchestrator takes is what the stack can send as
//! `Authorization: Bearer` (RFC 6750, section 2.1).

/// Longest key, in bytes.
pub const LONGEST: usize = 8 << 10;

/// Why a text is no key. The text itself stands in no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// Nothing, or too much.
    #[error("a key has 1 to {LONGEST} characters")]
    Length,
    /// Something that no header may hold, or more than one word.
    #[error("a key is one word of printable ASCII")]
    Characters,
}

/// The key in `text`, without the space around it that editors leave.
///
/// # Errors
/// When there is none.
pub fn parse(text: &str) -> Result<&str, NotAKey> {
    let key = text.trim();
    if key.is_empty() || key.len() > LONGEST {
        return Err(NotAKey::Length);
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(NotAKey::Characters);
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_one_word_without_what_stands_around_it() {
        assert_eq!(parse(" sk-one\n"), Ok("sk-one"));
        assert_eq!(parse(" \n"), Err(NotAKey::Length));
        assert_eq!(parse(&"k".repeat(LONGEST + 1)), Err(NotAKey::Length));
        for wrong in ["sk secret", "sk-secret\u{e9}", "sk\0secret", "one\ntwo"] {
            assert_eq!(parse(wrong), Err(NotAKey::Characters), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_a_key_stays_one(text in "\\PC{0,40}") {
            if let Ok(key) = parse(&text) {
                prop_assert_eq!(parse(key), Ok(key));
            }
        }
    }
}
