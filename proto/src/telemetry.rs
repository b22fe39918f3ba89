//! Span and attribute names the stack emits and the orchestrator expects.
//!
//! The `gen_ai.*` and `mcp.*` conventions are in Development and live in the repository
//! `open-telemetry/semantic-conventions-genai`; the constants here are pinned so that an upstream rename is a change
//! in one place.

/// `gen_ai.operation.name`: which operation a span stands for.
pub const OPERATION: &str = "gen_ai.operation.name";
/// Value of [`OPERATION`] for an agent's whole work on one task.
pub const INVOKE_AGENT: &str = "invoke_agent";
/// Value of [`OPERATION`] for making the plan.
pub const PLAN: &str = "plan";
/// Value of [`OPERATION`] for one request to the model.
pub const CHAT: &str = "chat";
/// Value of [`OPERATION`] for one tool call of the agent.
pub const EXECUTE_TOOL: &str = "execute_tool";
/// Name of the agent.
pub const AGENT_NAME: &str = "gen_ai.agent.name";
/// Provider of the model.
pub const PROVIDER: &str = "gen_ai.provider.name";
/// Model that was asked for.
pub const REQUEST_MODEL: &str = "gen_ai.request.model";
/// Model that answered.
pub const RESPONSE_MODEL: &str = "gen_ai.response.model";
/// Why the model stopped.
pub const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
/// Tokens of the prompt.
pub const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
/// Tokens of the answer.
pub const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
/// Name of the tool.
pub const TOOL_NAME: &str = "gen_ai.tool.name";
/// Id the model gave the call.
pub const TOOL_CALL_ID: &str = "gen_ai.tool.call.id";
/// Kind of tool; `extension` for tools reached over MCP.
pub const TOOL_TYPE: &str = "gen_ai.tool.type";
/// MCP method of a client or server span.
pub const MCP_METHOD: &str = "mcp.method.name";
/// MCP revision in use.
pub const MCP_VERSION: &str = "mcp.protocol.version";
/// Id of the JSON-RPC request.
pub const JSONRPC_ID: &str = "jsonrpc.request.id";
/// Class of an error; present exactly on spans with status Error.
pub const ERROR_TYPE: &str = "error.type";
/// Which service a span comes from (resource attribute).
pub const SERVICE_NAME: &str = "service.name";
/// UID of the `kube-system` namespace (resource attribute).
pub const CLUSTER_UID: &str = "k8s.cluster.uid";
/// Name of the pod (resource attribute).
pub const POD_NAME: &str = "k8s.pod.name";
/// UID of the pod (resource attribute).
pub const POD_UID: &str = "k8s.pod.uid";
/// Name of the node (resource attribute).
pub const NODE_NAME: &str = "k8s.node.name";
/// Name of the namespace (resource attribute).
pub const NAMESPACE_NAME: &str = "k8s.namespace.name";
/// Digest of the canonical arguments of a tool call.
pub const ARGS_DIGEST: &str = "portproof.tool.args.sha256";
/// Digest of the canonical result of a tool call.
pub const RESULT_DIGEST: &str = "portproof.tool.result.sha256";
/// Which attempt of a call a CLIENT span stands for, from 1.
pub const ATTEMPT: &str = "portproof.call.attempt";
/// Member of a tool result's `_meta` with the class of a failure (`timeout`, `invalid_result`, ...): MCP has only
/// `isError` and a text, and a caller shall not have to read the text.
pub const ERROR_META: &str = "portproof.dev/error-type";
/// Number of steps of a plan.
pub const PLAN_STEPS: &str = "portproof.plan.step_count";
/// Id of the task.
pub const TASK_ID: &str = "portproof.task.id";
/// Name of the interpreter's server span.
pub const RUN_CODE: &str = "run_code";

/// The MCP method of a tool call.
pub const TOOLS_CALL: &str = "tools/call";

/// Environment variable with the OTLP endpoint of the stack's parts.
pub const OTLP_ENDPOINT_ENV: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
