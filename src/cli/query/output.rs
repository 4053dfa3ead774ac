//! Streams a result in pieces. The time limit takes effect between pieces and while one is encoded.

use std::io::{self, Write};

use crate::analytics::{Answer, Encoder, Format, Json, pieces, run_blocking};
use crate::cli::{CliError, Reply};
use crate::service::ServiceError;

/// Writes a result to standard output. The reader may close the pipe before its end.
pub async fn write(
    mut answer: Answer,
    format: Format,
    is_pretty: bool,
    is_for_spreadsheets: bool,
) -> Result<Reply, CliError> {
    let layout = if is_pretty { Json::Pretty } else { Json::Compact };
    let mut encoder = if is_for_spreadsheets {
        Encoder::csv_for_spreadsheets(answer.schema.clone())
    } else {
        Encoder::new(format, answer.schema.clone(), layout).map_err(ServiceError::from)?
    };
    while let Some(batch) = answer.next().await.map_err(ServiceError::from)? {
        for piece in pieces(batch) {
            let (held, bytes) =
                run_blocking(move || encoder.batch(&piece).map(|bytes| (encoder, bytes)))
                    .await
                    .map_err(ServiceError::from)?;
            encoder = held;
            if !put(bytes).await? {
                return Ok(Reply::written());
            }
        }
    }
    let bytes = run_blocking(move || encoder.finish()).await.map_err(ServiceError::from)?;
    put(bytes).await?;
    Ok(Reply::written())
}

/// Writes bytes and returns whether the reader is still there. Uses a separate thread, so that a
/// slow reader does not keep the command from ending.
async fn put(bytes: Vec<u8>) -> Result<bool, CliError> {
    let written = tokio::task::spawn_blocking(move || {
        let mut out = io::stdout().lock();
        out.write_all(&bytes).and_then(|()| out.flush())
    });
    match written.await.map_err(io::Error::from)? {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        done => done.map(|()| true).map_err(CliError::Output),
    }
}
