//! Errors if a location in a cloud cannot be used: one sentence, a hint, an exit code, and no
//! secret.

use serde_json::{Value, json};

use super::binary::run;
use super::{Cloud, Placement, SECRET, place};

/// A marker in responses, where storage services repeat the signed data.
const SIGNED: &str = "canary-of-what-was-signed";

/// Runs `task list` on a URL, with settings that extend or override those of the location. An empty
/// value removes a setting.
fn fails(place: &Placement, url: &str, settings: &[(&str, &str)]) -> (i32, String, String) {
    let mut environment = place.environment();
    environment.retain(|(name, _)| settings.iter().all(|(other, _)| other != name));
    environment.extend(
        settings
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
    );
    let folder = tempfile::tempdir().unwrap();
    let args = ["task", "list", "--lake", url, "--json"];
    let output = run(folder.path(), &environment, &args);
    let (printed, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for canary in [SECRET, SIGNED, "Signature=", "sig="] {
        assert!(
            !printed.contains(canary) && !stderr.contains(canary),
            "{url} {settings:?}: {stderr}"
        );
    }
    let Ok(error) = serde_json::from_str::<Value>(&stderr) else {
        panic!("{url} {settings:?}: {stderr}")
    };
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    (output.status.code().unwrap(), text("message"), text("hint"))
}

fn assert_reported((exit, message, hint): &(i32, String, String), expected: (i32, &str, &str)) {
    assert_eq!(*exit, expected.0, "{message}; {hint}");
    assert!(message.contains(expected.1), "{message:?} does not contain {:?}", expected.1);
    assert!(hint.contains(expected.2), "{hint:?} does not contain {:?}", expected.2);
    assert!(!message.contains('\n') && message.len() < 250, "{message}");
}

#[test]
fn invalid_settings_are_configuration_errors() {
    let Some(place) = place(Cloud::S3, "settings") else { return };
    let url = place.url.as_str();
    for (url, settings, expected) in [
        (
            url,
            &[("AWS_S3_LOCKING_PROVIDER", "dynamodb")][..],
            (3, "AWS_S3_LOCKING_PROVIDER", "unset"),
        ),
        (url, &[("DELTA_DYNAMO_TABLE_NAME", "delta_log")], (3, "DELTA_DYNAMO_TABLE_NAME", "unset")),
        (
            url,
            &[("AWS_S3_ALLOW_UNSAFE_RENAME", "true")],
            (3, "AWS_S3_ALLOW_UNSAFE_RENAME", "unset"),
        ),
        (url, &[("AWS_CONDITIONAL_PUT", "disabled")], (3, "AWS_CONDITIONAL_PUT", "unset")),
        (
            url,
            &[("AWS_ALLOW_HTTP", "")],
            (3, "AWS_ENDPOINT_URL is an http address", "AWS_ALLOW_HTTP=true"),
        ),
        (
            "s4://clouds/lake",
            &[],
            (3, "s4:// is not a supported storage scheme", "s3://BUCKET/PATH"),
        ),
        ("s3:///lake", &[], (3, "names no bucket", "s3://BUCKET/PATH")),
        ("s3://no-such-bucket/lake", &[], (3, "there is no bucket no-such-bucket", "--lake")),
        (
            url,
            &[("AWS_SECRET_ACCESS_KEY", "")],
            (3, "AWS_SECRET_ACCESS_KEY is not", "AWS_SECRET_ACCESS_KEY"),
        ),
        // The bucket contains objects that are not a lake.
        (url, &[], (3, "there is no lake at", "lakeplan init")),
    ] {
        assert_reported(&fails(&place, url, settings), expected);
    }
}

#[test]
fn missing_credentials_and_machine_identity_are_reported() {
    let Some(place) = place(Cloud::S3, "credentials") else { return };
    // Nothing listens on this port.
    let settings = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9"),
    ];
    assert_reported(
        &fails(&place, &place.url, &settings),
        (3, "there are no credentials for the bucket clouds", "AWS_ACCESS_KEY_ID"),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_errors_are_reported_without_signed_data() {
    let Some(place) = place(Cloud::S3, "refusals") else { return };
    let body = |code: &str, more: &str| {
        format!(
            "<Error><Code>{code}</Code><Message>{SIGNED}</Message><StringToSign>{SIGNED}</StringToSign>{more}</Error>"
        )
    };
    for (status, body, expected) in [
        (
            403,
            body("AccessDenied", ""),
            (3, "may not use the bucket clouds (403 AccessDenied)", "s3:PutObject"),
        ),
        (
            403,
            body("SignatureDoesNotMatch", ""),
            (3, "does not accept the credentials", "AWS_SECRET_ACCESS_KEY"),
        ),
        (
            403,
            body("InvalidAccessKeyId", ""),
            (3, "does not know the access key", "AWS_ACCESS_KEY_ID"),
        ),
        (400, body("ExpiredToken", ""), (3, "have expired", "AWS_SESSION_TOKEN")),
        (
            400,
            body("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
            (3, "another region", "AWS_REGION=eu-west-1"),
        ),
        (301, body("PermanentRedirect", ""), (3, "another region", "AWS_REGION")),
        (401, String::new(), (3, "does not accept the credentials", "AWS_ACCESS_KEY_ID")),
    ] {
        place.rules(json!([{"verb": "*", "do": "before", "status": status, "body": body}])).await;
        let result = tokio::task::block_in_place(|| fails(&place, &place.url, &[]));
        assert_reported(&result, expected);
    }
    place
        .rules(json!([{"verb": "*", "do": "before", "status": 503, "body": body("SlowDown", "")}]))
        .await;
    let started = std::time::Instant::now();
    let result = tokio::task::block_in_place(|| fails(&place, &place.url, &[]));
    assert_reported(&result, (4, "unable to serve the request (503 SlowDown)", "retry"));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn unreachable_storage_is_retryable_and_reported_quickly() {
    let Some(place) = place(Cloud::S3, "unreachable") else { return };
    let started = std::time::Instant::now();
    // Nothing listens on this port.
    let result = fails(&place, &place.url, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
    assert_reported(
        &result,
        (4, "cannot be reached: it refuses the connection", "AWS_ENDPOINT_URL"),
    );
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn azure_errors_use_azure_terms() {
    let Some(place) = place(Cloud::Azure, "refusals") else { return };
    let url = place.url.as_str();
    let wrong = "d3Jvbmcga2V5IG9mIHRoZSB0ZXN0cw==";
    for (url, settings, expected) in [
        (
            "az://no-such-container/lake",
            &[][..],
            (3, "there is no container no-such-container", "--lake"),
        ),
        (
            url,
            &[("AZURE_STORAGE_ACCOUNT_KEY", wrong)],
            (3, "403 AuthorizationFailure", "Storage Blob Data Contributor"),
        ),
        (
            url,
            &[
                ("AZURE_STORAGE_ACCOUNT_KEY", ""),
                ("AZURE_STORAGE_SAS_TOKEN", "sv=2021-08-06&sig=canary-of-what-was-signed"),
            ],
            (3, "403 AuthorizationFailure", "role"),
        ),
        (
            url,
            &[("AZURE_STORAGE_ACCOUNT_NAME", "")],
            (3, "does not name an account", "AZURE_STORAGE_ACCOUNT_NAME"),
        ),
        (
            url,
            &[("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9/devstoreaccount1")],
            (4, "cannot be reached", "network"),
        ),
        (url, &[], (3, "there is no lake at", "lakeplan init")),
    ] {
        assert_reported(&fails(&place, url, settings), expected);
    }
}
