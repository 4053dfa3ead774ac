//! Maps failures of a connection to errors: not sent, or of uncertain outcome.

use std::error::Error;
use std::io;

use super::error::{Lost, NetError, Unsent};
use super::resolver::{OutOfReach, Unresolved};

/// Maps an error from before the status of the response.
pub fn before_answer(host: &str, err: reqwest::Error) -> NetError {
    // The URL may contain a secret.
    let (host, err) = (host.to_owned(), err.without_url());
    if let Some(OutOfReach(why)) = cause(&err) {
        return NetError::Blocked { host, why };
    }
    if err.is_builder() {
        return NetError::BadRequest { host, part: "the URL".to_owned() };
    }
    if !err.is_connect() {
        let why = if err.is_timeout() { Lost::Timeout } else { Lost::Closed };
        return NetError::Uncertain { host, why, source: err };
    }
    NetError::NotSent { host, why: unsent(&err), source: err }
}

/// Maps an error from within the body of the response.
pub fn within_body(host: &str, err: reqwest::Error) -> NetError {
    let (host, err) = (host.to_owned(), err.without_url());
    let why = if err.is_timeout() { Lost::Timeout } else { Lost::Body };
    NetError::Uncertain { host, why, source: err }
}

fn unsent(err: &reqwest::Error) -> Unsent {
    if cause::<Unresolved>(err).is_some() {
        return Unsent::Name;
    }
    if err.is_timeout() {
        return Unsent::Timeout;
    }
    let mut io_error = cause::<io::Error>(err);
    // The source of an error within another one is the source of the inner one, which skips it.
    while let Some(inner) = io_error.and_then(|err| err.get_ref()?.downcast_ref()) {
        io_error = Some(inner);
    }
    match io_error.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Unsent::Refused,
        Some(io::ErrorKind::TimedOut) => Unsent::Timeout,
        // rustls reports a bad certificate or a peer that does not speak TLS like this.
        Some(io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => Unsent::Tls,
        _ => Unsent::Connection,
    }
}

/// Returns the first cause of a type.
fn cause<'a, E: Error + 'static>(err: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(err);
    while let Some(err) = next {
        if let Some(found) = err.downcast_ref() {
            return Some(found);
        }
        next = err.source();
    }
    None
}
