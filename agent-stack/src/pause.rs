//! The first process of a pod sandbox: it holds the sandbox's namespaces and reaps what is orphaned in them.

use rustix::process::{WaitOptions, wait};
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGTERM or SIGINT and reaps every orphan until then.
///
/// # Errors
/// When the runtime or a signal handler cannot be set up.
pub fn run() -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(pause())
}

async fn pause() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut child = signal(SignalKind::child())?;
    while !stops(&mut terminate, &mut interrupt, &mut child).await {
        reap();
    }
    Ok(())
}

/// Whether the next signal ends the pause.
async fn stops(terminate: &mut Signal, interrupt: &mut Signal, child: &mut Signal) -> bool {
    tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => true,
        _ = child.recv() => false,
    }
}

fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
