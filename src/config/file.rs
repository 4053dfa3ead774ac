//! Opens files named by the user, which may be pipes.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// Time to wait for the other end of a named pipe. A script that starts both ends does so at once.
const PIPE_OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a file. Waits for a named pipe only as long as its other end may still be opened.
pub fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path).is_ok_and(|found| is_pipe(&found)) {
        return options.open(path);
    }
    let (opened, open) = mpsc::channel();
    let (options, path) = (options.clone(), path.to_owned());
    // Nothing can interrupt the call; the thread ends with the process.
    std::thread::spawn(move || opened.send(options.open(path)));
    let nobody =
        |_| Err(io::Error::new(ErrorKind::TimedOut, "it is a pipe with nothing at its other end"));
    open.recv_timeout(PIPE_OPEN_TIMEOUT).unwrap_or_else(nobody)
}

#[cfg(unix)]
fn is_pipe(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}
