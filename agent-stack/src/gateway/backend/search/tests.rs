use super::*;
use proptest::prelude::*;

const TEXTS: [(&str, &str); 5] = [
    (
        "bearing",
        "title: Bearings of pump P-100\nsku: SKU-2\n\nGrease the bearing.",
    ),
    (
        "coupling",
        "title: Coupling\nsku: SKU-5\n\nIt sits between motor and pump P-100.\n\n## Replacement\n\nPull the spider off.",
    ),
    ("notes", "No head here: just text about a pump."),
    (
        "seal",
        "title: Shaft seal of pump P-100\nsku: SKU-1, SKU-9\n\nFirst.\n\nReplace the seal\nyearly.",
    ),
    (
        "seal-200",
        "title: Shaft seal of pump P-200\nsku: SKU-3\n\nReplace the seal.",
    ),
];

fn library() -> Library {
    build(&TEXTS)
}

fn build(texts: &[(&str, &str)]) -> Library {
    let texts = texts
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect();
    Library::build(&texts).unwrap()
}

fn keys(hits: &[Hit]) -> Vec<&str> {
    hits.iter().map(|hit| hit.document.as_str()).collect()
}

#[test]
fn the_document_about_all_words_comes_first_with_its_item_numbers() {
    let hits = library().search("replacement seals P-100", 2).unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!(
        (hits[0].document.as_str(), hits[0].sku.as_deref()),
        ("seal", Some("SKU-1"))
    );
    assert_eq!(hits[0].skus, ["SKU-1", "SKU-9"]);
    assert_eq!(hits[0].passage, "Replace the seal yearly.");
    assert_eq!(hits[0].missing, [] as [&str; 0]);
}

#[test]
fn a_heading_leads_to_the_passage_below_it() {
    let hits = library().search("how to replace the coupling", 1).unwrap();
    assert_eq!(
        (hits[0].document.as_str(), hits[0].heading.as_deref()),
        ("coupling", Some("Replacement"))
    );
    assert_eq!(hits[0].passage, "Pull the spider off.");
}

#[test]
fn a_hit_names_the_words_that_it_lacks() {
    let hits = library()
        .search("warranties of the seals of P-200", 1)
        .unwrap();
    assert_eq!(hits[0].document, "seal-200");
    assert_eq!(hits[0].missing, ["warranties"]);
}

#[test]
fn a_rare_word_says_more_than_a_common_one() {
    let hits = library().search("pump grease", 5).unwrap();
    assert_eq!(hits[0].document, "bearing");
}

#[test]
fn equals_are_told_in_the_order_of_their_keys() {
    let same = "title: Valve\n\nOpen it.";
    let library = build(&[("b", same), ("c", same), ("a", same)]);
    let hits = library.search("valve", 9).unwrap();
    assert_eq!(keys(&hits), ["a", "b", "c"]);
    assert!(hits.iter().all(|hit| hit.score == hits[0].score));
}

#[test]
fn what_no_document_has_gives_no_hit() {
    assert!(library().search("gearbox", 9).unwrap().is_empty());
    assert!(library().search("the of and", 9).unwrap().is_empty());
    assert!(build(&[]).search("pump", 9).unwrap().is_empty());
}

#[test]
fn a_query_is_words_and_no_syntax() {
    let library = library();
    let plain = library.search("seal pump", 9).unwrap();
    for query in [
        "+seal AND NOT pump",
        "title:(seal pump",
        "\"seal pump\"~3^2",
        "seal* [pump TO *}",
    ] {
        let hits = library.search(query, 9).unwrap();
        assert_eq!(hits[0].document, plain[0].document, "{query}");
    }
}

proptest! {
    #[test]
    fn a_library_that_is_built_again_answers_the_same(query in "(seal|pump|P-100|grease| ){1,6}") {
        prop_assert_eq!(library().search(&query, 9).unwrap(), library().search(&query, 9).unwrap());
    }

    #[test]
    fn any_text_can_be_indexed_and_asked_for(text in "\\PC{0,60}(\n\n)?\\PC{0,60}") {
        let hits = build(&[("k", &text)]).search(&text, 1);
        prop_assert!(hits.is_ok_and(|hits| hits.len() <= 1));
    }
}
