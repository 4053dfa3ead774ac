//! Opening what a person named as a file, which may be a pipe.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

/// How long a named pipe may be without anybody at its other end. Whoever starts both ends does so at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a file. A named pipe is waited for only so long as somebody may still be about to open its other end.
pub fn open(options: &OpenOptions, path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path).is_ok_and(|found| is_pipe(&found)) {
        return options.open(path);
    }
    let (opened, open) = mpsc::channel();
    let (options, path) = (options.clone(), path.to_owned());
    // Nothing can interrupt it; it ends with the process.
    std::thread::spawn(move || opened.send(options.open(path)));
    let nobody = |_| {
        Err(io::Error::new(ErrorKind::TimedOut, "it is a pipe, and nobody is at its other end"))
    };
    open.recv_timeout(PATIENCE).unwrap_or_else(nobody)
}

#[cfg(unix)]
fn is_pipe(found: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type())
}

#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}
