//! The tools at hand: fed by whoever sees `Tool` objects, read by every call.

use super::inventory::{Inventory, Kind, Known, Needed};
use super::tool::{Candidate, Rejection, ServedTool, Subject};
use portproof_proto::tool::{Tool, ToolSpec};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Notify;

/// What the gateway makes of a `Tool` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is served.
    Served,
    /// It is served, and calls fail until what its backend stands on is there. It stays listed, so that what clients
    /// see depends on the Tools alone and not on what was created first.
    Unbacked(Needed),
    /// It is not served.
    Rejected(Rejection),
}

/// The served tools by MCP name, as one state of the registry has them.
pub(super) type Served = BTreeMap<String, Arc<ServedTool>>;

/// Every `Tool` object of the namespace, by object name. Of two with one MCP name the one whose object name sorts
/// first is served, so that every replica decides alike.
#[derive(Debug, Default)]
pub struct Registry {
    state: RwLock<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<String, Entry>,
    inventory: Inventory,
    synced: bool,
    /// Follows from `entries`; calls share it without copying.
    served: Arc<Served>,
    /// Object names by the MCP name they are served under; follows from `entries`.
    owners: BTreeMap<String, String>,
}

/// One `Tool` object and what can be done with it.
#[derive(Clone, Debug)]
struct Entry {
    subject: Subject,
    compiled: Result<Arc<ServedTool>, Rejection>,
}

impl Registry {
    /// Takes in a new or changed object.
    pub fn apply(&self, object: Tool) {
        self.take(object.into());
    }

    /// Forgets a deleted object.
    pub fn remove(&self, object: &Tool) {
        self.forget(object.metadata.name.as_deref().unwrap_or_default());
    }

    /// Replaces everything by a complete list; from then on the registry is in sync.
    pub fn replace(&self, objects: Vec<Tool>) {
        self.replace_by(objects.into_iter().map(Candidate::from));
    }

    /// Whether a complete list has been seen.
    pub fn is_synced(&self) -> bool {
        self.read().synced
    }

    /// Takes in a new or changed object, whatever is in it.
    pub(super) fn take(&self, candidate: Candidate) {
        let name = candidate.subject.name.clone();
        let before = self.read().compiled(&name);
        let (entry, is_news) = Entry::of(candidate, before);
        self.change(|state| {
            state.entries.insert(name, entry);
            is_news
        });
    }

    /// Forgets the object of that name.
    pub(super) fn forget(&self, name: &str) {
        self.change(|state| state.entries.remove(name).is_some());
    }

    /// Replaces everything; see [`Registry::replace`].
    pub(super) fn replace_by(&self, candidates: impl Iterator<Item = Candidate>) {
        let known = self.read().entries.clone();
        let entries = candidates.map(|candidate| {
            let name = candidate.subject.name.clone();
            let before = known.get(&name).map(|entry| entry.compiled.clone());
            (name, Entry::of(candidate, before).0)
        });
        let entries = entries.collect();
        self.change(|state| {
            state.entries = entries;
            state.synced = true;
            true
        });
    }

    /// Takes in what is known of the objects that backends stand on.
    pub(super) fn learn(&self, kind: Kind, known: Known) {
        let is_news = self.write().inventory.learn(kind, known);
        if is_news {
            self.changed.notify_one();
        }
    }

    /// Every object with what is made of it; `None` as long as too little is known to say.
    pub(super) fn verdicts(&self) -> Option<Vec<(Subject, Verdict)>> {
        let state = self.read();
        let entries = state.entries.iter();
        let known = state.synced && !state.inventory.is_awaited();
        known.then(|| {
            entries
                .map(|(name, entry)| (entry.subject.clone(), state.verdict(name, entry)))
                .collect()
        })
    }

    /// The served tools.
    pub(super) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.read().served)
    }

    /// Waits until something has changed since the last time this returned. For one waiter.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Changes the state; `change` says whether other tools may be served afterwards.
    fn change(&self, change: impl FnOnce(&mut State) -> bool) {
        let mut state = self.write();
        if change(&mut state) {
            state.serve();
        }
        drop(state);
        self.changed.notify_one();
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The entry of an object; a specification that is the same as before is not compiled again. Says whether it is
    /// another one.
    fn of(
        candidate: Candidate,
        before: Option<Result<Arc<ServedTool>, Rejection>>,
    ) -> (Self, bool) {
        let Candidate { subject, spec } = candidate;
        let (compiled, is_news) = match (spec, before) {
            (Ok(spec), Some(Ok(tool))) if tool.spec == spec => (Ok(tool), false),
            (spec, _) => (spec.and_then(compile), true),
        };
        (Self { subject, compiled }, is_news)
    }
}

fn compile(spec: ToolSpec) -> Result<Arc<ServedTool>, Rejection> {
    ServedTool::compile(spec).map(Arc::new)
}

impl State {
    fn compiled(&self, object: &str) -> Option<Result<Arc<ServedTool>, Rejection>> {
        self.entries.get(object).map(|entry| entry.compiled.clone())
    }

    /// Works out which tools are served, and for which object.
    fn serve(&mut self) {
        let (mut served, mut owners) = (Served::new(), BTreeMap::new());
        for (object, entry) in &self.entries {
            let Ok(tool) = &entry.compiled else {
                continue;
            };
            let name = &tool.spec.name;
            if !served.contains_key(name) {
                served.insert(name.clone(), Arc::clone(tool));
                owners.insert(name.clone(), object.clone());
            }
        }
        self.served = Arc::new(served);
        self.owners = owners;
    }

    fn verdict(&self, object: &str, entry: &Entry) -> Verdict {
        let tool = match &entry.compiled {
            Ok(tool) => tool,
            Err(rejection) => return Verdict::Rejected(rejection.clone()),
        };
        let name = &tool.spec.name;
        if let Some(owner) = self.owners.get(name).filter(|owner| *owner != object) {
            return Verdict::Rejected(Rejection::NameTaken {
                name: name.clone(),
                owner: owner.clone(),
            });
        }
        match tool.needs().filter(|needed| self.inventory.lacks(needed)) {
            Some(needed) => Verdict::Unbacked(needed),
            None => Verdict::Served,
        }
    }
}

#[cfg(test)]
mod tests;
