//! Which revisions of MCP a server speaks, so that the era of a hop can be chosen.

use super::message::Message;
use super::refusal::Refusal;
use axum::http::HeaderMap;
use clap::ValueEnum;
use rmcp::model::ProtocolVersion;
use serde_json::Value;

/// Header with the revision of a request.
const VERSION_HEADER: &str = "mcp-protocol-version";
/// The request that opens a connection in every revision before 2026-07-28.
const INITIALIZE: &str = "initialize";
/// The requests that revision 2026-07-28 brought.
const BROUGHT_BY_MODERN: [&str; 2] = ["server/discover", "subscriptions/listen"];

/// The revisions, newest first: clients that take the first one they know get the stateless one.
const DUAL: [ProtocolVersion; 3] = [
    ProtocolVersion::V_2026_07_28,
    ProtocolVersion::V_2025_11_25,
    ProtocolVersion::V_2025_06_18,
];

/// The eras of MCP that a server speaks (`basic/versioning` of revision 2026-07-28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Era {
    /// Both, on one endpoint.
    #[default]
    Dual,
    /// Only revision 2026-07-28: each request describes itself, and `initialize` is refused.
    Modern,
    /// Only the revisions with the `initialize` handshake, up to 2025-11-25.
    Legacy,
}

impl Era {
    /// The revisions spoken, newest first.
    pub(in crate::gateway) const fn versions(self) -> &'static [ProtocolVersion] {
        match self {
            Self::Dual => &DUAL,
            Self::Modern => DUAL.split_at(1).0,
            Self::Legacy => DUAL.split_at(1).1,
        }
    }

    /// Says no to what a server of this era does not know; the rest is for the MCP library.
    pub(super) fn admit(self, headers: &HeaderMap, message: &Message) -> Result<(), Refusal> {
        match message.method() {
            Some(INITIALIZE) if self == Self::Modern => {
                Err(self.refuse(message, requested(message)))
            }
            Some(INITIALIZE) | None => Ok(()),
            Some(method) => self.admit_method(method, headers, message),
        }
    }

    fn admit_method(
        self,
        method: &str,
        headers: &HeaderMap,
        message: &Message,
    ) -> Result<(), Refusal> {
        let named = headers
            .get(VERSION_HEADER)
            .map(|version| String::from_utf8_lossy(version.as_bytes()).into_owned());
        if let Some(version) = named.filter(|version| !self.speaks(version)) {
            // The library answers a request that describes itself, by what it says and not by the header alone.
            if self == Self::Legacy || !message.describes_itself() {
                return Err(self.refuse(message, version));
            }
        }
        if self == Self::Legacy && BROUGHT_BY_MODERN.contains(&method) {
            return Err(Refusal::OldMethod {
                method: method.to_owned(),
                id: message.id().cloned(),
            });
        }
        Ok(())
    }

    fn speaks(self, version: &str) -> bool {
        self.versions()
            .iter()
            .any(|known| known.as_str() == version)
    }

    fn refuse(self, message: &Message, requested: String) -> Refusal {
        let supported = self.versions().iter().map(ToString::to_string).collect();
        let id = message.id().cloned();
        if self == Self::Legacy {
            Refusal::OldRevision {
                supported,
                requested,
                id,
            }
        } else {
            Refusal::Revision {
                supported,
                requested,
                id,
            }
        }
    }
}

/// The revision that an `initialize` asks for.
fn requested(message: &Message) -> String {
    let version = message.param("protocolVersion").and_then(Value::as_str);
    version.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_era_speaks_its_own_revisions_and_dual_speaks_all() {
        let spoken = |era: Era| {
            era.versions()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        };
        assert_eq!(spoken(Era::Modern), ["2026-07-28"]);
        assert_eq!(spoken(Era::Legacy), ["2025-11-25", "2025-06-18"]);
        assert_eq!(
            spoken(Era::Dual),
            [spoken(Era::Modern), spoken(Era::Legacy)].concat()
        );
    }

    #[test]
    fn the_eras_have_names_on_the_command_line() {
        let names = Era::value_variants()
            .iter()
            .map(|era| era.to_possible_value().unwrap().get_name().to_owned());
        assert_eq!(names.collect::<Vec<_>>(), ["dual", "modern", "legacy"]);
    }

    #[test]
    fn an_older_server_does_not_know_what_came_after_it() {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover"});
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        let refused = Era::Legacy.admit(&HeaderMap::new(), &message).unwrap_err();
        assert!(matches!(refused, Refusal::OldMethod { .. }), "{refused}");
        assert!(Era::Dual.admit(&HeaderMap::new(), &message).is_ok());
    }
}
