//! What the namespace holds that backends stand on.

use std::collections::BTreeSet;
use std::fmt;

/// Kinds of object that backends stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    ConfigMap,
}

impl fmt::Display for Kind {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str(match self {
            Self::Service => "Service",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

/// An object that a backend stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) kind: Kind,
    pub(super) name: String,
}

impl Needed {
    pub(super) fn service(name: &str) -> Self {
        Self {
            kind: Kind::Service,
            name: name.to_owned(),
        }
    }

    pub(super) fn config_map(name: &str) -> Self {
        Self {
            kind: Kind::ConfigMap,
            name: name.to_owned(),
        }
    }
}

/// What is known of the objects of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing yet.
    #[default]
    Awaited,
    /// Nothing, and when that changes is uncertain: the API server does not say.
    Withheld,
    /// Every name.
    Listed(BTreeSet<String>),
}

/// What is known of the namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    services: Known,
    config_maps: Known,
}

impl Inventory {
    /// Takes in what is known of a kind; says whether that is news.
    pub(super) fn learn(&mut self, kind: Kind, known: Known) -> bool {
        let place = match kind {
            Kind::Service => &mut self.services,
            Kind::ConfigMap => &mut self.config_maps,
        };
        let news = *place != known;
        *place = known;
        news
    }

    /// Whether an object is known not to be there. Only a complete list proves that.
    pub(super) fn lacks(&self, needed: &Needed) -> bool {
        let known = match needed.kind {
            Kind::Service => &self.services,
            Kind::ConfigMap => &self.config_maps,
        };
        matches!(known, Known::Listed(names) if !names.contains(&needed.name))
    }

    /// Whether the first word about a kind is still to come.
    pub(super) fn is_awaited(&self) -> bool {
        [&self.services, &self.config_maps].contains(&&Known::Awaited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_proves_that_something_is_missing() {
        let mut inventory = Inventory::default();
        let needed = Needed::service("catalog");
        assert!(inventory.is_awaited() && !inventory.lacks(&needed));
        assert!(inventory.learn(Kind::Service, Known::Withheld));
        assert!(!inventory.lacks(&needed));
        assert!(inventory.learn(Kind::Service, Known::Listed(BTreeSet::new())));
        assert!(inventory.lacks(&needed));
        assert!(!inventory.learn(Kind::Service, Known::Listed(BTreeSet::new())));
        inventory.learn(Kind::Service, Known::Listed(["catalog".to_owned()].into()));
        assert!(!inventory.lacks(&needed));
        assert!(inventory.is_awaited(), "nothing is known of ConfigMaps");
    }
}
