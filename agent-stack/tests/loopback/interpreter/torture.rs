//! Programs that do their worst. After each of them the interpreter serves the next call, and nothing of them is left.

use super::server::Server;
use super::{DAEMON, limits, unconfined};
use agent_stack::interpreter::{EndedBy, Program, Python, Settings, WantedLimits};
use serde_json::{Value, json};

/// Runs a program on a server of its own, which then must still serve.
async fn survives(code: &str, limits: Value) -> Value {
    let server = Server::start(&[]).await;
    let answer = server.run(json!({"code": code, "limits": limits})).await;
    server.still_serves().await;
    answer
}

#[tokio::test]
async fn a_fork_bomb_is_ended_by_its_number() {
    let answer = survives("import os\nwhile True: os.fork()", json!({})).await;
    assert_eq!(answer["endedBy"], "processes", "{answer}");
}

#[tokio::test]
async fn a_thread_bomb_is_ended_by_its_number() {
    let code = "import threading, time\nthreading.stack_size(65536)\n\
        while True: threading.Thread(target=time.sleep, args=[600]).start()";
    let answer = survives(code, json!({})).await;
    assert_eq!(answer["endedBy"], "processes", "{answer}");
}

#[tokio::test]
async fn a_fork_bomb_whose_children_leave_their_session_is_ended_without_seccomp_too() {
    let directory = tempfile::tempdir().unwrap();
    let settings = unconfined(directory.path(), "exec /usr/bin/python3 main.py");
    let python = Python::new(settings);
    let wanted = WantedLimits {
        processes: Some(20),
        ..WantedLimits::default()
    };
    let limits = limits(&python, wanted);
    // Slow enough to be harmless should the interpreter fail, and gone by itself after a minute.
    let code = "import os, time\nend = time.time() + 60\nwhile time.time() < end:\n    if os.fork() == 0: os.setsid()\n    time.sleep(.1)";
    let done = python.execute(Program::new(code), limits).await.unwrap();
    assert_eq!(done.ended_by, EndedBy::Processes, "{done:?}");
    assert!(done.usage.left_over >= 20, "{done:?}");
}

#[tokio::test]
async fn endless_output_is_ended_by_its_amount() {
    let answer = survives(
        "while True: print('x' * 10_000)",
        json!({"wallSeconds": 60}),
    )
    .await;
    assert_eq!(
        (&answer["endedBy"], &answer["truncated"]),
        (&json!("output"), &json!(true))
    );
    assert_eq!(answer["stdout"].as_str().unwrap().len(), 64 << 10);
}

#[tokio::test]
async fn ten_gibibytes_at_once_are_refused() {
    let answer = survives("x = b'x' * (10 << 30)", json!({})).await;
    assert_eq!(
        (&answer["exitCode"], &answer["endedBy"]),
        (&json!(1), &json!("exited"))
    );
}

#[tokio::test]
async fn memory_taken_by_many_processes_counts_together() {
    let code = "import os, time\nfor _ in range(8):\n    if os.fork() == 0: x = b'x' * (40 << 20); time.sleep(600)\ntime.sleep(600)";
    let answer = survives(code, json!({"memoryBytes": 100 << 20, "wallSeconds": 60})).await;
    assert_eq!(answer["endedBy"], "memory", "{answer}");
}

/// A process whose name is no text was once left out of every count, and with it all that it started.
#[tokio::test]
async fn a_name_that_is_no_utf_8_hides_nobody() {
    let code = "import ctypes, os, time\nPR_SET_NAME = 15\nctypes.CDLL(None).prctl(PR_SET_NAME, b'\\xff\\xfe', 0, 0, 0)\n\
        for _ in range(30):\n    if os.fork() == 0: time.sleep(20)\ntime.sleep(20)";
    let answer = survives(code, json!({"processes": 10, "wallSeconds": 5})).await;
    assert_eq!(answer["endedBy"], "processes", "{answer}");
}

#[tokio::test]
async fn an_endless_loop_that_ignores_every_signal_is_ended() {
    let code = "import signal\nfor s in set(range(1, 32)) - {9, 19}: signal.signal(s, signal.SIG_IGN)\nwhile True: pass";
    let answer = survives(code, json!({"wallSeconds": 1})).await;
    assert_eq!(
        (&answer["endedBy"], &answer["timedOut"]),
        (&json!("wall_clock"), &json!(true))
    );
}

#[tokio::test]
async fn a_program_that_stops_itself_is_ended() {
    let answer = survives(
        "import os, signal\nos.kill(0, signal.SIGSTOP)",
        json!({"wallSeconds": 1}),
    )
    .await;
    assert_eq!(answer["endedBy"], "wall_clock", "{answer}");
}

#[tokio::test]
async fn children_that_are_killed_and_never_waited_for_do_no_harm() {
    let code = "import os, signal, time\nfor _ in range(30):\n    child = os.fork()\n    if child == 0: time.sleep(600)\n    \
        os.kill(child, signal.SIGKILL)\nprint('done')";
    let answer = survives(code, json!({})).await;
    assert_eq!(
        (&answer["stdout"], &answer["exitCode"]),
        (&json!("done\n"), &json!(0)),
        "{answer}"
    );
}

#[tokio::test]
async fn orphans_that_end_are_reaped_while_the_program_runs() {
    let code = "import os\nfor _ in range(300):\n    if os.fork() == 0:\n        os.fork()\n        os._exit(0)\n    os.wait()\nprint('done')";
    let answer = survives(code, json!({"wallSeconds": 60})).await;
    assert_eq!(answer["stdout"], "done\n", "{answer}");
}

#[tokio::test]
async fn a_daemon_is_ended() {
    let answer = survives(DAEMON, json!({})).await;
    assert_eq!(
        (&answer["exitCode"], &answer["usage"]["leftOver"]),
        (&json!(0), &json!(1)),
        "{answer}"
    );
}

#[tokio::test]
async fn a_program_that_fills_the_disk_is_ended() {
    let code = "for n in range(10_000): open(str(n), 'wb').write(b'x' * (1 << 20))";
    let answer = survives(code, json!({"wallSeconds": 60})).await;
    assert_eq!(answer["endedBy"], "disk", "{answer}");
}

/// Without Landlock a program writes wherever its user may: what the interpreter wipes later must not fill up before.
#[tokio::test]
async fn a_program_that_fills_the_disk_beside_its_workspace_is_ended_without_landlock_too() {
    let directory = tempfile::tempdir().unwrap();
    let shared = directory.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    let settings = Settings {
        workspaces: shared.join("runs"),
        wiped: vec![shared.clone()],
        ..unconfined(directory.path(), "exec /usr/bin/python3 main.py")
    };
    let python = Python::new(settings);
    let wanted = WantedLimits {
        disk_bytes: Some(4 << 20),
        wall_seconds: Some(10),
        ..WantedLimits::default()
    };
    let code = format!(
        "import time\nfor n in range(20): open(f'{}/{{n}}', 'wb').write(b'x' * (1 << 20))\ntime.sleep(600)",
        shared.display()
    );
    let done = python
        .execute(Program::new(code), limits(&python, wanted))
        .await
        .unwrap();
    assert_eq!(done.ended_by, EndedBy::Disk, "{done:?}");
    assert!(!shared.join("0").exists());
}

/// What its user may not look into, its files among it, could not be counted any more.
#[tokio::test]
async fn a_program_cannot_hide_its_open_files() {
    let code = "import ctypes\nPR_SET_DUMPABLE = 4\nlibc = ctypes.CDLL(None, use_errno=True)\n\
        print(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), ctypes.get_errno())";
    let answer = survives(code, json!({})).await;
    assert_eq!(answer["stdout"], "-1 1\n", "{answer}");
}

#[tokio::test]
async fn a_program_that_fills_the_disk_with_deleted_files_is_ended() {
    let code = "import os, time\nkept = []\nfor n in range(100):\n    f = open('f', 'wb', buffering=0)\n    f.write(b'x' * (1 << 20))\n    \
        os.unlink('f')\n    kept.append(f)\ntime.sleep(600)";
    let answer = survives(code, json!({"wallSeconds": 60})).await;
    assert_eq!(answer["endedBy"], "disk", "{answer}");
}

#[tokio::test]
async fn a_program_may_delete_everything_it_stands_on_and_close_its_outputs() {
    let code = "import os\nprint('last words', flush=True)\nos.close(1); os.close(2)\nos.unlink('main.py')\n\
        try: os.rmdir(os.getcwd())\nexcept OSError: pass";
    let answer = survives(code, json!({})).await;
    assert_eq!(
        (&answer["stdout"], &answer["exitCode"]),
        (&json!("last words\n"), &json!(0)),
        "{answer}"
    );
}

#[tokio::test]
async fn a_program_that_breaks_its_own_pipes_does_no_harm() {
    let code = "import os\nfor fd in range(3, 64):\n    try: os.close(fd)\n    except OSError: pass\nos.kill(os.getpid(), 11)";
    let answer = survives(code, json!({})).await;
    assert_eq!(
        (&answer["endedBy"], &answer["exitCode"]),
        (&json!("signalled"), &json!(139)),
        "{answer}"
    );
}

/// Signal 0 where a failure would hurt others; real signals only to the interpreter that this test started.
#[tokio::test]
async fn nobody_above_the_program_can_be_signalled_or_slowed() {
    let server = Server::start(&[]).await;
    let id = server.id();
    let code = format!(
        "import os, resource, signal\nserver, supervisor = {id}, os.getppid()\nrefused = 0\n\
        def attempt(call, *arguments):\n    global refused\n    try: call(*arguments)\n    except PermissionError: refused += 1\n\
        for target in (server, supervisor):\n    for s in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL): attempt(os.kill, target, s)\n\
        for target in (1, -1): attempt(os.kill, target, 0)\n\
        attempt(resource.prlimit, server, resource.RLIMIT_NOFILE, (0, 0))\n\
        attempt(os.setpriority, os.PRIO_PROCESS, server, 19)\n\
        attempt(os.sched_setaffinity, server, [0])\n\
        attempt(os.setsid)\nattempt(os.setpgid, 0, 0)\nprint(refused)"
    );
    let answer = server.run(json!({"code": code})).await;
    let confined = &answer["confinement"]["seccomp"];
    assert_eq!(
        (confined, &answer["stdout"]),
        (&json!("enforced"), &json!("13\n")),
        "{answer}"
    );
    server.still_serves().await;
}
