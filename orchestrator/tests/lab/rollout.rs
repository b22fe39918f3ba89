//! What is asked of a part while it is rolled out: MCP through the Gateway from outside the cluster, tasks through the
//! control agent.

use crate::control_agent::Run;
use crate::operations::{client, roll};
use crate::tool_watch::{call_tool, list_tools};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, Config};
use portproof::rpc::{AgentClient, TaskOrder};
use portproof_proto::names::Part;
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Clients that ask at the same time, each one request after the other.
const CLIENTS: usize = 2;

/// A client of the run's Gateway, at the address that stands in its status.
async fn gateway(run: &Run) -> Client {
    let resource = ApiResource {
        group: "gateway.networking.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "gateway.networking.k8s.io/v1".to_owned(),
        kind: "Gateway".to_owned(),
        plural: "gateways".to_owned(),
    };
    let namespace = run.id.namespace();
    let client = client(run, None).await;
    let gateways: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let gateway = &gateways.list(&ListParams::default()).await.unwrap().items[0];
    let address = gateway.data["status"]["addresses"][0]["value"]
        .as_str()
        .unwrap();
    let config = Config::new(format!("http://{address}").parse().unwrap());
    Client::try_from(config).unwrap()
}

/// A client of a part; it says what is wrong with an answer.
#[derive(Clone)]
enum Asker {
    /// MCP through the Gateway; the answer has these words.
    Mcp {
        client: Client,
        request: Box<http::Request<Vec<u8>>>,
        words: &'static str,
    },
    /// Tasks through the control agent.
    Tasks(AgentClient),
}

impl Asker {
    async fn ask(&self) -> Result<(), String> {
        match self {
            Self::Mcp {
                client,
                request,
                words,
            } => {
                let answer = client.request_text((**request).clone()).await;
                let text = answer.map_err(|error| error.to_string())?;
                text.contains(words).then_some(()).ok_or(text)
            }
            Self::Tasks(agent) => {
                let done = agent.run_task(&oil_change()).await;
                let done = done.map_err(|error| error.to_string())?;
                let known = format!("{done:?}").contains("10,000 hours");
                known.then_some(()).ok_or_else(|| format!("{done:?}"))
            }
        }
    }

    /// Asks until told to stop; how many answers were good, and what went wrong.
    async fn ask_until(self, stop: CancellationToken) -> (usize, Vec<String>) {
        let (mut answered, mut failed) = (0, Vec::new());
        while !stop.is_cancelled() {
            match self.ask().await {
                Ok(()) => answered += 1,
                Err(why) => failed.push(why),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (answered, failed)
    }

    async fn loses_nothing_while_this_is_rolled_out(self, run: &Run, part: Part) {
        let stop = CancellationToken::new();
        let asking: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(self.clone().ask_until(stop.clone())))
            .collect();
        let inside = client(run, None).await;
        roll(&inside, &run.id.namespace(), part).await;
        stop.cancel();
        for client in asking {
            let (answered, failed) = client.await.unwrap();
            let name = part.name();
            assert!(
                failed.is_empty(),
                "{name}: {} failed: {failed:?}",
                failed.len()
            );
            assert!(
                answered > 5,
                "{name}: {answered} answers are too few to say anything"
            );
        }
    }
}

fn oil_change() -> TaskOrder {
    TaskOrder {
        id: "oil-change".to_owned(),
        prompt: "When is the oil of gearbox G-7 changed?".to_owned(),
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        root_span_id: "b7ad6b7169203331".to_owned(),
        deadline: Duration::from_secs(30),
    }
}

/// Rollouts of the tool gateway, the interpreter and the agent lose nothing of what is asked of them meanwhile.
pub(crate) async fn assert_rollouts_lose_no_call(run: &Run, agent: &AgentClient) {
    let (outside, host) = (gateway(run).await, format!("{}.portproof.internal", run.id));
    let mcp = |request, words| Asker::Mcp {
        client: outside.clone(),
        request: Box::new(request),
        words,
    };
    let code = json!({"code": "print(6 * 7)"});
    let list = mcp(list_tools("/mcp", &host), "\"run_python\"");
    let compute = mcp(
        call_tool("/mcp", &host, "run_python", &code),
        r#""stdout":"42\n""#,
    );
    let tasks = Asker::Tasks(agent.clone());
    for (asker, part) in [
        (list, Part::ToolGateway),
        (compute, Part::Interpreter),
        (tasks, Part::Agent),
    ] {
        asker
            .loses_nothing_while_this_is_rolled_out(run, part)
            .await;
    }
}
