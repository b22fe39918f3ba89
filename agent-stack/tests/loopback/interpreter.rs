//! The interpreter confines what it runs. Needs a `python3` on the path, or `PYTHON`.

use crate::stack;
use agent_stack::interpreter::{self, ExecuteAnswer, Execution, Python, Settings};
use agent_stack::telemetry::{Capture, resource};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_mins(1);

async fn run(code: &str) -> Execution {
    stack::python().execute(code, LONG).await.unwrap()
}

#[tokio::test]
async fn output_and_exit_code_come_back() {
    let done = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)").await;
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str(), done.exit_code),
        ("out\n", "err\n", 3)
    );
    assert!(!done.timed_out && !done.truncated);
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_its_children() {
    let code =
        "import os, time\nif os.fork() == 0: print(os.getpid(), flush=True)\ntime.sleep(600)";
    let done = stack::python()
        .execute(code, Duration::from_secs(4))
        .await
        .unwrap();
    assert!(done.timed_out);
    assert_eq!(done.exit_code, 128 + 9);
    let child: u32 = done.stdout.trim().parse().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    assert!(
        status.is_empty() || status.contains("State:\tZ"),
        "the child outlives its program: {status}"
    );
}

#[tokio::test]
async fn output_beyond_the_cap_is_dropped() {
    let done = run("print('x' * 1_000_000)").await;
    assert_eq!(
        (done.stdout.len(), done.truncated, done.exit_code),
        (64 << 10, true, 0)
    );
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused() {
    let done = run("x = bytearray(1 << 30)").await;
    assert_eq!(done.exit_code, 1);
    assert!(done.stderr.contains("MemoryError"), "{}", done.stderr);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused() {
    let done = run("open('big', 'wb').write(b'x' * (16 << 20))").await;
    assert!(done.stderr.contains("File too large"), "{}", done.stderr);
}

#[tokio::test]
async fn the_environment_is_empty_and_the_directory_its_own() {
    let code = "import os\nprint(sorted(os.environ), sorted(os.listdir('.')))";
    let done = run(code).await;
    let variables: Vec<&str> = done
        .stdout
        .split('[')
        .nth(1)
        .unwrap()
        .split('\'')
        .filter(|part| part.contains('_'))
        .collect();
    assert!(
        variables.iter().all(|name| name.starts_with("LC_")),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("'TMPDIR'") && done.stdout.ends_with("['main.py']\n"),
        "{}",
        done.stdout
    );
}

#[tokio::test]
async fn nothing_of_a_program_stays_on_disk() {
    let done = run("import os; print(os.getcwd())").await;
    let directory = PathBuf::from(done.stdout.trim());
    assert!(
        directory.is_absolute() && !directory.exists(),
        "{}",
        directory.display()
    );
}

#[tokio::test]
async fn a_program_cannot_gain_privileges() {
    let done =
        run("print([l for l in open('/proc/self/status') if l.startswith('NoNewPrivs')])").await;
    assert!(done.stdout.contains("\\t1"), "{}", done.stdout);
}

#[tokio::test]
async fn a_python_that_is_not_there_is_told_and_not_taken_for_a_result() {
    let settings = Settings::new(
        PathBuf::from("/nonexistent/agent-stack"),
        PathBuf::from("python3"),
    );
    let error = Python::new(settings)
        .execute("print(1)", LONG)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot be started"), "{error}");
}

/// Leaves its group, says so to its parent, and stays.
const ESCAPE: &str = "
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    print(os.getpid(), flush=True)
    os.write(writer, b'.')
    time.sleep(600)
os.read(reader, 1)
";

/// In a process of its own, because adopting orphans changes the whole process.
#[tokio::test]
async fn a_process_that_left_its_group_is_ended_when_the_program_is_done() {
    let address = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let mut server = tokio::process::Command::new(env!("CARGO_BIN_EXE_agent-stack"))
        .args(["interpreter", "--port", &address.port().to_string()])
        .env(
            "PYTHON",
            std::env::var_os("PYTHON").unwrap_or_else(|| "/usr/bin/python3".into()),
        )
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let client = agent_stack::http_client::client(LONG).unwrap();
    while client
        .get(format!("http://{address}/healthz"))
        .send()
        .await
        .is_err()
    {
        assert!(
            server.try_wait().unwrap().is_none(),
            "the interpreter ended"
        );
        tokio::task::yield_now().await;
    }
    let sent = client
        .post(format!("http://{address}/v1/execute"))
        .json(&json!({"code": ESCAPE}));
    let answer: ExecuteAnswer = sent.send().await.unwrap().json().await.unwrap();
    let escaped = answer.stdout.trim();
    assert!(escaped.parse::<u32>().is_ok(), "{answer:?}");
    assert!(
        !Path::new("/proc").join(escaped).exists(),
        "process {escaped} outlives its program"
    );
    server.kill().await.unwrap();
}

#[tokio::test]
async fn the_answer_carries_the_span_of_the_run() {
    let shutdown = CancellationToken::new();
    let address = stack::start(
        interpreter::router(stack::python(), resource("interpreter", |_| None)),
        &shutdown,
    )
    .await;
    let client = agent_stack::http_client::client(LONG).unwrap();
    let sent = client
        .post(format!("http://{address}/v1/execute"))
        .header(
            "traceparent",
            format!("00-{}-{}-01", stack::TRACE, stack::ROOT),
        )
        .json(&json!({"code": "print(6 * 7)"}));
    let mut answer: Value = sent.send().await.unwrap().json().await.unwrap();
    let spans = answer.as_object_mut().unwrap().remove("spans").unwrap();
    assert_eq!(
        answer,
        json!({"stdout": "42\n", "stderr": "", "exitCode": 0, "timedOut": false, "truncated": false})
    );
    let export = Capture::decode(spans.as_str().unwrap()).unwrap();
    let span = &export.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(
        (
            span.name.as_str(),
            hex::encode(&span.parent_span_id).as_str()
        ),
        ("run_code python", stack::ROOT)
    );
    shutdown.cancel();
}
