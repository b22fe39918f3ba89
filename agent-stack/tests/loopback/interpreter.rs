//! The interpreter runs Python and confines what it runs. Needs a `python3` in `/usr/bin`, or `PYTHON`.

mod confinement;
mod requests;
mod server;
mod torture;

use crate::stack;
use agent_stack::interpreter::{
    self, EndedBy, Execution, InnerPath, Limits, Program, Python, Settings, WantedLimits,
};
use agent_stack::telemetry::{Capture, resource};
use serde_json::{Value, json};
use server::Server;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LONG: Duration = Duration::from_mins(1);

fn limits(python: &Python, wanted: WantedLimits) -> Limits {
    python.settings().limits.resolve(&wanted).unwrap()
}

async fn run(code: &str) -> Execution {
    run_within(code, WantedLimits::default()).await
}

async fn run_within(code: &str, wanted: WantedLimits) -> Execution {
    let python = stack::python();
    let limits = limits(&python, wanted);
    python.execute(Program::new(code), limits).await.unwrap()
}

/// Settings whose launcher lets `script` stand in for what confines a program and becomes it: a kernel without Landlock
/// and seccomp.
fn unconfined(directory: &std::path::Path, script: &str) -> Settings {
    use std::os::unix::fs::PermissionsExt as _;
    let real = env!("CARGO_BIN_EXE_agent-stack");
    let ready = json!({"ready": {"landlock": "unsupported", "landlockAbi": 0, "seccomp": "unsupported", "noNewPrivs": false}});
    let path = directory.join("launcher");
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = run-limited ] && exec {real} \"$@\"\necho '{ready}' >&0\nexec </dev/null\n{script}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Settings::new(path, PathBuf::from("python3"))
}

fn is_running(pid: &str) -> bool {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

#[tokio::test]
async fn output_and_exit_code_come_back() {
    let done = run("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)").await;
    assert_eq!(
        (done.stdout.as_str(), done.stderr.as_str(), done.exit_code),
        ("out\n", "err\n", 3)
    );
    assert_eq!((done.ended_by, done.truncated), (EndedBy::Exited, false));
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_with_its_children() {
    let code =
        "import os, time\nif os.fork() == 0: print(os.getpid(), flush=True)\ntime.sleep(600)";
    let wanted = WantedLimits {
        wall_seconds: Some(3),
        ..WantedLimits::default()
    };
    let done = run_within(code, wanted).await;
    assert_eq!((done.ended_by, done.exit_code), (EndedBy::WallClock, 137));
    assert!(done.timed_out() && done.usage.left_over == 1, "{done:?}");
    assert!(done.stdout.trim().parse::<u32>().is_ok(), "{done:?}");
    assert!(!is_running(&done.stdout), "the child outlives its program");
}

#[tokio::test]
async fn processor_time_has_a_limit_of_its_own() {
    let wanted = WantedLimits {
        cpu_seconds: Some(1),
        wall_seconds: Some(60),
        ..WantedLimits::default()
    };
    let ignoring = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass";
    for code in ["while True: pass", ignoring] {
        let done = run_within(code, wanted).await;
        assert_eq!(done.ended_by, EndedBy::Cpu, "{done:?}");
        assert!(
            done.exit_code > 128 && done.usage.user_cpu_ms >= 500,
            "{done:?}"
        );
    }
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
    let done = run("x = bytearray(10 << 30)").await;
    assert_eq!((done.exit_code, done.ended_by), (1, EndedBy::Exited));
    assert!(done.stderr.contains("MemoryError"), "{}", done.stderr);
}

#[tokio::test]
async fn a_file_beyond_the_limit_is_refused() {
    let done = run("open('big', 'wb').write(b'x' * (16 << 20))").await;
    assert!(done.stderr.contains("File too large"), "{}", done.stderr);
}

#[tokio::test]
async fn limits_are_those_asked_for_and_usage_is_told() {
    let wanted = WantedLimits {
        memory_bytes: Some(64 << 20),
        open_files: Some(10),
        ..WantedLimits::default()
    };
    let code = "import resource, time\ntime.sleep(.3)\n\
        print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_NOFILE)[1])";
    let done = run_within(code, wanted).await;
    assert_eq!(done.stdout, "67108864 10\n", "{done:?}");
    assert_eq!(
        (done.limits.memory_bytes, done.limits.open_files),
        (64 << 20, 10)
    );
    assert!(done.usage.wall_ms >= 300, "{:?}", done.usage);
    assert!(
        done.usage.max_rss_bytes.unwrap() > 1 << 20,
        "{:?}",
        done.usage
    );
    assert_eq!(done.usage.max_processes, Some(1));
}

#[tokio::test]
async fn the_environment_is_empty_but_for_the_workspace_and_the_language() {
    let done = run(
        "import os\nprint(sorted(os.environ), os.listdir('.'), os.environ['HOME'] == os.getcwd())",
    )
    .await;
    assert_eq!(done.stdout, "['HOME', 'LANG', 'TMPDIR'] ['main.py'] True\n");
}

#[tokio::test]
async fn a_traceback_is_the_same_in_every_workspace() {
    let done = run("def f():\n    raise ValueError('no')\nf()").await;
    assert_eq!(
        done.stderr,
        "Traceback (most recent call last):\n  File \"/proc/self/cwd/main.py\", line 3, in <module>\n    f()\n  \
         File \"/proc/self/cwd/main.py\", line 2, in f\n    raise ValueError('no')\nValueError: no\n"
    );
}

#[tokio::test]
async fn files_come_with_the_program_and_go_with_the_answer() {
    let python = stack::python();
    let file =
        |path: &str, content: &str| (InnerPath::parse(path).unwrap(), content.as_bytes().to_vec());
    let code = "import helper, os\nnumbers = open('in/numbers').read().split()\nos.mkdir('out')\n\
        open('out/sum', 'w').write(str(helper.total(numbers)))\nopen('in/numbers', 'a').write(' 4')";
    let program = Program {
        code: code.into(),
        files: vec![
            file("in/numbers", "1 2 3"),
            file(
                "helper.py",
                "def total(numbers): return sum(map(int, numbers))",
            ),
        ],
    };
    let limits = limits(&python, WantedLimits::default());
    let done = python.execute(program, limits).await.unwrap();
    let files = done.files.files.iter();
    let files: Vec<_> = files
        .map(|file| (file.path.as_str(), file.content.as_slice()))
        .collect();
    assert_eq!(
        files,
        [("in/numbers", &b"1 2 3 4"[..]), ("out/sum", b"6")],
        "{done:?}"
    );
}

#[tokio::test]
async fn nothing_of_a_program_stays_on_disk() {
    let code = "import os\nfor _ in range(200): os.mkdir('d'); os.chdir('d')\nos.chmod('.', 0); print(os.environ['HOME'])";
    let done = run(code).await;
    let directory = PathBuf::from(done.stdout.trim());
    assert!(directory.is_absolute() && !directory.exists(), "{done:?}");
}

#[tokio::test]
async fn a_python_that_is_not_there_is_told_and_not_taken_for_a_result() {
    let launcher = PathBuf::from(env!("CARGO_BIN_EXE_agent-stack"));
    for (launcher, python, reason) in [
        (
            "/nonexistent/agent-stack".into(),
            "python3",
            "`/nonexistent/agent-stack` cannot be started",
        ),
        (
            launcher,
            "/nonexistent/python3",
            "`/nonexistent/python3` cannot be run: No such file or directory",
        ),
    ] {
        let python = Python::new(Settings::new(launcher, PathBuf::from(python)));
        let limits = limits(&python, WantedLimits::default());
        let error = python
            .execute(Program::new("print(1)"), limits)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Becomes a daemon: forks twice, leaves the session where it may, and stays.
const DAEMON: &str = "
import os, time
reader, writer = os.pipe()
if os.fork() == 0:
    try: os.setsid()
    except PermissionError: pass
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(writer, b'.')
        time.sleep(600)
    os._exit(0)
os.read(reader, 1)
";

#[tokio::test]
async fn a_daemon_ends_with_its_own_run_while_another_goes_on() {
    let python = stack::python();
    let limits = limits(&python, WantedLimits::default());
    let mut other = Box::pin(python.execute(Program::new("import time; time.sleep(600)"), limits));
    let first = tokio::select! {
        first = python.execute(Program::new(DAEMON), limits) => first.unwrap(),
        other = &mut other => panic!("{other:?}"),
    };
    assert!(first.stdout.trim().parse::<u32>().is_ok(), "{first:?}");
    assert!(
        !is_running(&first.stdout),
        "the daemon outlives its program"
    );
    assert_eq!(first.usage.left_over, 1);
}

#[tokio::test]
async fn without_seccomp_what_left_the_session_is_ended_by_its_ancestry() {
    let directory = tempfile::tempdir().unwrap();
    let python = Python::new(unconfined(
        directory.path(),
        "exec /usr/bin/python3 main.py",
    ));
    let limits = limits(&python, WantedLimits::default());
    let done = python.execute(Program::new(DAEMON), limits).await.unwrap();
    assert!(done.stdout.trim().parse::<u32>().is_ok(), "{done:?}");
    assert!(!is_running(&done.stdout), "the daemon outlives its program");
    assert_eq!(done.confinement.seccomp, interpreter::Layer::Unsupported);
}

#[tokio::test]
async fn a_supervisor_that_is_killed_takes_its_program_with_it() {
    let server = Server::start(&[]).await;
    let call = server.send(json!({"code": "import time; time.sleep(600)", "timeoutSeconds": 60}));
    let (answer, program) = tokio::join!(call, async {
        let program = server.program().await;
        server.kill_supervisor();
        program
    });
    let (status, answer) = answer;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (500, &json!("internal")),
        "{answer}"
    );
    assert!(!is_running(&program), "the program outlives its supervisor");
    server.still_serves().await;
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_is_ended() {
    let server = Server::start(&[]).await;
    let program = {
        let call =
            server.send(json!({"code": "import time; time.sleep(600)", "timeoutSeconds": 60}));
        tokio::select! {
            answer = call => panic!("{answer:?}"),
            program = server.program() => program,
        }
    };
    server.becomes_childless().await;
    assert!(!is_running(&program));
    server.still_serves().await;
}

#[tokio::test]
async fn the_answer_carries_the_span_of_the_run() {
    let shutdown = CancellationToken::new();
    let router = interpreter::router(stack::python(), resource("interpreter", |_| None));
    let address = stack::start(router, &shutdown).await;
    let client = agent_stack::http_client::client(LONG).unwrap();
    let sent = client
        .post(format!("http://{address}/v1/execute"))
        .header(
            "traceparent",
            format!("00-{}-{}-01", stack::TRACE, stack::ROOT),
        )
        .json(&json!({"code": "print(6 * 7)"}));
    let answer: Value = sent.send().await.unwrap().json().await.unwrap();
    let members = [
        "stdout",
        "stderr",
        "exitCode",
        "timedOut",
        "truncated",
        "endedBy",
    ];
    let told = members.map(|member| answer[member].clone());
    assert_eq!(
        told,
        [
            json!("42\n"),
            json!(""),
            json!(0),
            json!(false),
            json!(false),
            json!("exited")
        ]
    );
    let export = Capture::decode(answer["spans"].as_str().unwrap()).unwrap();
    let span = &export.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(
        (
            span.name.as_str(),
            hex::encode(&span.parent_span_id).as_str()
        ),
        ("run_code python", stack::ROOT)
    );
    assert!(
        span.attributes
            .iter()
            .any(|attribute| attribute.key == "interpreter.wall_ms")
    );
    shutdown.cancel();
}
