use super::super::fixture::{bundle, carry};
use super::*;

fn judged(carry: &CarryEvidence) -> (&'static str, String) {
    let verdict = import_identical(carry).verdict;
    (
        verdict.word(),
        verdict.reason().unwrap_or_default().to_owned(),
    )
}

#[test]
fn an_untouched_carry_passes_even_when_the_servers_name_other_versions() {
    let result = import_identical(&carry());
    assert_eq!(result.verdict, Verdict::Passed, "{result:?}");
    assert_eq!(
        result.evidence["source"]["digest"],
        result.evidence["target"]["digest"]
    );
}

#[test]
fn every_stored_member_that_changed_is_named_by_its_pointer() {
    for (pointer, value) in [
        ("/spec/description", json!("D")),
        ("/spec/timeoutSeconds", json!(31)),
        ("/metadata/labels/portable", json!("yes")),
    ] {
        let mut carry = carry();
        let object = carry.target.objects.last_mut().unwrap();
        *object.pointer_mut(pointer).unwrap() = value;
        let (word, why) = judged(&carry);
        assert_eq!(word, "failed");
        assert!(why.contains(&format!("differs at {pointer}: ")), "{why}");
    }
}

#[test]
fn a_label_added_on_the_way_is_a_modification() {
    let mut carry = carry();
    carry.target.objects[0]["metadata"]["labels"] = json!({"velero.io/restore-name": "x"});
    assert!(
        judged(&carry)
            .1
            .contains("ConfigMap/manuals differs at /metadata/labels: nothing became")
    );
}

#[test]
fn a_changed_crd_fails() {
    let mut carry = carry();
    carry.target.crds[0]["spec"]["group"] = json!("x");
    assert_eq!(judged(&carry).0, "failed");
}

#[test]
fn each_object_that_is_missing_on_the_target_fails() {
    for index in 0..bundle().objects.len() {
        let mut carry = carry();
        carry.target.objects.remove(index);
        let (word, why) = judged(&carry);
        assert_eq!(word, "failed");
        assert!(why.contains("is not on the target"), "{why}");
    }
}

#[test]
fn an_object_that_the_source_did_not_have_fails() {
    let mut carry = carry();
    let mut stranger = carry.target.objects[0].clone();
    stranger["metadata"]["name"] = json!("stranger");
    carry.target.objects.push(stranger);
    assert!(
        judged(&carry)
            .1
            .contains("ConfigMap/stranger is on the target and not in the source")
    );
}

#[test]
fn a_change_at_any_stage_fails_and_the_stage_is_named() {
    let other = Digest::of_bytes(b"other");
    for (stage, words) in [
        (0, "on the way"),
        (1, "in the request"),
        (2, "at admission"),
    ] {
        let mut carry = carry();
        let object = &mut carry.imported[2];
        *[
            &mut object.source,
            &mut object.request,
            &mut object.admitted,
        ][stage] = Some(other.clone());
        let (word, why) = judged(&carry);
        assert_eq!(
            (word, why.ends_with(&format!("was changed {words}"))),
            ("failed", true),
            "{why}"
        );
    }
}

#[test]
fn a_digest_that_was_not_reported_leaves_the_question_open() {
    for stage in 0..3 {
        let mut carry = carry();
        let object = &mut carry.imported[2];
        *[
            &mut object.source,
            &mut object.request,
            &mut object.admitted,
        ][stage] = None;
        assert_eq!(judged(&carry).0, "inconclusive");
    }
}

#[test]
fn a_crd_that_was_there_already_needs_no_request_and_is_not_called_carried() {
    let mut carry = carry();
    carry.imported[0].outcome = ImportOutcome::Present;
    carry.imported[0].request = None;
    let result = import_identical(&carry);
    assert_eq!(result.verdict, Verdict::Passed);
    let fact = |label: &str| {
        let fact = result.facts.iter().find(|fact| fact.label == label);
        fact.map(|fact| fact.value.as_str()).unwrap_or_default()
    };
    assert!(fact("carried").starts_with("4 objects: "), "{result:?}");
    assert_eq!(
        fact("on the target before"),
        "1 object: CustomResourceDefinition/tools.tools.portproof.dev"
    );
}

#[test]
fn what_the_import_says_nothing_about_leaves_the_question_open() {
    let mut carry = carry();
    let object = carry.imported.pop().unwrap();
    assert_eq!(
        judged(&carry),
        (
            "inconclusive",
            format!("the import says nothing about {}", object.object)
        )
    );
}

#[test]
fn a_refused_or_conflicting_object_fails_with_its_reason() {
    for outcome in [ImportOutcome::Refused, ImportOutcome::Conflict] {
        let mut carry = carry();
        carry.imported[1].outcome = outcome;
        carry.imported[1].reason = "because".into();
        let (word, why) = judged(&carry);
        assert_eq!(
            (word, why.ends_with(": because")),
            ("failed", true),
            "{why}"
        );
    }
}

#[test]
fn a_changed_or_hidden_mcp_descriptor_fails() {
    let mut changed = carry();
    changed.target.descriptors[0].tools[0]["description"] = json!("another");
    assert!(
        judged(&changed)
            .1
            .contains("the MCP descriptor of tool-gateway/search_documents differs")
    );
    let mut hidden = carry();
    hidden.target.descriptors[0].tools.remove(1);
    assert!(
        judged(&hidden)
            .1
            .contains("does not offer tool-gateway/lookup_price")
    );
    let mut extra = carry();
    extra.target.descriptors[0]
        .tools
        .push(json!({"name": "shell", "inputSchema": {}}));
    assert!(
        judged(&extra)
            .1
            .contains("the target offers tool-gateway/shell")
    );
}

#[test]
fn an_empty_bundle_proves_nothing() {
    let empty = CarryEvidence {
        source: Bundle::default(),
        target: Bundle::default(),
        imported: Vec::new(),
    };
    assert_eq!(judged(&empty).0, "inconclusive");
}

#[test]
fn content_without_a_canonical_form_proves_nothing() {
    let mut carry = carry();
    carry.target.objects[0]["data"] = json!({"k": u64::MAX});
    assert_eq!(judged(&carry).0, "inconclusive");
}
