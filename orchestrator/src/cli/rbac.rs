//! `portproof rbac`: the rights of the control agent, as they are granted and why.

use super::printer::Printer;
use crate::cluster::{Bootstrap, Reach, control_grants, control_rights};
use crate::exit::Exit;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{ContentArrangement, Table};
use jiff::Timestamp;
use portproof_proto::access::Grant;
use portproof_proto::names::FIELD_MANAGER;
use serde_json::Value;
use std::fmt::Write as _;

/// What to do with rights.
#[derive(Debug, Subcommand)]
pub(super) enum RbacCommand {
    /// Print what the control agent of a run may do: the very objects that a run creates, a reason for each rule.
    Print(Print),
}

/// Options of `rbac print`.
#[derive(Debug, Args)]
pub(super) struct Print {
    /// Namespace of the run.
    #[arg(long, default_value = "portproof-RUN")]
    namespace: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Manifests, with the reasons as comments.
    #[default]
    Yaml,
    /// One row a rule.
    Table,
}

impl RbacCommand {
    pub(super) fn run(self, printer: &Printer) -> Exit {
        let Self::Print(print) = self;
        printer.result(&match print.format {
            Format::Yaml => yaml(&print.namespace),
            Format::Table => table(printer.style().width),
        });
        Exit::Passed
    }
}

/// The objects of a run in `namespace`, without the times that each run writes on them.
fn objects(namespace: &str) -> [Value; 5] {
    let prefix = format!("{FIELD_MANAGER}-");
    let plan = Bootstrap {
        run: namespace
            .strip_prefix(&prefix)
            .unwrap_or(namespace)
            .to_owned(),
        role: "ROLE".to_owned(),
        namespace: namespace.to_owned(),
        cluster_uid: String::new(),
        image: String::new(),
        image_pull_policy: String::new(),
        began: Timestamp::UNIX_EPOCH,
    };
    control_rights(&plan).map(|mut object| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("annotations");
        }
        object
    })
}

fn yaml(namespace: &str) -> String {
    let mut reasons = control_grants().into_iter().map(|(_, grant)| grant.why);
    let mut text = String::new();
    for object in objects(namespace) {
        text.push_str("---\n");
        for (name, value) in object.as_object().into_iter().flatten() {
            member(&mut text, name, value, &mut reasons);
        }
    }
    text
}

/// One member of an object; JSON is YAML, so every value stays on its line. Writing into a string cannot fail.
fn member(text: &mut String, name: &str, value: &Value, reasons: &mut dyn Iterator<Item = &str>) {
    let Some(rules) = value.as_array().filter(|_| name == "rules") else {
        let _ = writeln!(text, "{name}: {value}");
        return;
    };
    text.push_str("rules:\n");
    for rule in rules {
        let why = reasons.next().unwrap_or_default();
        let _ = writeln!(text, "# {why}\n- {rule}");
    }
}

fn table(width: u16) -> String {
    let mut table = Table::new();
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(["where", "group", "resources", "verbs", "why"]);
    for (reach, grant) in control_grants() {
        table.add_row(row(reach, grant));
    }
    table.to_string()
}

fn row(reach: Reach, grant: &Grant) -> [String; 5] {
    let place = match reach {
        Reach::Cluster => "cluster",
        Reach::Namespace => "namespace",
    };
    let group = if grant.group.is_empty() {
        "core"
    } else {
        grant.group
    };
    let mut resources = grant.resources.join(", ");
    if !grant.names.is_empty() {
        let _ = write!(resources, " ({})", grant.names.join(", "));
    }
    [
        place.to_owned(),
        group.to_owned(),
        resources,
        grant.verbs.join(", "),
        grant.why.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_a_run_applies() {
        let namespace = "portproof-r1";
        let printed: Vec<Value> = yaml(namespace)
            .split("---\n")
            .filter(|document| !document.is_empty())
            .map(|document| serde_saphyr::from_str(document).unwrap())
            .collect();
        assert_eq!(printed, objects(namespace));
    }

    #[test]
    fn every_rule_has_its_own_reason_above_it() {
        let text = yaml("portproof-r1");
        let lines: Vec<&str> = text.lines().collect();
        let rules: Vec<usize> = (0..lines.len())
            .filter(|&at| lines[at].starts_with("- {"))
            .collect();
        assert_eq!(rules.len(), control_grants().len());
        for (at, (_, grant)) in rules.into_iter().zip(control_grants()) {
            assert_eq!(lines[at - 1], format!("# {}", grant.why));
            assert!(lines[at].contains(grant.resources[0]), "{}", lines[at]);
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_rule() {
        insta::assert_snapshot!(table(160));
    }
}
