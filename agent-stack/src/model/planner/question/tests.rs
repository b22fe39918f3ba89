use super::*;
use proptest::prelude::*;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn item(quantity: Option<u32>, text: &str) -> Item {
    Item {
        quantity,
        sku: None,
        words: words(text),
    }
}

#[test]
fn quantity_product_and_discount_are_found() {
    let question = Question::read(
        "What do 3 units of the replacement seal for pump P-100 cost, with 8 % discount?",
    );
    assert_eq!(
        question.items,
        [item(Some(3), "replacement seal pump P-100")]
    );
    assert_eq!((question.discount, question.goal()), (800, Goal::Price));
}

#[test]
fn numbers_may_be_words_and_discounts_decimals() {
    let question = Question::read("Please tell me the price of twelve bearings at 7.5% off");
    assert_eq!(question.items, [item(Some(12), "bearings")]);
    assert_eq!(question.discount, 750);
}

#[test]
fn an_item_number_is_no_product_word() {
    let question = Question::read("How much is sku-2048?");
    assert_eq!(question.items[0].sku.as_deref(), Some("SKU-2048"));
    assert_eq!(question.items[0].query(), "");
}

#[test]
fn several_things_are_told_apart_by_their_numbers() {
    let question = Question::read(
        "What do 3 seals for pump P-100, two bearings for pump P-100 and a float switch cost together?",
    );
    let expected = [
        item(Some(3), "seals pump P-100"),
        item(Some(2), "bearings pump P-100"),
        item(Some(1), "float switch"),
    ];
    assert_eq!(question.items, expected);
    assert!(question.needs_arithmetic());
}

#[test]
fn several_item_numbers_are_several_things() {
    let question = Question::read("What is the total of 2 SKU-2048 and SKU-7311 and 4 SKU-9004?");
    let found: Vec<_> = question
        .items
        .iter()
        .map(|item| (item.quantity, item.sku.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(2), Some("SKU-2048")),
            (None, Some("SKU-7311")),
            (Some(4), Some("SKU-9004"))
        ]
    );
}

#[test]
fn a_measure_counts_nothing() {
    let question = Question::read("What does the mechanical seal of 35 mm cost?");
    assert_eq!(question.items, [item(None, "mechanical seal 35 mm")]);
}

#[test]
fn a_question_without_money_is_about_documents() {
    let question = Question::read("Which oil is in the gearbox G-7?");
    assert_eq!(question.goal(), Goal::Documents);
    assert_eq!(question.query(), "oil gearbox G-7");
}

#[test]
fn a_question_about_measurements_names_statistic_label_machine_and_group() {
    let question = Question::read("What is the average measured vibration of pump P-100 per day?");
    assert_eq!(question.goal(), Goal::Analysis);
    assert_eq!(question.statistics, BTreeSet::from([Statistic::Mean]));
    assert_eq!(question.machine.as_deref(), Some("P-100"));
    assert_eq!(
        (question.labels, question.group.as_deref()),
        (words("vibration"), Some("day"))
    );
}

#[test]
fn a_highest_value_that_nobody_measured_is_looked_up_in_documents() {
    let question = Question::read("What is the highest temperature for the oil of pump P-200?");
    assert_eq!(question.goal(), Goal::Documents);
}

proptest! {
    #[test]
    fn any_quantity_and_discount_are_read_back(quantity in 1_u32..1_000_000, percent in 0_u32..=100) {
        let question = Question::read(&format!("price of {quantity} valves less {percent} percent"));
        prop_assert_eq!((question.items[0].quantity, question.discount), (Some(quantity), percent * 100));
    }

    #[test]
    fn any_text_is_a_question_about_at_least_one_thing(text in "\\PC{0,80}") {
        prop_assert!(!Question::read(&text).items.is_empty());
    }

    #[test]
    fn as_many_things_are_found_as_are_listed(quantities in prop::collection::vec(1_u32..1_000, 1..6)) {
        let listed: Vec<_> = quantities.iter().map(|quantity| format!("{quantity} valves")).collect();
        let question = Question::read(&format!("What do {} cost?", listed.join(" and ")));
        let found: Vec<_> = question.items.iter().filter_map(|item| item.quantity).collect();
        prop_assert_eq!(found, quantities);
    }
}
