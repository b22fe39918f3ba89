//! The tokenizer of the reference planner: four bytes of text are one token.
//!
//! Coarse, but the same everywhere, so that usage, limits and cost of a request agree on both clusters.

/// Bytes of one token.
const TOKEN_BYTES: usize = 4;

/// How many tokens `text` has.
pub(super) fn count(text: &str) -> u32 {
    u32::try_from(text.len().div_ceil(TOKEN_BYTES)).unwrap_or(u32::MAX)
}

/// The longest beginning of `text` that has at most `limit` tokens and splits no character.
pub(super) fn truncate(text: &str, limit: u32) -> &str {
    let bytes =
        usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_mul(TOKEN_BYTES));
    &text[..text.floor_char_boundary(bytes)]
}

/// `text` in pieces of about `tokens` tokens that split no character, as a stream hands it out.
pub(super) fn pieces(text: &str, tokens: u32) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let cut = truncate(rest, tokens).len().max(first.len_utf8());
        let (piece, later) = rest.split_at(cut);
        rest = later;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_bytes_are_a_token_and_a_part_of_one_counts() {
        assert_eq!(["", "a", "abcd", "abcde"].map(count), [0, 1, 1, 2]);
    }

    #[test]
    fn a_character_is_not_split() {
        assert_eq!(truncate("abcé", 1), "abc");
        assert_eq!(truncate("abcé", 2), "abcé");
        assert_eq!(truncate("abcd", 0), "");
    }

    proptest! {
        #[test]
        fn a_truncated_text_keeps_the_limit_and_is_a_beginning(text in "\\PC{0,40}", limit in 0_u32..12) {
            let cut = truncate(&text, limit);
            prop_assert!(count(cut) <= limit && text.starts_with(cut));
            prop_assert!(cut.len() == text.len() || count(&text) > limit);
        }

        #[test]
        fn the_pieces_make_up_the_text(text in "\\PC{0,40}", tokens in 0_u32..6) {
            let pieces: Vec<&str> = pieces(&text, tokens).collect();
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), text);
        }
    }
}
