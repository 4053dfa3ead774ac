//! Lakes in Unity Catalog and queries on SQL warehouses, against a local server that speaks the APIs: its requests and
//! answers are held against the API's own description, its credentials end, and its storage refuses ended ones.

mod doctor;
mod inbox;
mod lakes;
mod openapi;
mod query;
mod refusals;
mod renewal;
mod rights;
mod s3;
mod server;
mod statements;
mod storage;
mod world;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use server::Server;

/// What may be in no output: tokens, keys, signatures.
pub const CANARY: &str = "canary";
pub const TOKEN: &str = "dapi-canary-token";
pub const BUCKET_LAKE: &str = "s3://team/plans/lake";

/// The binary, configured with the server and nothing else.
pub fn command(server: &Server, folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakeplan"));
    command.args(words).current_dir(folder).env_clear().stdin(Stdio::null());
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

pub fn run(server: &Server, folder: &Path, words: &[&str]) -> Output {
    guarded(&mut command(server, folder, words))
}

/// Runs a command whose output may hold no secret.
pub fn guarded(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    for printed in [&output.stdout, &output.stderr] {
        let printed = String::from_utf8_lossy(printed);
        assert!(!printed.contains(CANARY), "a secret was printed: {printed}");
    }
    output
}

/// Runs a command that must succeed.
pub fn ok(server: &Server, folder: &Path, words: &[&str]) -> String {
    let output = run(server, folder, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

pub fn json_of(server: &Server, folder: &Path, words: &[&str]) -> Value {
    serde_json::from_str(&ok(server, folder, &[words, &["--json"]].concat())).unwrap()
}

/// Runs a command that must fail with a code; gives what it said.
pub fn fails(server: &Server, folder: &Path, words: &[&str], code: i32) -> String {
    rendered(run(server, folder, words), code)
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

/// A server with the schema `main.plan`, an external location and a lake in it.
pub fn with_lake() -> (Server, tempfile::TempDir) {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    ok(
        &server,
        folder.path(),
        &["init", "main.plan", "--location", BUCKET_LAKE, "--warehouse", "w1"],
    );
    (server, folder)
}
