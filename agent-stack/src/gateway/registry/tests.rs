use super::*;
use kube::api::DynamicObject;
use kube::core::ApiResource;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn spec(name: &str, schema: &Value) -> Value {
    json!({"name": name, "description": "d", "inputSchema": schema,
        "backend": {"type": "Documents", "documents": {"configMapName": "c", "queryArgument": "q", "limit": 1}}})
}

fn tool(object: &str, name: &str, schema: &Value) -> Tool {
    Tool::new(object, serde_json::from_value(spec(name, schema)).unwrap())
}

fn valid() -> Value {
    json!({"type": "object"})
}

fn raw(object: &str, data: Value) -> Candidate {
    let kind = ApiResource::erase::<Tool>(&());
    DynamicObject::new(object, &kind).data(data).into()
}

/// A registry that is told what there is.
fn registry(config_maps: &[&str]) -> Registry {
    let registry = Registry::default();
    let names = config_maps.iter().map(|name| (*name).to_owned()).collect();
    registry.learn(Kind::ConfigMap, Known::Listed(names));
    registry.learn(Kind::Service, Known::Listed(BTreeSet::new()));
    registry
}

fn reasons(registry: &Registry) -> Vec<&'static str> {
    let verdicts = registry.verdicts().unwrap();
    let reason = |verdict| match verdict {
        Verdict::Served => "Served",
        Verdict::Unbacked(_) => "Unbacked",
        Verdict::Rejected(rejection) => Rejection::reason(&rejection),
    };
    verdicts
        .into_iter()
        .map(|(_, verdict)| reason(verdict))
        .collect()
}

fn names(registry: &Registry) -> Vec<String> {
    registry.served().keys().cloned().collect()
}

#[test]
fn the_registry_is_in_sync_once_it_saw_everything() {
    let registry = Registry::default();
    assert!(!registry.is_synced());
    registry.replace(vec![tool("a", "x", &valid())]);
    assert!(registry.is_synced());
    assert_eq!(names(&registry), ["x"]);
}

#[test]
fn nothing_is_said_of_a_tool_before_it_is_known_what_there_is() {
    let registry = Registry::default();
    registry.replace(vec![tool("a", "x", &valid())]);
    registry.learn(Kind::Service, Known::Withheld);
    assert_eq!(registry.verdicts(), None);
    registry.learn(Kind::ConfigMap, Known::Withheld);
    assert_eq!(reasons(&registry), ["Served"]);
}

#[test]
fn of_two_objects_with_one_name_the_first_is_served_until_it_goes() {
    let registry = registry(&["c"]);
    let first = tool("a", "x", &valid());
    registry.replace(vec![tool("b", "x", &valid()), first.clone()]);
    assert_eq!(reasons(&registry), ["Served", "NameTaken"]);
    registry.remove(&first);
    assert_eq!(reasons(&registry), ["Served"]);
}

#[test]
fn an_object_with_a_bad_schema_or_without_backend_is_not_served() {
    let registry = registry(&["c"]);
    let mut bare = tool("b", "y", &valid());
    bare.spec.backend.documents = None;
    registry.replace(vec![tool("a", "x", &json!({"type": 7})), bare]);
    assert_eq!(reasons(&registry), ["InvalidSchema", "InvalidBackend"]);
    assert!(registry.served().is_empty());
}

#[test]
fn an_object_that_cannot_be_read_does_not_hide_the_others() {
    let registry = registry(&["c"]);
    let good = raw("b", json!({"spec": spec("x", &valid())}));
    registry.replace_by([raw("a", json!({"spec": {"name": 7}})), good].into_iter());
    assert_eq!(reasons(&registry), ["InvalidSpec", "Served"]);
    assert_eq!(names(&registry), ["x"]);
}

#[test]
fn a_tool_whose_backend_is_missing_is_served_and_said_to_lack_it_until_it_is_there() {
    let registry = registry(&[]);
    registry.replace(vec![tool("a", "x", &valid())]);
    assert_eq!(reasons(&registry), ["Unbacked"]);
    assert_eq!(names(&registry), ["x"]);
    registry.learn(Kind::ConfigMap, Known::Listed(["c".to_owned()].into()));
    assert_eq!(reasons(&registry), ["Served"]);
}

#[test]
fn a_specification_that_did_not_change_is_not_compiled_again() {
    let registry = registry(&["c"]);
    registry.replace(vec![tool("a", "x", &valid())]);
    let before = Arc::clone(&registry.served()["x"]);
    let mut touched = tool("a", "x", &valid());
    touched.metadata.generation = Some(2);
    registry.apply(touched.clone());
    assert!(Arc::ptr_eq(&before, &registry.served()["x"]));
    assert_eq!(registry.verdicts().unwrap()[0].0.generation, Some(2));
    registry.replace(vec![touched]);
    assert!(Arc::ptr_eq(&before, &registry.served()["x"]));
    registry.apply(tool(
        "a",
        "x",
        &json!({"type": "object", "required": ["q"]}),
    ));
    assert!(!Arc::ptr_eq(&before, &registry.served()["x"]));
}

/// What may happen to the objects of a namespace.
#[derive(Clone, Debug)]
enum Happening {
    Applied(String, String, bool),
    Deleted(String),
    Listed(Vec<(String, String, bool)>),
}

fn object() -> impl Strategy<Value = (String, String, bool)> {
    ("[abcd]", "[xyz]", any::<bool>())
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => object().prop_map(|(object, name, is_valid)| Happening::Applied(object, name, is_valid)),
        2 => "[abcd]".prop_map(Happening::Deleted),
        1 => prop::collection::vec(object(), 0..5).prop_map(Happening::Listed),
    ]
}

/// The plain rule: by object name, MCP name and whether its schema is one.
type Model = BTreeMap<String, (String, bool)>;

fn happens(model: &mut Model, registry: &Registry, happening: Happening) {
    let schema = |is_valid| {
        if is_valid {
            valid()
        } else {
            json!({"type": 7})
        }
    };
    match happening {
        Happening::Applied(object, name, is_valid) => {
            registry.apply(tool(&object, &name, &schema(is_valid)));
            model.insert(object, (name, is_valid));
        }
        Happening::Deleted(object) => {
            registry.remove(&tool(&object, "any", &valid()));
            model.remove(&object);
        }
        Happening::Listed(objects) => {
            let listed: Model = objects
                .into_iter()
                .map(|(object, name, is_valid)| (object, (name, is_valid)))
                .collect();
            let tools = listed
                .iter()
                .map(|(object, (name, is_valid))| tool(object, name, &schema(*is_valid)));
            registry.replace(tools.collect());
            *model = listed;
        }
    }
}

/// The reason for each object of the model.
fn expected(model: &Model) -> Vec<&'static str> {
    let mut taken = BTreeSet::new();
    model
        .values()
        .map(
            |(name, is_valid)| match (*is_valid, *is_valid && taken.insert(name)) {
                (false, _) => "InvalidSchema",
                (true, true) => "Served",
                (true, false) => "NameTaken",
            },
        )
        .collect()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop_oneof![
            Just("object"),
            Just("#"),
            Just("https://example.com/x"),
            Just("(")
        ]
        .prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let name = prop_oneof![
            Just("type".to_owned()),
            Just("properties".to_owned()),
            Just("$ref".to_owned()),
            Just("items".to_owned()),
            Just("pattern".to_owned()),
            Just("required".to_owned()),
            Just("allOf".to_owned()),
            Just("$defs".to_owned()),
            Just("$id".to_owned()),
            "[a-z]{1,3}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn the_registry_is_what_a_plain_model_says(happenings in prop::collection::vec(happening(), 0..24)) {
        let (mut model, registry) = (Model::new(), registry(&["c"]));
        registry.replace(Vec::new());
        for each in happenings {
            happens(&mut model, &registry, each);
            prop_assert_eq!(reasons(&registry), expected(&model));
            let served: BTreeSet<_> = model.values().filter(|(_, valid)| *valid).map(|(name, _)| name.clone()).collect();
            prop_assert_eq!(names(&registry), served.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_object_whatever_is_in_it_stops_the_registry(data in json_value(), schema in json_value(), argument in json_value()) {
        let registry = registry(&["c"]);
        registry.replace_by([raw("a", data.clone()), raw("b", json!({"spec": data}))].into_iter());
        registry.take(raw("c", json!({"spec": spec("x", &schema), "status": data})));
        let verdicts = registry.verdicts().unwrap();
        prop_assert_eq!(verdicts.len(), 3);
        if let Some(tool) = registry.served().get("x") {
            let _ = tool.input.violations(&argument);
        }
    }
}
