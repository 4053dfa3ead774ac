//! What is said where a place in a cloud cannot be used: one sentence, a way out, an exit code, and no secret.

use serde_json::{Value, json};

use super::binary::run;
use super::{Cloud, Placement, SECRET, place};

/// An answer's canary, which stands where storages repeat what was signed.
const SIGNED: &str = "canary-of-what-was-signed";

/// Runs `task list` on a URL with settings beside or instead of the place's own; an empty value takes one away.
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
    let words = ["task", "list", "--lake", url, "--json"];
    let output = run(folder.path(), &environment, &words);
    let (printed, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for canary in [SECRET, SIGNED, "Signature=", "sig="] {
        assert!(
            !printed.contains(canary) && !complained.contains(canary),
            "{url} {settings:?}: {complained}"
        );
    }
    let Ok(error) = serde_json::from_str::<Value>(&complained) else {
        panic!("{url} {settings:?}: {complained}")
    };
    let text = |name: &str| error["error"][name].as_str().unwrap_or_default().to_owned();
    (output.status.code().unwrap(), text("message"), text("hint"))
}

fn assert_reported((exit, message, hint): &(i32, String, String), wanted: (i32, &str, &str)) {
    assert_eq!(*exit, wanted.0, "{message}; {hint}");
    assert!(message.contains(wanted.1), "{message:?} does not say {:?}", wanted.1);
    assert!(hint.contains(wanted.2), "{hint:?} does not say {:?}", wanted.2);
    assert!(!message.contains('\n') && message.len() < 250, "{message}");
}

#[test]
fn settings_that_cannot_be_are_configuration() {
    let Some(place) = place(Cloud::S3, "settings") else { return };
    let url = place.url.as_str();
    for (url, settings, wanted) in [
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
        // What a bucket holds that is no lake.
        (url, &[], (3, "there is no lake at", "lakeplan init")),
    ] {
        assert_reported(&fails(&place, url, settings), wanted);
    }
}

#[test]
fn no_credentials_and_no_identity_of_the_machine_are_reported_as_such() {
    let Some(place) = place(Cloud::S3, "credentials") else { return };
    // Nothing listens there.
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
async fn what_the_storage_refuses_is_reported_without_what_was_signed() {
    let Some(place) = place(Cloud::S3, "refusals") else { return };
    let body = |code: &str, more: &str| {
        format!(
            "<Error><Code>{code}</Code><Message>{SIGNED}</Message><StringToSign>{SIGNED}</StringToSign>{more}</Error>"
        )
    };
    for (status, body, wanted) in [
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
        assert_reported(&result, wanted);
    }
    place
        .rules(json!([{"verb": "*", "do": "before", "status": 503, "body": body("SlowDown", "")}]))
        .await;
    let begun = std::time::Instant::now();
    let result = tokio::task::block_in_place(|| fails(&place, &place.url, &[]));
    assert_reported(&result, (4, "unable to serve the request (503 SlowDown)", "retry"));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn a_storage_that_cannot_be_reached_is_to_be_tried_again_and_soon_stated() {
    let Some(place) = place(Cloud::S3, "unreachable") else { return };
    let begun = std::time::Instant::now();
    // Nothing listens there.
    let result = fails(&place, &place.url, &[("AWS_ENDPOINT_URL", "http://127.0.0.1:9")]);
    assert_reported(
        &result,
        (4, "cannot be reached: it refuses the connection", "AWS_ENDPOINT_URL"),
    );
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn azure_is_reported_by_its_own_names() {
    let Some(place) = place(Cloud::Azure, "refusals") else { return };
    let url = place.url.as_str();
    let wrong = "d3Jvbmcga2V5IG9mIHRoZSB0ZXN0cw==";
    for (url, settings, wanted) in [
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
        assert_reported(&fails(&place, url, settings), wanted);
    }
}
