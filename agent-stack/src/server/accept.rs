//! Accepts connections, through everything that passes by itself.

use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Pause after the process ran out of what a connection needs, for example file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// The next connection.
///
/// # Errors
/// When the listener is broken.
pub(crate) async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Ok(stream),
            Err(error) if is_of_one_client(&error) => {}
            Err(error) if is_passing(&error) => {
                tracing::warn!(error = %error, "no connection can be accepted, trying again");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A client that was gone again before it was accepted.
fn is_of_one_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::ConnectionRefused
            | Kind::Interrupted
    )
}

/// The process has too little of something that others will give back.
fn is_passing(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let passing = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::PERM,
    ];
    Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno))
}
