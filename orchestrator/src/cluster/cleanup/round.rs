//! One round over everything that is not settled yet.

use super::super::connect::Cluster;
use super::super::error::ClusterError;
use super::super::object::ObjectId;
use super::super::ownership::{self, Standing};
use super::delete::delete;
use super::pods;
use crate::ledger::Outstanding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;

/// What is known of an object so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Not settled.
    Open,
    /// Gone.
    Removed,
    /// The run's object is gone, a later one of that name stays.
    Replaced(String),
    /// Stays on purpose.
    Kept(String),
    /// Cannot be removed, and trying again would not help.
    Left(String),
}

/// One object to be removed.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) object: ObjectId,
    pub(super) fate: Fate,
    /// What went wrong in the last round and may go right in the next.
    pub(super) trouble: Option<String>,
    uid: Option<String>,
    deleted: bool,
}

impl Item {
    pub(super) fn new(outstanding: Outstanding) -> Self {
        Self {
            object: outstanding.object,
            fate: Fate::Open,
            trouble: None,
            uid: outstanding.uid,
            deleted: false,
        }
    }

    /// Whether what the run created is gone for certain.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.fate, Fate::Removed | Fate::Replaced(_))
    }

    /// Whether it is a namespace that went, and with it Gateways that may have been in it.
    pub(super) fn is_removed_namespace(&self) -> bool {
        self.object.is_namespace() && self.fate == Fate::Removed
    }

    fn is_open(&self) -> bool {
        self.fate == Fate::Open
    }

    /// Whether the object is removed by removing the namespace it is in.
    pub(super) fn goes_with_namespace(&self, items: &[Self]) -> bool {
        self.namespace_fate(items)
            .is_some_and(|fate| matches!(fate, Fate::Open | Fate::Removed))
    }

    fn namespace_fate<'a>(&self, items: &'a [Self]) -> Option<&'a Fate> {
        let namespace = self.object.namespace.as_deref()?;
        items
            .iter()
            .find(|it| it.object.is_namespace() && it.object.name == namespace)
            .map(|it| &it.fate)
    }
}

/// Everything a round needs.
pub(super) struct Round<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) run: &'a str,
    pub(super) namespace: &'a str,
    pub(super) items: Vec<Item>,
}

impl Round<'_> {
    /// Does what can be done now, without waiting for anything to be gone; says whether all is settled.
    pub(super) async fn play(&mut self) -> bool {
        for index in 0..self.items.len() {
            if self.items[index].is_open() {
                self.advance(index).await;
            }
        }
        self.settle_with_namespaces();
        self.items.iter().all(|item| !item.is_open())
    }

    async fn advance(&mut self, index: usize) {
        let item = &self.items[index];
        let waits = item.object.is_definition() && self.instances_may_be_left();
        if waits || item.goes_with_namespace(&self.items) {
            return;
        }
        match self.step(index).await {
            Ok(fate) => {
                self.items[index].fate = fate;
                self.items[index].trouble = None;
            }
            Err(error) => self.note(index, &error),
        }
    }

    fn settle_with_namespaces(&mut self) {
        for index in 0..self.items.len() {
            let gone = self.items[index].namespace_fate(&self.items) == Some(&Fate::Removed);
            if gone && self.items[index].is_open() {
                self.items[index].fate = Fate::Removed;
            }
        }
    }

    /// Custom resources outside of a namespace that goes as a whole must be gone before their definition is.
    fn instances_may_be_left(&self) -> bool {
        self.items.iter().any(|item| {
            item.is_open()
                && !item.object.is_definition()
                && !item.object.is_namespace()
                && !item.goes_with_namespace(&self.items)
        })
    }

    async fn step(&mut self, index: usize) -> Result<Fate, ClusterError> {
        let item = &self.items[index];
        let object = item.object.clone();
        let standing =
            ownership::examine(self.cluster, self.run, &object, item.uid.as_deref()).await?;
        match standing {
            Standing::Gone => Ok(Fate::Removed),
            Standing::Replaced if item.deleted => Ok(Fate::Removed),
            Standing::Replaced => Ok(Fate::Replaced(
                "another object of that name is there; the one this run created is gone".to_owned(),
            )),
            Standing::Foreign(reason) => Ok(Fate::Kept(reason)),
            Standing::Ours(live) if live.deletion_timestamp.is_some() => {
                self.going(index, live.uid).await;
                Ok(Fate::Open)
            }
            Standing::Ours(live) => self.remove(index, &object, *live).await,
        }
    }

    /// The object was asked to go, by this clean-up or by someone before.
    async fn going(&mut self, index: usize, uid: Option<String>) {
        let item = &mut self.items[index];
        let first = !std::mem::replace(&mut item.deleted, true);
        item.uid = uid;
        if first && item.object.is_namespace() {
            pods::end(
                self.cluster,
                &self.items[index].object.name,
                &ListParams::default(),
            )
            .await;
        }
    }

    async fn remove(
        &mut self,
        index: usize,
        object: &ObjectId,
        live: ObjectMeta,
    ) -> Result<Fate, ClusterError> {
        if let Some(users) = self.users(object).await? {
            return Ok(Fate::Kept(format!(
                "others use it: instances outside the namespace of this run: {users}"
            )));
        }
        let uid = live.uid.clone();
        match delete(self.cluster, object, live).await {
            // It changed since it was looked at; the next round looks again.
            Err(ClusterError::Refused { code: 409, .. }) => return Ok(Fate::Open),
            Err(error) if error.is_not_found() => return Ok(Fate::Removed),
            other => other?,
        }
        self.going(index, uid).await;
        Ok(Fate::Open)
    }

    async fn users(&self, object: &ObjectId) -> Result<Option<String>, ClusterError> {
        if object.is_definition() {
            ownership::instances_elsewhere(self.cluster, &object.name, self.namespace).await
        } else {
            Ok(None)
        }
    }

    /// A server that is away, overloaded or failing may be back in the next round; a refusal stays one.
    fn note(&mut self, index: usize, error: &ClusterError) {
        let item = &mut self.items[index];
        if error.may_pass() {
            item.trouble = Some(error.to_string());
        } else {
            item.fate = Fate::Left(error.to_string());
        }
    }
}
