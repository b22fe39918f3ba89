//! What a specification may say, and where it goes.

use super::*;
use portproof_proto::v1::Upstream;

fn vllm() -> Upstream {
    Upstream {
        url: "http://vllm.models:8000".into(),
        ..Upstream::default()
    }
}

fn with_upstream(upstream: Upstream) -> Vec<Value> {
    let mut spec = spec(&[]);
    spec.model.as_mut().unwrap().upstream = Some(upstream);
    all_objects(&Plan::check(spec, home()).unwrap())
}

#[test]
fn an_upstream_is_passed_on_and_may_be_reached() {
    let objects = with_upstream(vllm());
    let arguments = &pod(&objects, Part::ModelCanary)["containers"][0]["args"];
    assert_eq!(
        *arguments,
        json!([
            "model",
            "--name",
            "model-canary",
            "--upstream",
            "http://vllm.models:8000"
        ])
    );
    let egress = find(&objects, "NetworkPolicy", "model-stable")["spec"]["egress"]
        .as_array()
        .unwrap();
    assert_eq!(
        egress.last().unwrap(),
        &json!({"ports": [{"protocol": "TCP", "port": 8000}]})
    );
}

#[test]
fn the_name_of_the_model_goes_to_the_agent_and_the_key_to_the_model_servers_alone() {
    let objects = with_upstream(Upstream {
        model: "qwen3-8b".into(),
        key_secret: "vllm-key".into(),
        ..vllm()
    });
    let agent = pod(&objects, Part::Agent)["containers"][0]["args"]
        .as_array()
        .unwrap();
    assert!(agent.ends_with(&[json!("--model"), json!("qwen3-8b")]));
    for part in Part::ALL.into_iter().filter(|part| *part != Part::Control) {
        let pod = pod(&objects, part).to_string();
        let asks = matches!(part, Part::ModelStable | Part::ModelCanary);
        assert_eq!(pod.contains("vllm-key"), asks, "{part:?}");
    }
    let model = pod(&objects, Part::ModelStable);
    let arguments = model["containers"][0]["args"].as_array().unwrap();
    assert!(arguments.ends_with(&[
        json!("--upstream-key-file"),
        json!("/etc/portproof/upstream/api-key")
    ]));
    assert_eq!(
        model["volumes"][1]["projected"],
        json!({"defaultMode": 0o440, "sources": [{"secret": {"name": "vllm-key", "items": [{"key": "api-key", "path": "api-key"}]}}]})
    );
    assert_eq!(
        model["containers"][0]["volumeMounts"][1],
        json!({"name": "upstream", "mountPath": "/etc/portproof/upstream", "readOnly": true})
    );
}

#[test]
fn the_authorities_of_an_upstream_lie_beside_its_key() {
    let objects = with_upstream(Upstream {
        key_secret: "vllm-key".into(),
        authorities_config_map: "vllm-ca".into(),
        ..vllm()
    });
    let model = pod(&objects, Part::ModelCanary);
    let arguments = model["containers"][0]["args"].as_array().unwrap();
    assert!(arguments.ends_with(&[
        json!("--upstream-ca-file"),
        json!("/etc/portproof/upstream/ca.crt")
    ]));
    assert_eq!(
        model["volumes"][1]["projected"]["sources"][1],
        json!({"configMap": {"name": "vllm-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}})
    );
    assert_eq!(model["volumes"].as_array().unwrap().len(), 2);
}

#[test]
fn an_upstream_that_needs_no_file_mounts_none() {
    let objects = with_upstream(vllm());
    let model = pod(&objects, Part::ModelStable);
    assert_eq!(model["volumes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_specification_that_cannot_work_is_refused_with_the_reason() {
    let check = |change: fn(&mut StackSpec)| {
        let mut spec = spec(&[]);
        change(&mut spec);
        Plan::check(spec, home()).unwrap_err()
    };
    assert_eq!(
        check(|spec| spec.image.clear()),
        PlanError::Missing { member: "image" }
    );
    assert_eq!(
        check(|spec| spec.sandbox = None),
        PlanError::Missing { member: "sandbox" }
    );
    assert_eq!(
        check(|spec| spec.gateway.as_mut().unwrap().port = 70_000),
        PlanError::Port { port: 70_000 }
    );
    assert_eq!(
        check(|spec| spec.faults = vec![99]),
        PlanError::Fault { number: 99 }
    );
    let upstream = check(|spec| {
        spec.model.as_mut().unwrap().upstream = Some(Upstream {
            url: "ftp://x".into(),
            ..Upstream::default()
        });
    });
    assert_eq!(
        upstream,
        PlanError::Upstream {
            upstream: "ftp://x".into()
        }
    );
    let nothing = check(|spec| spec.model.as_mut().unwrap().split = Some(TrafficSplit::default()));
    assert_eq!(
        nothing,
        PlanError::Split {
            stable: 0,
            canary: 0
        }
    );
}

#[test]
fn faults_survive_being_written_down() {
    let faults = Faults::check(&[
        Fault::RollbackIncomplete as i32,
        Fault::RouteWeightsSkewed as i32,
    ])
    .unwrap();
    assert_eq!(Faults::read(&faults.write()), faults);
}
