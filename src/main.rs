//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    lakeplan::cli::main()
}
