//! Programs that try to take the interpreter down, in its sandbox on a real cluster.

use crate::control_agent::Run;
use crate::operations::client;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use portproof_proto::names::{HTTP_PORT, PART_LABEL};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest time until the next program has been run.
const SOON: Duration = Duration::from_secs(2);

/// What each does, the program, and how a run of it may end.
const PROGRAMS: [(&str, &str, &[&str]); 10] = [
    (
        "forks without end",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        &["wall_clock", "cpu", "processes", "memory"],
    ),
    (
        "prints without end",
        "while True: print('x' * 65536)",
        &["wall_clock", "output"],
    ),
    (
        "asks for 10 GiB",
        "b = bytearray(10 * 1024 ** 3)",
        &["exited", "memory"],
    ),
    ("never ends", "while True: pass", &["wall_clock", "cpu"]),
    (
        "kills its children",
        "import os, signal, time\nfor _ in range(20):\n    p = os.fork()\n    if p == 0: time.sleep(60)\n    os.kill(p, signal.SIGKILL)",
        &["exited"],
    ),
    (
        "leaves zombies",
        "import os\nfor _ in range(20):\n    if os.fork() == 0: os._exit(0)",
        &["exited"],
    ),
    (
        "fills /tmp and waits",
        "import time\nfor n in range(24): open(f'/tmp/{n}', 'wb').write(b'x' * 2**20)\ntime.sleep(60)",
        &["disk"],
    ),
    (
        "fills /dev/shm and waits",
        "import time\nfor n in range(24): open(f'/dev/shm/{n}', 'wb').write(b'x' * 2**20)\ntime.sleep(60)",
        &["disk"],
    ),
    // A process whose name is no text was once left out of every count.
    (
        "gives forty processes a name that is no text",
        "import ctypes, os, time\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe', 0, 0, 0)\nfor _ in range(40):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(60)",
        &["processes", "memory"],
    ),
    (
        "kills all it may",
        "import os, signal\nos.kill(-1, signal.SIGKILL)",
        &["exited", "signalled"],
    ),
];

/// The interpreter's pod, reached through the API server.
struct Interpreter {
    client: Client,
    path: String,
}

impl Interpreter {
    async fn of(run: &Run) -> Self {
        let (client, namespace) = (client(run, None).await, run.id.namespace());
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let of_part = ListParams::default().labels(&format!("{PART_LABEL}=interpreter"));
        let pod = pods.list(&of_part).await.unwrap().items.remove(0);
        let class = pod.spec.as_ref().unwrap().runtime_class_name.as_deref();
        assert_eq!(class, Some("gvisor"));
        let name = pod.name_any();
        Self {
            client,
            path: format!(
                "/api/v1/namespaces/{namespace}/pods/{name}:{HTTP_PORT}/proxy/v1/execute"
            ),
        }
    }

    async fn execute(&self, code: &str) -> Value {
        let body = json!({"code": code, "timeoutSeconds": 2}).to_string();
        let request = http::Request::post(&self.path)
            .header("content-type", "application/json")
            .body(body.into_bytes())
            .unwrap();
        self.client.request(request).await.unwrap()
    }
}

/// Whatever a program does, the next one is served soon, and by the same container.
pub(crate) async fn assert_the_interpreter_outlives_hostile_programs(run: &Run) {
    let interpreter = Interpreter::of(run).await;
    for (what, code, ends) in PROGRAMS {
        let done = interpreter.execute(code).await;
        let ended = done["endedBy"].as_str().unwrap_or_default();
        assert!(ends.contains(&ended), "a program that {what}: {done}");
        let began = Instant::now();
        let next = interpreter.execute("print(1)").await;
        assert_eq!(next["stdout"], "1\n", "after a program that {what}: {next}");
        assert!(
            began.elapsed() < SOON,
            "after a program that {what}: {:?}",
            began.elapsed()
        );
    }
}
