//! What a person wrote into an address or a file of settings and is a secret is never repeated.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{command, lake, text};

const SECRET: &str = "SEKRIT77";

/// Runs a command and gives all that it said, which must not hold the secret.
#[track_caller]
fn silent(folder: &std::path::Path, words: &[&str], variables: &[(&str, &str)]) -> String {
    let output = command(folder, words).envs(variables.iter().copied()).output().unwrap();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(
        !printed.contains(SECRET) && !printed.contains("panicked"),
        "{words:?} {variables:?}: {printed}"
    );
    printed
}

#[test]
fn settings_are_shown_without_the_credentials_of_an_address() {
    let folder = lake();
    let path = folder.path();
    let places = [
        format!("s3://k:{SECRET}@b/x"),
        format!("abfss://c@a.dfs.core.windows.net/x?sig={SECRET}"),
        format!("abfss://c:{SECRET}@a.dfs.core.windows.net/x"),
        format!("gs://b/x#{SECRET}"),
    ];
    for place in &places {
        for words in [&["config", "show"][..], &["--json", "config", "show"]] {
            let printed = silent(path, &[&["--lake", place], words].concat(), &[]);
            assert!(printed.contains("***") && printed.contains("--lake"), "{printed}");
            silent(path, words, &[("LAKEPLAN_LAKE", place)]);
            let settings = format!("lake = '{place}'\n[target.dev]\nlake = '{place}'\n");
            std::fs::write(path.join("set.toml"), settings).unwrap();
            silent(path, &[&["--config", "set.toml"], words].concat(), &[]);
            let printed =
                silent(path, &[&["--config", "set.toml", "--target", "dev"], words].concat(), &[]);
            assert!(printed.contains("[target.dev]"), "{printed}");
        }
        for words in [
            &["apply", place][..],
            &["plan", place],
            &["backup", place],
            &["report", "--out", place],
            &["visualize", "PAY", "--out", place],
            &["init", place],
            &["bogus", place],
            &["task", "list", "--lakes", place],
        ] {
            silent(path, words, &[]);
            silent(path, &[&["--json"], words].concat(), &[]);
        }
    }
    assert!(
        silent(path, &["apply", &places[0]], &[]).contains("s3://***@b/x: there is no such file")
    );
}

#[test]
fn a_file_of_settings_is_named_by_line_and_column_without_its_text() {
    let folder = lake();
    let path = folder.path();
    for (settings, place) in [
        (format!("[secrets]\nAWS_SECRET_ACCESS_KEY = {SECRET}\n"), "line 2, column 25"),
        (format!("lake = \"x\" {SECRET}\n"), "line 1, column 1"),
        (format!("secrets = \"{SECRET}\"\n"), "secrets"),
    ] {
        std::fs::write(path.join("lakeplan.toml"), &settings).unwrap();
        for words in [&["task", "list"][..], &["--json", "config", "show"]] {
            let printed = silent(path, words, &[]);
            assert!(
                printed.contains("lakeplan.toml") && printed.contains(place),
                "{settings}: {printed}"
            );
        }
    }
}

#[test]
fn the_address_of_a_workspace_is_reported_without_its_query() {
    let folder = lake();
    let host = format!("https://h.invalid/?token={SECRET}");
    let variables = [("DATABRICKS_HOST", host.as_str()), ("DATABRICKS_TOKEN", "x")];
    let printed = silent(folder.path(), &["--lake", "a.b", "task", "list"], &variables);
    assert!(
        printed.contains("it continues after the host") && printed.contains("h.invalid"),
        "{printed}"
    );
}

#[test]
fn what_a_client_logs_of_an_address_holds_no_password() {
    let folder = lake();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    let endpoint = format!("http://u:{SECRET}@127.0.0.1:{port}");
    let variables = [
        ("AWS_ENDPOINT", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_REGION", "x"),
        ("LAKEPLAN_LOG", "trace"),
    ];
    let printed = silent(folder.path(), &["--lake", "s3://b/x", "task", "list"], &variables);
    assert!(printed.contains(&format!("127.0.0.1:{port}")), "nothing is logged of it: {printed}");
}
