//! A good carry and a good task, for tests to break.

use crate::verify::evidence::{
    CallOutcome, CarryEvidence, ImportOutcome, ImportedObject, TaskTranscript, ToolCall,
};
use portproof_proto::bundle::Bundle;
use portproof_proto::descriptor::McpDescriptor;
use portproof_proto::projection;
use serde_json::{Value, json};

const TOOLS: [&str; 3] = ["search_documents", "lookup_price", "run_python"];

/// Three tools, the documents of one of them, and their CRD.
pub(crate) fn bundle() -> Bundle {
    let tools: Vec<_> = TOOLS.iter().map(|name| tool(name)).collect();
    let documents = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "manuals", "namespace": "n"},
        "data": {"p-100": "replacement seal: SKU SEAL-100"}});
    let crd = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tools.tools.portproof.dev"}, "spec": {"group": "tools.portproof.dev"}});
    let descriptor = McpDescriptor {
        server: "tool-gateway".into(),
        discover: json!({"serverInfo": {"name": "tool-gateway", "version": "1"}}),
        tools: TOOLS
            .iter()
            .map(
                |name| json!({"name": name, "description": "d", "inputSchema": {"type": "object"}}),
            )
            .collect(),
    };
    let objects: Vec<_> = tools.into_iter().chain([documents]).collect();
    Bundle::new(&[crd], &objects, vec![descriptor])
}

fn tool(name: &str) -> Value {
    json!({"apiVersion": "tools.portproof.dev/v1alpha1", "kind": "Tool",
        "metadata": {"name": name.replace('_', "-"), "namespace": "n", "labels": {"portable": "true"}},
        "spec": {"name": name, "description": "d", "inputSchema": {"type": "object"}, "timeoutSeconds": 30}})
}

/// A carry that changed nothing.
pub(crate) fn carry() -> CarryEvidence {
    let source = bundle();
    let mut target = bundle();
    target.descriptors[0].discover["serverInfo"]["version"] = json!("2");
    let imported = source
        .crds
        .iter()
        .chain(&source.objects)
        .map(imported)
        .collect();
    CarryEvidence {
        source,
        target,
        imported,
    }
}

fn imported(object: &Value) -> ImportedObject {
    let digest = projection::digest(object).unwrap();
    ImportedObject {
        object: ImportedObject::name_of(object),
        outcome: ImportOutcome::Created,
        reason: String::new(),
        source: Some(digest.clone()),
        request: Some(digest.clone()),
        admitted: Some(digest),
    }
}

/// The reference task, answered through each tool once.
pub(crate) fn seal_price() -> TaskTranscript {
    let call = |index: usize, arguments, result| ToolCall {
        call_id: format!("call-{index}"),
        tool: TOOLS[index].to_owned(),
        arguments,
        result: Some(result),
        is_error: false,
        outcome: Some(CallOutcome::Ok),
        attempts: 1,
    };
    TaskTranscript {
        task_id: "seal-price".into(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        root_span_id: "b7ad6b7169203331".into(),
        discovered: TOOLS.map(str::to_owned).to_vec(),
        plan: TOOLS.map(str::to_owned).to_vec(),
        calls: vec![
            call(
                0,
                json!({"query": "replacement seal pump P-100"}),
                json!({"documents": [{"name": "p-100"}]}),
            ),
            call(
                1,
                json!({"sku": "SEAL-100"}),
                json!({"unitPrice": 12.5, "currency": "EUR"}),
            ),
            call(
                2,
                json!({"code": "print(3*12.5*0.92)"}),
                json!({"stdout": "34.5\n", "exitCode": 0}),
            ),
        ],
        answer: Some("3 units of SEAL-100 cost 34.50 EUR with 8 % discount.".into()),
        ..TaskTranscript::default()
    }
}
