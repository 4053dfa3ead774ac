//! Logging to standard error. `LAKEPLAN_LOG` sets the filter, in the syntax of tracing-subscriber's
//! `EnvFilter`.

use std::fmt;
use std::io::IsTerminal;

use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::text::masked::masked_line;
use crate::text::visible::visible_line;

/// Default filter.
const USUAL: &str = "warn,delta_kernel=error,buoyant_kernel=error";

/// Starts logging. Values of events come from the lake, from storage and from arguments, so each is
/// written as one line, without terminal control characters and without credentials that a client
/// may log with an address. Colors are written only to a terminal.
pub fn begin(filter: Option<String>) {
    let field = |writer: &mut Writer<'_>, field: &tracing::field::Field, value: &dyn fmt::Debug| {
        let value = format!("{value:?}");
        let value = masked_line(&value);
        let value = visible_line(&value);
        match field.name() {
            "message" => write!(writer, "{value}"),
            name => write!(writer, "{name}={value}"),
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| USUAL.to_owned()))
        .fmt_fields(debug_fn(field).delimited(" "))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}
