//! The storage behind external locations, as an S3 API: it accepts only unexpired vended
//! credentials, and only for their location.

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::server::Reply;
use super::workspace::FakeWorkspace;

#[derive(Clone, Debug)]
pub struct Object {
    pub bytes: Bytes,
    pub tag: u64,
}

/// Handles a request, or answers it by a script.
pub fn answer(
    workspace: &mut FakeWorkspace,
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Reply {
    let asked = decoded(path);
    let fits = |script: &&mut super::workspace::StorageScript| {
        script.times > 0 && script.method == method && asked.contains(script.path)
    };
    let script = workspace.storage_scripts.iter_mut().find(fits).map(|script| {
        script.times -= 1;
        script.clone()
    });
    match script {
        Some(script) if !script.is_done => err(script.status, script.code),
        Some(script) => {
            handle(workspace, method, path, query, headers, body);
            err(script.status, script.code)
        }
        None => handle(workspace, method, path, query, headers, body),
    }
}

fn handle(
    workspace: &mut FakeWorkspace,
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Reply {
    let shown =
        headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    workspace.stored.push([method.to_owned(), path.to_owned(), query.to_owned(), shown.to_owned()]);
    let (bucket, key) = split(&decoded(path));
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let printed =
        |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let place = match printed("prefix") {
        Some(prefix) => format!("s3://{bucket}/{prefix}"),
        None => format!("s3://{bucket}/{key}"),
    };
    let deletes = printed("delete").is_some();
    // A delete of several objects is sent to the address of the bucket.
    let deleted: Vec<String> = if deletes { keys(body) } else { Vec::new() };
    let places = if deletes {
        deleted.iter().map(|key| format!("s3://{bucket}/{key}")).collect()
    } else {
        vec![place]
    };
    if let Err(refused) = admit(workspace, method, &places, deletes, headers) {
        return refused;
    }
    let full = format!("{bucket}/{key}");
    match method {
        "PUT" => put(workspace, full, headers, body),
        "GET" if printed("list-type").is_some() => list(workspace, &bucket, &printed),
        "GET" | "HEAD" => get(workspace, &full, headers),
        "DELETE" => {
            workspace.objects.remove(&full);
            Reply::bytes(204, Vec::new())
        }
        "POST" if deletes => {
            for key in &deleted {
                workspace.objects.remove(&format!("{bucket}/{key}"));
            }
            let deleted: String =
                deleted.iter().map(|key| format!("<Deleted><Key>{key}</Key></Deleted>")).collect();
            Reply::bytes(200, format!("<DeleteResult>{deleted}</DeleteResult>").into_bytes())
        }
        _ => err(501, "NotImplemented"),
    }
}

/// Returns the keys in a request to delete several objects.
fn keys(body: &Bytes) -> Vec<String> {
    let text = String::from_utf8_lossy(body).into_owned();
    text.split("<Key>")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned()))
        .collect()
}

/// Checks that the credential was vended for these places and this method, and has not expired.
fn admit(
    workspace: &mut FakeWorkspace,
    method: &str,
    places: &[String],
    deletes: bool,
    headers: &HeaderMap,
) -> Result<(), Reply> {
    let token = headers
        .get("x-amz-security-token")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let now = workspace.now();
    let Some(credential) = workspace.credential.get(token) else {
        return Err(err(403, "InvalidAccessKeyId"));
    };
    if now >= credential.ends_at {
        workspace.refused_as_expired += 1;
        return Err(err(400, "ExpiredToken"));
    }
    let writes = matches!(method, "PUT" | "DELETE") || (method == "POST" && deletes);
    let own = credential.url.trim_end_matches('/');
    let lies_in = |place: &String| {
        place.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_within = places.iter().all(lies_in);
    if !is_within || (writes && !credential.may_write) {
        return Err(err(403, "AccessDenied"));
    }
    Ok(())
}

fn put(workspace: &mut FakeWorkspace, full: String, headers: &HeaderMap, body: &Bytes) -> Reply {
    if headers.get("if-none-match").is_some_and(|value| value == "*")
        && workspace.objects.contains_key(&full)
    {
        return err(412, "PreconditionFailed");
    }
    let tag = workspace.objects.len() as u64 + 1;
    workspace.objects.insert(full, Object { bytes: body.clone(), tag });
    let mut reply = Reply::bytes(200, Vec::new());
    reply.headers.push(("etag".to_owned(), format!("\"{tag}\"")));
    reply
}

fn get(workspace: &FakeWorkspace, full: &str, headers: &HeaderMap) -> Reply {
    let Some(object) = workspace.objects.get(full) else { return err(404, "NoSuchKey") };
    let size = object.bytes.len();
    let range = headers
        .get("range")
        .and_then(|value| value.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let (status, from, to) = match range {
        None => (200, 0, size),
        Some(("", last)) => (206, size.saturating_sub(last.parse().unwrap()), size),
        Some((from, "")) => (206, from.parse().unwrap(), size),
        Some((from, to)) => {
            (206, from.parse().unwrap(), (to.parse::<usize>().unwrap() + 1).min(size))
        }
    };
    if from > to || (status == 206 && from == size) {
        return err(416, "InvalidRange");
    }
    let mut reply = Reply::bytes(status, object.bytes[from..to].to_vec());
    reply.headers.push(("etag".to_owned(), format!("\"{}\"", object.tag)));
    reply.headers.push(("last-modified".to_owned(), "Sat, 21 Nov 2026 10:00:00 GMT".to_owned()));
    if status == 206 {
        reply
            .headers
            .push(("content-range".to_owned(), format!("bytes {from}-{}/{size}", to.max(1) - 1)));
    }
    reply
}

fn list(
    workspace: &FakeWorkspace,
    bucket: &str,
    printed: &dyn Fn(&str) -> Option<String>,
) -> Reply {
    let (prefix, after) =
        (printed("prefix").unwrap_or_default(), printed("start-after").unwrap_or_default());
    let delimiter = printed("delimiter");
    let (mut contents, mut folders) = (String::new(), Vec::new());
    let own = format!("{bucket}/");
    for (full, object) in &workspace.objects {
        let Some(key) = full
            .strip_prefix(&own)
            .filter(|key| key.starts_with(&prefix) && key.as_bytes() > after.as_bytes())
        else {
            continue;
        };
        let folder = delimiter
            .as_ref()
            .and_then(|delimiter| key[prefix.len()..].split_once(delimiter.as_str()));
        if let Some((folder, _)) = folder {
            let folder = format!("{prefix}{folder}/");
            if !folders.contains(&folder) {
                folders.push(folder);
            }
            continue;
        }
        contents.push_str(&format!(
            "<Contents><Key>{key}</Key><LastModified>2026-11-21T10:00:00.000Z</LastModified><ETag>\"{}\"</ETag><Size>{}</Size></Contents>",
            object.tag,
            object.bytes.len()
        ));
    }
    let folders: String = folders
        .iter()
        .map(|folder| format!("<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"))
        .collect();
    Reply::bytes(
        200,
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{folders}</ListBucketResult>").into_bytes(),
    )
}

fn err(status: u16, code: &str) -> Reply {
    Reply::bytes(
        status,
        format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>").into_bytes(),
    )
}

fn split(path: &str) -> (String, String) {
    let (bucket, key) =
        path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
    (bucket.to_owned(), key.to_owned())
}

fn decoded(path: &str) -> String {
    let mut bytes = path.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte.unwrap()).to_digit(16).unwrap() as u8;
        decoded.push(if byte == b'%' { hex(bytes.next()) * 16 + hex(bytes.next()) } else { byte });
    }
    String::from_utf8(decoded).unwrap()
}
