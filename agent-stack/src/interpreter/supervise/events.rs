//! What happens to a run while nobody looks: its end, and word from the server.

use crate::interpreter::report::{EndedBy, FLOODED};
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitOptions, WaitStatus, wait, waitid};
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// The program has ended, and keeps its number until [`Events::reap`].
    Ended,
    /// The server wants the run to end.
    Told(EndedBy),
    /// The last process of the run has been reaped; the status is the program's.
    Childless(Option<WaitStatus>),
}

/// Waits for what happens, in threads of its own.
pub(super) struct Events {
    happened: Receiver<Event>,
    reap: Sender<()>,
}

impl Events {
    /// Starts waiting for the end of `program` and for word over `server`.
    pub(super) fn start(program: Pid, server: UnixStream) -> Self {
        let (happens, happened) = channel();
        let (reap, may_reap) = channel();
        let tells = happens.clone();
        thread::spawn(move || listen(&server, &tells));
        thread::spawn(move || wait_for(program, &happens, &may_reap));
        Self { happened, reap }
    }

    /// The next event, or `None` when none comes in time.
    pub(super) fn next(&self, limit: Duration) -> Option<Event> {
        match self.happened.recv_timeout(limit) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::Childless(None)),
        }
    }

    /// Lets the ended program and everything after it be reaped.
    pub(super) fn reap(&self) {
        // The other end only goes when there is nothing left to reap.
        let _ = self.reap.send(());
    }
}

/// The end of the connection means that the server, or its interest in this run, is gone.
fn listen(mut server: &UnixStream, tells: &Sender<Event>) {
    let mut word = [0];
    let read = server.read(&mut word);
    let told = match read {
        Ok(1) if word == [FLOODED] => EndedBy::Output,
        _ => EndedBy::Cancelled,
    };
    // Nobody listens once the run is over.
    let _ = tells.send(Event::Told(told));
}

fn wait_for(program: Pid, happens: &Sender<Event>, may_reap: &Receiver<()>) {
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    // A failure means that there is no such child; then reaping will find that out.
    while matches!(
        waitid(WaitId::Pid(program), ended),
        Err(rustix::io::Errno::INTR)
    ) {}
    let _ = happens.send(Event::Ended);
    let _ = may_reap.recv();
    let _ = happens.send(Event::Childless(reap_all(program)));
}

fn reap_all(program: Pid) -> Option<WaitStatus> {
    let mut status = None;
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, ended))) if pid == program => status = Some(ended),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return status,
        }
    }
}
