//! A secret in a URL or a settings file is never printed.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::{command, lake, text};

const SECRET: &str = "SEKRIT77";

/// Runs a command and returns all its output, which must not contain the secret.
#[track_caller]
fn run_without_secret(
    folder: &std::path::Path,
    args: &[&str],
    variables: &[(&str, &str)],
) -> String {
    let output = command(folder, args).envs(variables.iter().copied()).output().unwrap();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(
        !printed.contains(SECRET) && !printed.contains("panicked"),
        "{args:?} {variables:?}: {printed}"
    );
    printed
}

#[test]
fn config_show_hides_credentials_in_urls() {
    let folder = lake();
    let path = folder.path();
    let places = [
        format!("s3://k:{SECRET}@b/x"),
        format!("abfss://c@a.dfs.core.windows.net/x?sig={SECRET}"),
        format!("abfss://c:{SECRET}@a.dfs.core.windows.net/x"),
        format!("gs://b/x#{SECRET}"),
    ];
    for place in &places {
        for args in [&["config", "show"][..], &["--json", "config", "show"]] {
            let printed = run_without_secret(path, &[&["--lake", place], args].concat(), &[]);
            assert!(printed.contains("***") && printed.contains("--lake"), "{printed}");
            run_without_secret(path, args, &[("LAKEPLAN_LAKE", place)]);
            let settings = format!("lake = '{place}'\n[target.dev]\nlake = '{place}'\n");
            std::fs::write(path.join("set.toml"), settings).unwrap();
            run_without_secret(path, &[&["--config", "set.toml"], args].concat(), &[]);
            let printed = run_without_secret(
                path,
                &[&["--config", "set.toml", "--target", "dev"], args].concat(),
                &[],
            );
            assert!(printed.contains("[target.dev]"), "{printed}");
        }
        for args in [
            &["apply", place][..],
            &["plan", place],
            &["backup", place],
            &["report", "--out", place],
            &["visualize", "PAY", "--out", place],
            &["init", place],
            &["bogus", place],
            &["task", "list", "--lakes", place],
        ] {
            run_without_secret(path, args, &[]);
            run_without_secret(path, &[&["--json"], args].concat(), &[]);
        }
    }
    assert!(
        run_without_secret(path, &["apply", &places[0]], &[])
            .contains("s3://***@b/x: there is no such file")
    );
}

#[test]
fn a_settings_error_names_line_and_column_without_the_text() {
    let folder = lake();
    let path = folder.path();
    for (settings, place) in [
        (format!("[secrets]\nAWS_SECRET_ACCESS_KEY = {SECRET}\n"), "line 2, column 25"),
        (format!("lake = \"x\" {SECRET}\n"), "line 1, column 1"),
        (format!("secrets = \"{SECRET}\"\n"), "secrets"),
    ] {
        std::fs::write(path.join("lakeplan.toml"), &settings).unwrap();
        for args in [&["task", "list"][..], &["--json", "config", "show"]] {
            let printed = run_without_secret(path, args, &[]);
            assert!(
                printed.contains("lakeplan.toml") && printed.contains(place),
                "{settings}: {printed}"
            );
        }
    }
}

#[test]
fn a_workspace_url_is_reported_without_its_query() {
    let folder = lake();
    let host = format!("https://h.invalid/?token={SECRET}");
    let variables = [("DATABRICKS_HOST", host.as_str()), ("DATABRICKS_TOKEN", "x")];
    let printed = run_without_secret(folder.path(), &["--lake", "a.b", "task", "list"], &variables);
    assert!(
        printed.contains("it continues after the host") && printed.contains("h.invalid"),
        "{printed}"
    );
}

#[test]
fn client_logs_hide_passwords_in_urls() {
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
    let printed =
        run_without_secret(folder.path(), &["--lake", "s3://b/x", "task", "list"], &variables);
    assert!(printed.contains(&format!("127.0.0.1:{port}")), "the log contains it: {printed}");
}
