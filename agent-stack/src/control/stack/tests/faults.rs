//! What each fault changes, and that it changes nothing else.

use super::*;

#[test]
fn each_fault_changes_exactly_what_it_is_about() {
    let clean = all_objects(&plan(&[]));
    let cases = [
        (
            Fault::EgressPolicyMissing,
            vec![
                "NetworkPolicy/interpreter",
                "NetworkPolicy/default-deny",
                "HTTPRoute/model",
            ],
        ),
        (
            Fault::RuntimeNotSandboxed,
            vec!["HTTPRoute/model", "Deployment/interpreter"],
        ),
        (
            Fault::TraceContextDropped,
            vec!["HTTPRoute/model", "Deployment/tool-gateway"],
        ),
        (
            Fault::ToolHidden,
            vec!["HTTPRoute/model", "Deployment/tool-gateway"],
        ),
        (
            Fault::CatalogChanged,
            vec!["HTTPRoute/model", "Deployment/catalog"],
        ),
        (Fault::RouteWeightsSkewed, vec!["HTTPRoute/model"]),
        (Fault::RollbackIncomplete, vec!["HTTPRoute/model"]),
        (Fault::CanaryNotServed, vec!["HTTPRoute/model"]),
    ];
    for (fault, expected) in cases {
        let broken = all_objects(&plan(&[fault]));
        assert_eq!(changed(&clean, &broken), expected, "{fault:?}");
        let (clean, broken) = (
            find(&clean, "HTTPRoute", "model"),
            find(&broken, "HTTPRoute", "model"),
        );
        assert_eq!(
            clean["spec"], broken["spec"],
            "at 100/0 a fault shows in the route only as its annotation"
        );
    }
}

#[test]
fn without_the_egress_policy_the_interpreter_is_still_not_reached_from_everywhere() {
    let objects = all_objects(&plan(&[Fault::EgressPolicyMissing]));
    let policy = &find(&objects, "NetworkPolicy", "interpreter")["spec"];
    assert_eq!(
        (&policy["policyTypes"], policy.get("egress")),
        (&json!(["Ingress"]), None)
    );
    let excluded = &find(&objects, "NetworkPolicy", "default-deny")["spec"]["podSelector"]["matchExpressions"]
        [0];
    assert_eq!(excluded["values"], json!(["interpreter"]));
}

#[test]
fn without_the_sandbox_the_interpreter_has_no_runtime_class() {
    assert_eq!(
        pod(&all_objects(&plan(&[])), Part::Interpreter)["runtimeClassName"],
        "gvisor"
    );
    assert!(
        pod(
            &all_objects(&plan(&[Fault::RuntimeNotSandboxed])),
            Part::Interpreter
        )
        .get("runtimeClassName")
        .is_none()
    );
}
