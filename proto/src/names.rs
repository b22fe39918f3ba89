//! Names that the orchestrator and the stack must agree on: labels, Services, ports, headers.

/// Field manager of every server-side apply.
pub const FIELD_MANAGER: &str = "portproof";

/// Label that every object a run creates carries; its value is the run id.
pub const RUN_LABEL: &str = "portproof.dev/run-id";
/// Label with the cluster role (`a`, `b`) of an object.
pub const ROLE_LABEL: &str = "portproof.dev/cluster-role";
/// Label that names the part of the stack a pod belongs to, one of [`Part`].
pub const PART_LABEL: &str = "portproof.dev/part";
/// The standard label that says who manages an object, with the value [`FIELD_MANAGER`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Annotation with the time a run began (RFC 3339).
pub const CREATED_AT_ANNOTATION: &str = "portproof.dev/created-at";
/// Annotation with the time after which anybody may clean a run up (RFC 3339).
pub const EXPIRES_AT_ANNOTATION: &str = "portproof.dev/expires-at";

/// Namespace of a run, the same on every cluster: renaming a namespace would be a modification.
pub fn run_namespace(run_id: &str) -> String {
    format!("{FIELD_MANAGER}-{run_id}")
}

/// Field manager of the requests by which a run creates carried objects outside its namespace. Such an object bears no
/// label of ours, so this is what shows, even after a crash, which run created it.
pub fn run_field_manager(run_id: &str) -> String {
    format!("{FIELD_MANAGER}/{run_id}")
}

/// The run that a field manager made by [`run_field_manager`] belongs to.
pub fn run_of_field_manager(manager: &str) -> Option<&str> {
    manager.strip_prefix(FIELD_MANAGER)?.strip_prefix('/')
}

/// Metadata key of every gRPC call: the run the caller speaks for.
pub const RUN_METADATA: &str = "x-portproof-run";
/// Response header that names the backend which answered a model request.
pub const BACKEND_HEADER: &str = "x-portproof-backend";
/// Request header by which the model route sends a request to one version, [`STABLE_VERSION`] or [`CANARY_VERSION`].
pub const VERSION_HEADER: &str = "x-model-version";
/// Value of [`VERSION_HEADER`] for the stable version.
pub const STABLE_VERSION: &str = "stable";
/// Value of [`VERSION_HEADER`] for the canary version.
pub const CANARY_VERSION: &str = "canary";

/// Port of the control agent's gRPC service.
pub const CONTROL_PORT: u16 = 7443;
/// Port of the control agent's OTLP receiver.
pub const OTLP_PORT: u16 = 4317;
/// HTTP port of every other part.
pub const HTTP_PORT: u16 = 8080;
/// Port of the canary listener, TCP and UDP.
pub const CANARY_PORT: u16 = 4433;

/// Name of the `Gateway`.
pub const GATEWAY: &str = "portproof";
/// Name of the `HTTPRoute` that splits model traffic.
pub const MODEL_ROUTE: &str = "model";
/// Name of the `HTTPRoute` to the tool gateway.
pub const TOOLS_ROUTE: &str = "tools";

/// Directory in the control agent's pod with `ca.pem`, `server.pem` and `server.key`.
pub const CONTROL_TLS_DIR: &str = "/etc/portproof/tls";
/// Secret with the control agent's certificates.
pub const CONTROL_TLS_SECRET: &str = "portproof-control-tls";

/// Entry of a Secret that holds the key of an upstream model server.
pub const UPSTREAM_KEY: &str = "api-key";
/// Entry of a ConfigMap that holds the authorities that may vouch for an upstream model server, as PEM.
pub const UPSTREAM_AUTHORITIES: &str = "ca.crt";
/// Name of the Secret and of the ConfigMap that a run makes for its upstream model server.
pub const UPSTREAM: &str = "portproof-upstream";

/// A part of the reference stack: its Deployment, its Service and the value of [`PART_LABEL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The control agent.
    Control,
    /// The stable model version.
    ModelStable,
    /// The canary model version.
    ModelCanary,
    /// The tool gateway (MCP server).
    ToolGateway,
    /// The sandboxed code interpreter.
    Interpreter,
    /// The unsandboxed twin of the interpreter that egress probes are compared with.
    ProbeControl,
    /// The agent.
    Agent,
    /// The HTTP service that one of the tools calls.
    Catalog,
    /// The listener outside every allow-list.
    Canary,
}

impl Part {
    /// Every part, in the order they are created.
    pub const ALL: [Self; 9] = [
        Self::Control,
        Self::Canary,
        Self::Catalog,
        Self::Interpreter,
        Self::ProbeControl,
        Self::ToolGateway,
        Self::ModelStable,
        Self::ModelCanary,
        Self::Agent,
    ];

    /// The name of the part's Deployment and Service.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::ModelStable => "model-stable",
            Self::ModelCanary => "model-canary",
            Self::ToolGateway => "tool-gateway",
            Self::Interpreter => "interpreter",
            Self::ProbeControl => "probe-control",
            Self::Agent => "agent",
            Self::Catalog => "catalog",
            Self::Canary => "canary",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_run_is_known_by_its_field_manager_and_other_managers_are_of_no_run() {
        let manager = run_field_manager("r1mhj8n3k7q");
        assert_eq!(run_of_field_manager(&manager), Some("r1mhj8n3k7q"));
        assert_eq!(run_of_field_manager(FIELD_MANAGER), None);
        assert_eq!(run_of_field_manager("kubectl"), None);
    }

    #[test]
    fn every_part_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Part::ALL.iter().map(|part| part.name()).collect();
        assert_eq!(names.len(), Part::ALL.len());
    }
}
