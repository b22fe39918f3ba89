//! `portproof rbac`: the rights that a run needs and those that it grants, and why.

use super::printer::Printer;
use crate::cluster::{Bootstrap, Reach, control_grants, control_rights, run_grants, run_rights};
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
    /// Print what the control agent of a run may do, or what whoever runs portproof must be allowed to, a reason for each
    /// rule.
    Print(Print),
}

/// Options of `rbac print`.
#[derive(Debug, Args)]
pub(super) struct Print {
    /// Whose rights.
    #[arg(long, value_enum, default_value_t)]
    of: Of,
    /// Namespace of the run.
    #[arg(long, default_value = "portproof-RUN")]
    namespace: String,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Who has rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Of {
    /// The control agent of a run: the very objects that a run creates.
    #[default]
    Control,
    /// Whoever runs portproof: a ClusterRole for the owner of a cluster to apply and bind.
    Run,
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
            Format::Yaml => yaml(print.of, &print.namespace),
            Format::Table => table(print.of, printer.style().width),
        });
        Exit::Passed
    }
}

impl Of {
    /// Every right, in the order of the rules in [`Self::objects`].
    fn grants(self) -> Vec<(Reach, &'static Grant)> {
        let everywhere = |grant| (Reach::Cluster, grant);
        match self {
            Self::Control => control_grants(),
            Self::Run => run_grants().into_iter().map(everywhere).collect(),
        }
    }

    fn objects(self, namespace: &str) -> Vec<Value> {
        match self {
            Self::Control => control_objects(namespace).into(),
            Self::Run => vec![run_rights()],
        }
    }
}

/// The objects of a run in `namespace`, without the times that each run writes on them.
fn control_objects(namespace: &str) -> [Value; 5] {
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

fn yaml(of: Of, namespace: &str) -> String {
    let mut reasons = of.grants().into_iter().map(|(_, grant)| grant.why);
    let mut text = String::new();
    for object in of.objects(namespace) {
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

fn table(of: Of, width: u16) -> String {
    let mut table = Table::new();
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width)
        .set_header(["where", "group", "resources", "verbs", "why"]);
    for (reach, grant) in of.grants() {
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

    const NAMESPACE: &str = "portproof-r1";

    #[test]
    fn what_is_printed_is_what_is_applied() {
        for of in [Of::Control, Of::Run] {
            let printed: Vec<Value> = yaml(of, NAMESPACE)
                .split("---\n")
                .filter(|document| !document.is_empty())
                .map(|document| serde_saphyr::from_str(document).unwrap())
                .collect();
            assert_eq!(printed, of.objects(NAMESPACE));
        }
    }

    #[test]
    fn every_rule_has_its_own_reason_above_it() {
        for of in [Of::Control, Of::Run] {
            let text = yaml(of, NAMESPACE);
            let lines: Vec<&str> = text.lines().collect();
            let rules: Vec<usize> = (0..lines.len())
                .filter(|&at| lines[at].starts_with("- {"))
                .collect();
            assert_eq!(rules.len(), of.grants().len());
            for (at, (_, grant)) in rules.into_iter().zip(of.grants()) {
                assert_eq!(lines[at - 1], format!("# {}", grant.why));
                assert!(lines[at].contains(grant.resources[0]), "{}", lines[at]);
            }
        }
    }

    #[test]
    fn whoever_runs_portproof_holds_all_that_is_handed_on() {
        let held = Of::Run.grants();
        for handed_on in Of::Control.grants() {
            assert!(held.iter().any(|(_, grant)| *grant == handed_on.1));
        }
    }

    #[test]
    fn the_table_has_a_row_for_every_rule() {
        insta::assert_snapshot!(table(Of::Control, 160));
    }

    #[test]
    fn the_table_of_a_run_begins_with_what_it_does_itself() {
        insta::assert_snapshot!(table(Of::Run, 160));
    }
}
