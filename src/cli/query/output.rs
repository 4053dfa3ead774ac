//! An answer that is written as it comes.

use std::io::{self, Write};

use crate::analytics::{Answer, Encoder, Format, Json};
use crate::cli::{CliError, Reply};
use crate::service::ServiceError;

/// Writes an answer to standard output. Who reads it may have seen enough before its end.
pub async fn write(mut answer: Answer, format: Format, is_pretty: bool, is_for_spreadsheets: bool) -> Result<Reply, CliError> {
    let layout = if is_pretty { Json::Pretty } else { Json::Compact };
    let mut encoder = if is_for_spreadsheets {
        Encoder::csv_for_spreadsheets(answer.schema.clone())
    } else {
        Encoder::new(format, answer.schema.clone(), layout).map_err(ServiceError::from)?
    };
    loop {
        let next = answer.next().await.map_err(ServiceError::from)?;
        let bytes = match &next {
            Some(batch) => encoder.batch(batch),
            None => encoder.finish(),
        };
        let is_seen = put(bytes.map_err(ServiceError::from)?).await?;
        if next.is_none() || !is_seen {
            return Ok(Reply::written());
        }
    }
}

/// Whether somebody still reads. A thread of its own writes: who reads slowly keeps no one from ending the command.
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
