//! Storage with vended credentials follows the same rules as any other storage: errors are
//! explained, lost responses are handled, and other commit protocols are refused.

use serde_json::json;

use super::workspace::StorageScript;
use super::{command, fails, guarded, json_of, rendered, run, text, with_lake};

const LIST: [&str; 4] = ["--lake", "main.plan", "task", "list"];

#[test]
fn a_create_with_a_lost_response_is_done_once_silently() {
    let (server, folder) = with_lake();
    for path in ["lake/journal/_delta_log/", "lake/projects/_delta_log/", "lake/projects/bucket"] {
        let lost = StorageScript {
            method: "PUT",
            path,
            times: 1,
            status: 500,
            code: "InternalError",
            is_done: true,
        };
        server.workspace().storage_scripts.push(lost);
    }
    let args = ["--lake", "main.plan", "project", "create", "Payments", "--key", "PAY"];
    let output = run(&server, folder.path(), &args);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(
        server.workspace().storage_scripts.iter().all(|script| script.times == 0),
        "a response was not lost"
    );
    let tables = json_of(
        &server,
        folder.path(),
        &["--lake", "main.plan", "query", "SELECT key FROM projects"],
    );
    assert_eq!(tables, json!([{"key": "PAY"}]));
    let commits = [
        "--lake",
        "main.plan",
        "query",
        "SELECT count(DISTINCT seq) AS n FROM journal WHERE entity = 'project'",
    ];
    assert_eq!(json_of(&server, folder.path(), &commits), json!([{"n": 1}]));
}

#[test]
fn storage_errors_are_reported_with_a_catalog_hint() {
    for (status, code, exit, expected, hint) in [
        (
            403,
            "AccessDenied",
            3,
            "may not use the bucket team (403 AccessDenied)",
            "storage credential of the external location",
        ),
        (403, "SignatureDoesNotMatch", 3, "does not accept the credentials", "doctor --databricks"),
        (400, "ExpiredToken", 4, "have expired", "gets new ones"),
        (404, "NoSuchBucket", 3, "there is no bucket team", "--lake"),
    ] {
        let (server, folder) = with_lake();
        let script = StorageScript {
            method: "GET",
            path: "",
            times: usize::MAX,
            status,
            code,
            is_done: false,
        };
        server.workspace().storage_scripts.push(script);
        let printed = fails(&server, folder.path(), &LIST, exit);
        let (message, advice) =
            printed.split_once("hint: ").unwrap_or_else(|| panic!("{code}: {printed}"));
        assert!(message.contains(expected) && advice.contains(hint), "{code}: {printed}");
        assert!(!advice.contains("AWS_ACCESS_KEY_ID"), "{code}: {printed}");
    }
}

#[test]
fn other_commit_protocols_are_refused_and_ambient_credentials_are_ignored() {
    let (server, folder) = with_lake();
    let mut listing = command(&server, folder.path(), &LIST);
    listing.env("AWS_ACCESS_KEY_ID", "half of the keys").env("AWS_SKIP_SIGNATURE", "true");
    let output = guarded(&mut listing);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = rendered(guarded(listing.env("AWS_S3_LOCKING_PROVIDER", "dynamodb")), 3);
    assert!(printed.contains("AWS_S3_LOCKING_PROVIDER") && printed.contains("unset"), "{printed}");
    let printed = rendered(
        guarded(listing.env_remove("AWS_S3_LOCKING_PROVIDER").env_remove("AWS_ALLOW_HTTP")),
        3,
    );
    assert!(printed.contains("AWS_ENDPOINT_URL is an http address"), "{printed}");
}
