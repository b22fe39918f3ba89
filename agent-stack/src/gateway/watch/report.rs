//! Writes the status of every `Tool` whose status is not what it should be.

use super::super::registry::{Registry, Verdict};
use super::super::status;
use super::super::tool::Subject;
use super::tools;
use futures::StreamExt as _;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use portproof_proto::tool::{Tool, ToolStatus};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Owner of the status fields.
const MANAGER: &str = "portproof-tool-gateway";
/// Statuses that are written at a time.
const AT_ONCE: usize = 8;
/// Pause before what could not be written is tried again; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long what was written counts as newer than what is seen, in seconds. Events come within milliseconds.
const TRUST_SECONDS: i64 = 10;

/// Reports after each change of the registry, for as long as it is polled.
pub(super) async fn run(client: &Client, namespace: &str, registry: &Registry) {
    let api = tools::api(client, namespace);
    let mut memory = Memory::default();
    let mut pause = PAUSE;
    loop {
        registry.changed().await;
        while !report(&api, registry, &mut memory).await {
            wait(registry, pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        pause = PAUSE;
    }
}

/// Waits before what failed is tried again, but not with what has changed meanwhile.
async fn wait(registry: &Registry, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        () = registry.changed() => {}
    }
}

/// Writes what is to be written; says whether that worked.
async fn report(api: &Api<DynamicObject>, registry: &Registry, memory: &mut Memory) -> bool {
    let Some(verdicts) = registry.verdicts() else {
        return true;
    };
    let due = memory.due(&verdicts, Timestamp::now());
    let mut writing = futures::stream::iter(due)
        .map(|due| async move {
            let written = write(api, &due.name, &due.status).await;
            (due, written)
        })
        .buffer_unordered(AT_ONCE);
    let mut all = true;
    while let Some((due, written)) = writing.next().await {
        match written {
            Ok(()) => memory.wrote(due, Timestamp::now()),
            // It was deleted in the meantime; its event is on the way.
            Err(kube::Error::Api(refused)) if refused.code == 404 => {}
            Err(error) => {
                all = false;
                tracing::warn!(%error, tool = due.name, "the status cannot be written, trying again");
            }
        }
    }
    all
}

/// Writes the status with server-side apply.
async fn write(api: &Api<DynamicObject>, name: &str, status: &ToolStatus) -> kube::Result<()> {
    let kind = ApiResource::erase::<Tool>(&());
    let patch = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "status": status,
    });
    let params = PatchParams::apply(MANAGER).force();
    api.patch_status(name, &params, &Patch::Apply(patch))
        .await
        .map(drop)
}

/// A status that is to be written.
#[derive(Clone, Debug, PartialEq)]
struct Due {
    name: String,
    uid: Option<String>,
    status: ToolStatus,
}

/// What was written and has not come back yet.
///
/// What the registry knows of a status lags behind what was written: judged by it alone, each status would be written
/// again, with another time, for every event that comes in between.
#[derive(Debug, Default)]
struct Memory {
    written: BTreeMap<String, Written>,
}

#[derive(Debug)]
struct Written {
    due: Due,
    at: Timestamp,
}

impl Memory {
    /// The statuses that are to be written.
    fn due(&mut self, verdicts: &[(Subject, Verdict)], now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        let mut awaited = BTreeMap::new();
        for (subject, verdict) in verdicts {
            let written = self.awaited(subject, now);
            let seen = subject.status.clone().unwrap_or_default();
            let current = written
                .as_ref()
                .map_or(&seen, |written| &written.due.status);
            due.extend(
                status::wanted(subject, verdict, current, now).map(|status| Due {
                    name: subject.name.clone(),
                    uid: subject.uid.clone(),
                    status,
                }),
            );
            awaited.extend(written.map(|written| (subject.name.clone(), written)));
        }
        self.written = awaited;
        due
    }

    /// What was written of this very object, if what is known of the object is older.
    fn awaited(&mut self, subject: &Subject, now: Timestamp) -> Option<Written> {
        let written = self.written.remove(&subject.name)?;
        let is_back = subject.status.as_ref() == Some(&written.due.status);
        let is_late = now.duration_since(written.at).as_secs() >= TRUST_SECONDS;
        let is_awaited = written.due.uid == subject.uid && !is_back && !is_late;
        is_awaited.then_some(written)
    }

    fn wrote(&mut self, due: Due, at: Timestamp) {
        self.written.insert(due.name.clone(), Written { due, at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn subject(uid: &str, status: Option<ToolStatus>) -> Subject {
        Subject {
            name: "x".into(),
            uid: Some(uid.into()),
            generation: Some(1),
            status,
        }
    }

    fn due(memory: &mut Memory, subject: Subject, second: i64) -> Vec<Due> {
        memory.due(&[(subject, Verdict::Served)], at(second))
    }

    /// A memory of one status that was written at second 1.
    fn after_a_write() -> (Memory, ToolStatus) {
        let mut memory = Memory::default();
        let first = due(&mut memory, subject("u", None), 1).remove(0);
        memory.wrote(first.clone(), at(1));
        (memory, first.status)
    }

    #[test]
    fn what_was_written_is_not_written_again_while_it_is_on_its_way_back() {
        let (mut memory, status) = after_a_write();
        assert_eq!(due(&mut memory, subject("u", None), 2), []);
        assert_eq!(due(&mut memory, subject("u", None), 3), []);
        assert_eq!(due(&mut memory, subject("u", Some(status)), 4), []);
    }

    #[test]
    fn what_somebody_else_writes_later_is_put_right() {
        let (mut memory, status) = after_a_write();
        assert_eq!(due(&mut memory, subject("u", Some(status)), 2), []);
        let foreign = ToolStatus::default();
        assert_eq!(due(&mut memory, subject("u", Some(foreign)), 3).len(), 1);
    }

    #[test]
    fn what_never_comes_back_is_written_again() {
        let (mut memory, _) = after_a_write();
        assert_eq!(
            due(&mut memory, subject("u", None), 1 + TRUST_SECONDS).len(),
            1
        );
    }

    #[test]
    fn an_object_that_was_made_anew_gets_a_status_of_its_own() {
        let (mut memory, _) = after_a_write();
        assert_eq!(due(&mut memory, subject("v", None), 2).len(), 1);
    }

    #[tokio::test]
    async fn one_status_that_cannot_be_written_does_not_hold_up_the_others() {
        let registry = Registry::default();
        registry.replace(Vec::new());
        let waited = wait(&registry, Duration::from_hours(1));
        assert!(
            tokio::time::timeout(Duration::from_secs(20), waited)
                .await
                .is_ok()
        );
    }
}
