//! What Landlock and seccomp keep from a program, and what the interpreter says where they are missing.

use super::server::Server;
use super::{limits, run, unconfined};
use agent_stack::interpreter::{ExecuteError, Layer, Program, Python, WantedLimits};
use serde_json::{Value, json};
use std::io::Read as _;

/// Tries things and prints which were refused.
async fn refused(attempts: &str) -> (Layer, Layer, String) {
    let code = format!(
        "import os, socket\ndef attempt(name, call):\n    try: call()\n    except PermissionError: print(name)\n{attempts}"
    );
    let done = run(&code).await;
    assert_eq!(done.exit_code, 0, "{}", done.stderr);
    (
        done.confinement.landlock,
        done.confinement.seccomp,
        done.stdout,
    )
}

#[tokio::test]
async fn a_program_reads_its_runtime_and_writes_its_workspace_only() {
    let (landlock, _, refused) = refused(
        "attempt('passwd', lambda: open('/etc/passwd'))\n\
         attempt('root', lambda: os.listdir('/'))\n\
         attempt('tmp', lambda: open('/tmp/of-a-program', 'w'))\n\
         attempt('shm', lambda: open('/dev/shm/of-a-program', 'w'))\n\
         attempt('above', lambda: os.listdir('..'))\n\
         attempt('link', lambda: (os.symlink('/etc/passwd', 'link'), open('link')))\n\
         attempt('execute', lambda: os.execv('/bin/true', ['true']))\n\
         attempt('memory', lambda: open(f'/proc/{os.getppid()}/mem', 'rb'))\n\
         attempt('own', lambda: open('own', 'w').write('x'))\n\
         attempt('runtime', lambda: open(os.__file__).read())\n\
         attempt('devices', lambda: open('/dev/urandom', 'rb').read(1) + open('/dev/null', 'wb').write(b'x').to_bytes())\n\
         attempt('self', lambda: open('/proc/self/status').read())",
    )
    .await;
    let expected = match landlock {
        Layer::Unsupported => String::new(),
        _ => "passwd\nroot\ntmp\nshm\nabove\nlink\nexecute\nmemory\n".into(),
    };
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn system_calls_that_no_program_needs_are_refused() {
    let (_, seccomp, refused) = refused(
        "import ctypes\n\
         c = ctypes.CDLL(None, use_errno=True)\n\
         def call(name, *arguments):\n    if getattr(c, name)(*arguments) == -1 and ctypes.get_errno() == 1: raise PermissionError\n\
         attempt('memfd', lambda: os.memfd_create('x'))\n\
         attempt('unshare', lambda: call('unshare', 0))\n\
         attempt('ptrace', lambda: call('ptrace', 0, 0, 0, 0))\n\
         attempt('shm', lambda: call('shmget', 0, 4096, 0o1600))\n\
         attempt('x32', lambda: call('syscall', 0x40000000 + 319, b'x', 0))\n\
         attempt('namespace', lambda: call('syscall', 56, 0x10000000 | 17, 0, 0, 0, 0))",
    )
    .await;
    assert_eq!(seccomp, Layer::Enforced);
    let native = if cfg!(target_arch = "x86_64") {
        "x32\nnamespace\n"
    } else {
        ""
    };
    assert!(
        refused.starts_with("memfd\nunshare\nptrace\nshm\n"),
        "{refused}"
    );
    assert!(refused.ends_with(native), "{refused}");
}

#[tokio::test]
async fn the_network_is_left_to_the_network_policy() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let mut word = String::new();
        listener
            .accept()
            .unwrap()
            .0
            .read_to_string(&mut word)
            .unwrap();
        word
    });
    let code = format!(
        "import socket\nwith socket.create_connection(('localhost', {port})) as s: s.sendall(b'hello')\n\
         u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nprint(u.sendto(b'x', ('127.0.0.1', {port})))"
    );
    let done = run(&code).await;
    assert_eq!(done.stdout, "1\n", "{}", done.stderr);
    assert_eq!(heard.join().unwrap(), "hello");
}

#[tokio::test]
async fn ordinary_programs_need_nothing_of_what_is_refused() {
    let code = "import asyncio, concurrent.futures, multiprocessing, os, subprocess, sys, tempfile, threading\n\
        with tempfile.TemporaryDirectory() as d: open(d + '/x', 'w').write('x')\n\
        print(subprocess.run([sys.executable, '-S', '-c', 'print(6 * 7)'], capture_output=True, text=True).stdout.strip())\n\
        p = multiprocessing.get_context('fork').Process(target=print, args=['child'], kwargs={'flush': True}); p.start(); p.join()\n\
        async def main(): return await asyncio.to_thread(lambda: 'thread')\nprint(asyncio.run(main()))\n\
        child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']); child.terminate(); print(child.wait())\n\
        print(os.cpu_count() > 0, os.path.expanduser('~') == os.getcwd())";
    let done = run(code).await;
    assert_eq!(
        done.stdout, "42\nchild\nthread\n-15\nTrue True\n",
        "{}",
        done.stderr
    );
}

#[tokio::test]
async fn the_server_says_what_holds_programs_and_what_does_not() {
    let server = Server::start(&["--max-memory", "134217728", "--concurrency", "3"]).await;
    let answer = server.get("/v1/confinement").await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["confinement"]["noNewPrivs"], true);
    assert_eq!(
        (
            &answer["largestLimits"]["memoryBytes"],
            &answer["concurrency"]
        ),
        (&json!(128 << 20), &json!(3))
    );
    let told = run("pass").await.confinement;
    assert_eq!(answer["confinement"], serde_json::to_value(told).unwrap());
    assert!(answer["caveats"].as_array().unwrap().len() >= 3, "{answer}");
}

#[tokio::test]
async fn where_confinement_is_required_nothing_runs_without_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = unconfined(directory.path(), "exit 1");
    let refusal = json!({"refused": {"unconfined": {"landlock": "unsupported", "landlockAbi": 0,
        "seccomp": "unsupported", "noNewPrivs": true}}});
    let script = std::fs::read_to_string(&settings.launcher).unwrap();
    let script = script.lines().take(2).collect::<Vec<_>>().join("\n");
    std::fs::write(
        &settings.launcher,
        format!("{script}\necho '{refusal}' >&0\n"),
    )
    .unwrap();
    settings.require_confinement = true;
    let python = Python::new(settings);
    let limits = limits(&python, WantedLimits::default());
    let error = python
        .execute(Program::new("print(1)"), limits)
        .await
        .unwrap_err();
    assert!(matches!(error, ExecuteError::Unconfined { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "this kernel does not confine programs as required: Landlock is unsupported, seccomp unsupported"
    );
}

/// Here everything is confined, so a requirement changes nothing; a kernel that lacks a layer must refuse to start.
#[tokio::test]
async fn a_requirement_that_holds_changes_nothing() {
    let confined = run("pass").await.confinement;
    if confined.is_complete() {
        Server::start(&["--require-confinement"])
            .await
            .still_serves()
            .await;
    } else {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_agent-stack"));
        command.args([
            "interpreter",
            "--port",
            "0",
            "--python",
            "/usr/bin/python3",
            "--require-confinement",
        ]);
        assert!(!command.status().await.unwrap().success());
    }
}
