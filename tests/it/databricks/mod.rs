//! Lakes in Unity Catalog and queries on SQL warehouses, against a local server with these APIs.
//! Requests and responses are validated against the API's own description, credentials expire, and
//! the storage refuses expired ones.

mod doctor;
mod errors;
mod inbox;
mod lakes;
mod openapi;
mod privileges;
mod query;
mod renewal;
mod s3;
mod server;
mod statements;
mod storage;
mod workspace;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use lakeplan::databricks::Workspace;
use lakeplan::domain::secret::Credentials;
use lakeplan::net::Network;
use serde_json::Value;
use server::Server;

use crate::support::clock;

/// Part of every token, key and signature; no output may contain it.
pub const CANARY: &str = "canary";
pub const TOKEN: &str = "dapi-canary-token";
pub const BUCKET_LAKE: &str = "s3://team/plans/lake";

/// Opens the server's workspace with the library.
pub fn workspace_of(server: &Server, credentials: Credentials) -> Workspace {
    Workspace::open(server.url(), credentials, &Network::default(), clock()).unwrap()
}

/// The binary, configured only with the server.
pub fn command(server: &Server, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakeplan"));
    command.args(args).current_dir(folder).env_clear().stdin(Stdio::null());
    command
        .env("USER", "tester")
        .env("DATABRICKS_HOST", server.url())
        .env("DATABRICKS_TOKEN", TOKEN);
    command
        .env("AWS_ENDPOINT_URL", server.url())
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "eu-central-1");
    command
}

pub fn run(server: &Server, folder: &Path, args: &[&str]) -> Output {
    guarded(&mut command(server, folder, args))
}

/// Runs a command whose output must not contain a secret.
pub fn guarded(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    for printed in [&output.stdout, &output.stderr] {
        let printed = String::from_utf8_lossy(printed);
        assert!(!printed.contains(CANARY), "a secret was printed: {printed}");
    }
    output
}

/// Runs a command that must succeed.
pub fn ok(server: &Server, folder: &Path, args: &[&str]) -> String {
    let output = run(server, folder, args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn json_of(server: &Server, folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&ok(server, folder, &[args, &["--json"]].concat())).unwrap()
}

/// Runs a command that must fail with this exit code, and returns its standard error.
pub fn fails(server: &Server, folder: &Path, args: &[&str], code: i32) -> String {
    rendered(run(server, folder, args), code)
}

pub fn rendered(output: Output, code: i32) -> String {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "it wrote to standard output: {}", text(&output.stdout));
    text(&output.stderr)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Starts a server with the schema `main.plan`, an external location and a lake in it.
pub fn with_lake() -> (Server, tempfile::TempDir) {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    ok(
        &server,
        folder.path(),
        &["init", "main.plan", "--location", BUCKET_LAKE, "--warehouse", "w1"],
    );
    (server, folder)
}
