//! `portability/import-identical`: zero modification, proven at every stage of the carry.
//!
//! Request identity: what was sent is what the bundle holds. Admitted identity: the API server answered with the same.
//! Both need an object that this import created: one that was there before shows that two clusters hold the same, not
//! that anything was carried.
//! Settled identity: the target still holds the same when everything runs. Contract identity: the target's tool
//! gateway offers the same tools. Each stage is compared on its own, so a difference is found where it arose.

use super::difference::differences;
use crate::verify::catalogue::{IMPORT_IDENTICAL, failed, inconclusive};
use crate::verify::evidence::{CarryEvidence, ImportOutcome, ImportedObject};
use crate::verify::measure::{count, list};
use crate::verify::{CheckResult, Fact, Verdict};
use portproof_proto::bundle::Bundle;
use portproof_proto::canonical::{self, CanonicalError, Digest};
use portproof_proto::projection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Most problems named in the reason; all of them are in the evidence.
const NAMED: usize = 3;

/// One bundle as this check compares it.
struct Side<'a> {
    /// CRDs and objects by `Kind/name`.
    objects: BTreeMap<String, &'a Value>,
    /// Digest of all a model sees of each tool, by `server/tool`.
    behaviours: BTreeMap<String, Digest>,
    /// Digest over objects and behaviours: what a bundle means, whatever a server says of itself.
    digest: Digest,
}

/// Collects what contradicts the claim and what keeps it from being decided.
#[derive(Default)]
struct Findings {
    contradictions: Vec<String>,
    gaps: Vec<String>,
    differences: Vec<Value>,
    /// Objects that were on the target before the import.
    present: Vec<String>,
}

/// Passes when the import created every object, its request, admitted and stored form equal the source, the target offers
/// the same tool contracts, and both bundles have one digest. A CRD belongs to the whole cluster and may have been there.
pub fn import_identical(carry: &CarryEvidence) -> CheckResult {
    let sides = Side::of(&carry.source).and_then(|source| Ok((source, Side::of(&carry.target)?)));
    match sides {
        Ok((source, target)) => compare(carry, &source, &target),
        Err(error) => {
            let reason =
                format!("the content has no canonical form, so no digest can be compared: {error}");
            IMPORT_IDENTICAL.decided(inconclusive(reason), Vec::new(), Value::Null)
        }
    }
}

fn compare(carry: &CarryEvidence, source: &Side<'_>, target: &Side<'_>) -> CheckResult {
    let mut findings = Findings::default();
    if source.objects.is_empty() {
        findings
            .gaps
            .push("the bundle is empty: nothing was carried".to_owned());
    } else if !source.objects.keys().any(|name| name.starts_with("Tool/")) {
        findings.gaps.push("the bundle holds no Tool".to_owned());
    } else if source.behaviours.is_empty() {
        findings.gaps.push(
            "the source's tool gateway listed no tool, so there is no contract to compare"
                .to_owned(),
        );
    }
    compare_import(&carry.imported, source, &mut findings);
    findings.gaps.extend(findings.nothing_sent());
    compare_stored(source, target, &mut findings);
    compare_behaviours(source, target, &mut findings);
    if findings.contradictions.is_empty() && source.digest != target.digest {
        findings.contradictions.push(format!(
            "the digests differ: {} became {}",
            source.digest, target.digest
        ));
    }
    let evidence = evidence(carry, source, target, &findings);
    IMPORT_IDENTICAL.decided(
        findings.verdict(),
        facts(carry, source, target, &findings),
        evidence,
    )
}

impl Findings {
    fn verdict(&self) -> Verdict {
        match (self.contradictions.as_slice(), self.gaps.as_slice()) {
            ([], []) => Verdict::Passed,
            ([], gaps) => inconclusive(list(gaps, NAMED)),
            (contradictions, _) => failed(list(contradictions, NAMED)),
        }
    }

    /// Says that objects were there before the import, so that it sent nothing for them.
    fn nothing_sent(&self) -> Option<String> {
        let verb = if self.present.len() == 1 {
            "was"
        } else {
            "were"
        };
        (!self.present.is_empty()).then(|| {
            format!(
                "{} {verb} on the target before the import, so nothing shows that they can be carried unchanged ({})",
                count(self.present.len(), "object"),
                list(&self.present, NAMED)
            )
        })
    }
}

impl<'a> Side<'a> {
    fn of(bundle: &'a Bundle) -> Result<Self, CanonicalError> {
        let objects: BTreeMap<_, _> = bundle
            .crds
            .iter()
            .chain(&bundle.objects)
            .map(|object| (ImportedObject::name_of(object), object))
            .collect();
        let mut behaviours = BTreeMap::new();
        for descriptor in &bundle.descriptors {
            let tools = descriptor.behaviours()?;
            behaviours.extend(
                tools
                    .into_iter()
                    .map(|(tool, digest)| (format!("{}/{tool}", descriptor.server), digest)),
            );
        }
        let digest = canonical::digest(
            &json!({"crds": bundle.crds, "objects": bundle.objects, "tools": behaviours}),
        )?;
        Ok(Self {
            objects,
            behaviours,
            digest,
        })
    }
}

/// Whether the object of that name is a CRD.
fn is_definition(name: &str) -> bool {
    name.starts_with("CustomResourceDefinition/")
}

/// What was sent and what the API server answered.
fn compare_import(imported: &[ImportedObject], source: &Side<'_>, findings: &mut Findings) {
    let seen: BTreeSet<_> = imported
        .iter()
        .map(|object| object.object.as_str())
        .collect();
    for name in source
        .objects
        .keys()
        .filter(|name| !seen.contains(name.as_str()))
    {
        findings
            .gaps
            .push(format!("the import says nothing about {name}"));
    }
    for object in imported {
        match source.objects.get(&object.object) {
            Some(original) => compare_object(object, original, findings),
            None => findings.contradictions.push(format!(
                "{} was imported and is not in the source",
                object.object
            )),
        }
    }
}

fn compare_object(imported: &ImportedObject, original: &Value, findings: &mut Findings) {
    if let ImportOutcome::Unknown | ImportOutcome::NotTried = imported.outcome {
        findings.gaps.push(format!(
            "the import did not say what became of {}",
            imported.object
        ));
        return;
    }
    if let ImportOutcome::Refused | ImportOutcome::Conflict = imported.outcome {
        let word = if imported.outcome == ImportOutcome::Refused {
            "refused"
        } else {
            "in conflict with another object"
        };
        findings.contradictions.push(format!(
            "{} was {word}: {}",
            imported.object, imported.reason
        ));
        return;
    }
    let Ok(expected) = projection::digest(original) else {
        findings
            .gaps
            .push(format!("{} has no canonical form", imported.object));
        return;
    };
    let stages = [
        ("on the way", &imported.source),
        ("in the request", &imported.request),
        ("at admission", &imported.admitted),
    ];
    // Nothing is sent for an object that is there already.
    let present = imported.outcome == ImportOutcome::Present;
    if present && !is_definition(&imported.object) {
        findings.present.push(imported.object.clone());
    }
    for (stage, digest) in stages
        .into_iter()
        .filter(|(stage, _)| !present || *stage != "in the request")
    {
        match digest {
            Some(digest) if *digest == expected => {}
            Some(_) => {
                findings
                    .contradictions
                    .push(format!("{} was changed {stage}", imported.object));
                return;
            }
            None => findings.gaps.push(format!(
                "the import did not say what {} was {stage}",
                imported.object
            )),
        }
    }
}

/// What the target holds once it has settled.
fn compare_stored(source: &Side<'_>, target: &Side<'_>, findings: &mut Findings) {
    for (name, original) in &source.objects {
        match target.objects.get(name) {
            Some(stored) => compare_values(name, original, stored, findings),
            None => findings
                .contradictions
                .push(format!("{name} is not on the target")),
        }
    }
    for name in target
        .objects
        .keys()
        .filter(|name| !source.objects.contains_key(*name))
    {
        findings
            .contradictions
            .push(format!("{name} is on the target and not in the source"));
    }
}

fn compare_values(name: &str, original: &Value, stored: &Value, findings: &mut Findings) {
    for difference in differences(original, stored, 0.0) {
        findings
            .contradictions
            .push(format!("{name} differs at {difference}"));
        let mut entry = difference.to_json();
        entry["object"] = json!(name);
        findings.differences.push(entry);
    }
}

fn compare_behaviours(source: &Side<'_>, target: &Side<'_>, findings: &mut Findings) {
    for (tool, digest) in &source.behaviours {
        match target.behaviours.get(tool) {
            Some(found) if found == digest => {}
            Some(_) => findings
                .contradictions
                .push(format!("the MCP descriptor of {tool} differs")),
            None => findings
                .contradictions
                .push(format!("the target does not offer {tool} over MCP")),
        }
    }
    for tool in target
        .behaviours
        .keys()
        .filter(|tool| !source.behaviours.contains_key(*tool))
    {
        findings.contradictions.push(format!(
            "the target offers {tool} over MCP, which the source did not"
        ));
    }
}

fn facts(
    carry: &CarryEvidence,
    source: &Side<'_>,
    target: &Side<'_>,
    findings: &Findings,
) -> Vec<Fact> {
    let with = |outcome| {
        let objects = carry.imported.iter().filter(|it| it.outcome == outcome);
        let names: Vec<_> = objects.map(|object| &object.object).collect();
        let text = format!("{}: {}", count(names.len(), "object"), list(&names, 12));
        (!names.is_empty()).then_some(text)
    };
    let tools: Vec<_> = source.behaviours.keys().collect();
    let carried = with(ImportOutcome::Created).unwrap_or_else(|| "nothing".to_owned());
    let mut facts = vec![Fact::new("carried", carried)];
    let present = with(ImportOutcome::Present);
    facts.extend(present.map(|names| Fact::new("on the target before", names)));
    facts.extend([
        Fact::new(
            "MCP tools",
            format!("{}: {}", count(tools.len(), "tool"), list(&tools, 12)),
        ),
        Fact::new("digest on the source", &source.digest),
        Fact::new("digest on the target", &target.digest),
    ]);
    facts.extend(
        findings
            .contradictions
            .iter()
            .take(20)
            .map(|text| Fact::new("contradiction", text)),
    );
    facts.extend(
        findings
            .gaps
            .iter()
            .take(20)
            .map(|text| Fact::new("not known", text)),
    );
    facts
}

fn evidence(
    carry: &CarryEvidence,
    source: &Side<'_>,
    target: &Side<'_>,
    findings: &Findings,
) -> Value {
    let kinds = |side: &Side<'_>| side.objects.keys().cloned().collect::<Vec<_>>();
    json!({
        "projection": projection::VERSION,
        "source": {"digest": source.digest, "objects": kinds(source), "tools": source.behaviours},
        "target": {"digest": target.digest, "objects": kinds(target), "tools": target.behaviours},
        "imported": carry.imported,
        "contradictions": findings.contradictions,
        "gaps": findings.gaps,
        "differences": findings.differences,
    })
}

#[cfg(test)]
mod tests;
