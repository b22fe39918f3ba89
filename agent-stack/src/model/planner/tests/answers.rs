//! What is said once the results are there.

use super::*;

#[test]
fn the_answer_is_made_of_the_results() {
    let found = ("find_docs", json!({"hits": []}));
    let results = |total| {
        [
            found.clone(),
            ("catalog_price", seal()),
            ("py", printed(total)),
        ]
    };
    let text = answer_with(REQUEST, &results("117.30\n"), RefPlannerV1);
    assert_eq!(
        text,
        "3 units of Seal (SKU-7) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount."
    );
    let other = answer_with(REQUEST, &results("99.99\n"), RefPlannerV1);
    assert!(other.contains("cost 99.99 EUR"), "{other}");
}

#[test]
fn the_answer_of_the_second_version_names_its_sources() {
    let results = [
        ("find_docs", json!({"hits": [{"document": "seal.txt"}]})),
        ("catalog_price", seal()),
        ("py", printed("117.30\n")),
    ];
    assert_eq!(
        answer_with(REQUEST, &results, RefPlannerV2),
        "3 units of Seal (SKU-7) cost 117.30 EUR: 3 x 42.50 EUR, less 8 % discount. \
         Sources: seal.txt (find_docs), SKU-7 (catalog_price), a computation (py)."
    );
}

#[test]
fn several_things_are_listed_in_the_order_of_the_request() {
    let bearing = json!({"sku": "SKU-2", "name": "Bearing", "unitPrice": 17.35, "currency": "EUR"});
    let results = [
        ("catalog_price", seal()),
        ("catalog_price", bearing),
        ("py", printed("154.40\n")),
    ];
    let text = answer_with(
        "What do 2 SKU-7 and 4 SKU-2 cost together?",
        &results,
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "Together they cost 154.40 EUR: 2 x Seal (SKU-7) at 42.50 EUR; 4 x Bearing (SKU-2) at 17.35 EUR."
    );
}

#[test]
fn results_count_in_the_order_of_the_conversation_and_not_of_their_ids() {
    let mut asked = request("What do 2 SKU-7 and 4 SKU-2 cost together?", Vec::new());
    for (id, price) in [("step-9", 1.0), ("step-10", 2.0)] {
        let item = json!({"name": id, "unitPrice": price});
        asked.messages.push(Message::result(id, item.to_string()));
    }
    asked
        .messages
        .push(Message::result("step-11", printed("10.00").to_string()));
    let text = reply(&asked, RefPlannerV1).content.unwrap();
    assert!(
        text.contains("2 x step-9 at 1.00; 4 x step-10 at 2.00"),
        "{text}"
    );
}

#[test]
fn a_result_that_is_not_there_is_not_made_up() {
    let item = ("catalog_price", json!({"name": "Seal", "unitPrice": 42.5}));
    for engine in [RefPlannerV1, RefPlannerV2] {
        assert!(answer_with(REQUEST, &[], engine).contains("No price was found"));
        let priced = answer_with(REQUEST, std::slice::from_ref(&item), engine);
        assert!(priced.contains("could not be computed"));
        let broken = answer_with(
            REQUEST,
            &[item.clone(), ("py", printed("Traceback"))],
            engine,
        );
        assert!(broken.contains("could not be computed"));
        let short = answer_with(ERRAND, std::slice::from_ref(&item), engine);
        assert!(short.contains("Not every price was found"));
    }
}

#[test]
fn the_price_of_another_thing_is_no_answer() {
    let hit =
        json!({"hits": [{"document": "seal.txt", "sku": "SKU-7", "missing": ["windscreen"]}]});
    let results = [("find_docs", hit), ("catalog_price", seal())];
    let text = answer_with(
        "What does the windscreen of pump P-100 cost?",
        &results,
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "I cannot tell the price: no document has \"windscreen\" with the rest of the request. The closest is seal.txt."
    );
}

#[test]
fn a_question_about_documents_is_answered_by_the_best_passage_and_its_document() {
    let hit = json!({"hits": [{"document": "g7.txt", "title": "Gearbox G-7", "passage": "Use ISO VG 220.", "missing": []}]});
    let results = [("find_docs", hit)];
    let question = "Which oil is in gearbox G-7?";
    assert_eq!(
        answer_with(question, &results, RefPlannerV1),
        "Use ISO VG 220. [g7.txt]"
    );
    assert_eq!(
        answer_with(question, &results, RefPlannerV2),
        "\"Gearbox G-7\" says: Use ISO VG 220. Sources: g7.txt (find_docs)."
    );
}

#[test]
fn what_no_passage_says_is_not_answered_by_the_closest_one() {
    let hit = json!({"hits": [{"document": "g7.txt", "passage": "Use ISO VG 220.", "missing": ["warranty"]}]});
    for engine in [RefPlannerV1, RefPlannerV2] {
        let text = answer_with("Warranty of G-7?", &[("find_docs", hit.clone())], engine);
        assert!(
            text.starts_with("I cannot answer this from the documents"),
            "{text}"
        );
        assert!(!text.contains("220"), "{text}");
    }
}

const VIBRATION: &str = "What are the mean and the highest measured vibration of pump P-100?";

#[test]
fn figures_come_from_what_the_program_printed() {
    let figures = json!({"unit": "mm/s", "groups": [{"name": "", "count": 8, "mean": "4.2",
        "maximum": {"value": "9.7", "at": "2026-03-04, 12:00"}}]});
    let text = answer_with(
        VIBRATION,
        &[("py", printed(&figures.to_string()))],
        RefPlannerV1,
    );
    assert_eq!(
        text,
        "Vibration of P-100, 8 values: mean 4.2 mm/s, maximum 9.7 mm/s (2026-03-04, 12:00)."
    );
}

#[test]
fn figures_that_are_not_there_are_not_made_up() {
    let problem = json!({"problem": "no measured value is labelled noise"}).to_string();
    for (output, expected) in [
        (
            problem.as_str(),
            "I cannot tell: no measured value is labelled noise.",
        ),
        (
            "Traceback",
            "I cannot tell: the computation gave no figures.",
        ),
    ] {
        let text = answer_with(VIBRATION, &[("py", printed(output))], RefPlannerV1);
        assert_eq!(text, expected);
    }
    assert_eq!(
        answer_with(VIBRATION, &[], RefPlannerV2),
        "I cannot tell: the computation gave no figures."
    );
}
