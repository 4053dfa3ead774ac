//! The server: the APIs of a workspace and the storage behind them, on one local port.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::openapi::OpenApi;
use super::workspace::{FakeWorkspace, Script, Seen};
use super::{s3, statements};

/// A running server. On drop, it checks that no request violated the rules of the APIs.
pub struct Server {
    workspace: Arc<Mutex<FakeWorkspace>>,
    url: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

#[derive(Clone)]
struct Shared {
    workspace: Arc<Mutex<FakeWorkspace>>,
    api: Option<Arc<OpenApi>>,
}

/// A handler's response.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string().into_bytes())
    }

    pub fn bytes(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body, after: Duration::ZERO }
    }

    pub fn refused(status: u16, code: &str, message: &str) -> Self {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "unity-catalog.databricks.com"}]);
        Self::json(status, &json!({"error_code": code, "message": message, "details": details}))
    }
}

impl Server {
    pub fn start() -> Self {
        let shared = Shared {
            workspace: Arc::new(Mutex::new(FakeWorkspace::new())),
            api: OpenApi::load().map(Arc::new),
        };
        let workspace = Arc::clone(&shared.workspace);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (address, rendered) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                let app = Router::new().fallback(handle).with_state(shared);
                let served = axum::serve(listener, app).with_graceful_shutdown(async {
                    // Dropping the server stops this task.
                    let _ = stopped.await;
                });
                served.await.unwrap();
            });
        });
        let url = format!("http://{}", rendered.recv().unwrap());
        workspace.lock().unwrap().address = url.clone();
        Self { workspace, url, stop: Some(stop) }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn workspace(&self) -> MutexGuard<'_, FakeWorkspace> {
        self.workspace.lock().unwrap()
    }

    /// Delays the responses to these requests so long that no client should wait for them.
    pub fn hang(&self, method: &'static str, path: &'static str) {
        self.script(
            method,
            path,
            usize::MAX,
            503,
            json!({"error_code": "TEMPORARILY_UNAVAILABLE", "message": "too late"}),
        );
        if let Some(script) = self.workspace().scripts.last_mut() {
            script.after = Duration::from_secs(40);
        }
    }

    /// Overrides the responses to this number of requests.
    pub fn script(
        &self,
        method: &'static str,
        path: &'static str,
        times: usize,
        status: u16,
        answer: Value,
    ) {
        let script = Script {
            method,
            path,
            body: "",
            times,
            status,
            after: Duration::ZERO,
            headers: Vec::new(),
            answer,
        };
        self.workspace().scripts.push(script);
    }

    /// Denies requests whose body contains a text, such as an operation.
    pub fn refuse(&self, path: &'static str, body: &'static str, status: u16, message: &str) {
        self.script(
            "POST",
            path,
            usize::MAX,
            status,
            json!({"error_code": "PERMISSION_DENIED", "message": message}),
        );
        if let Some(script) = self.workspace().scripts.last_mut() {
            script.body = body;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if !std::thread::panicking() {
            let violations = std::mem::take(&mut self.workspace().violations);
            assert!(violations.is_empty(), "the rules of the APIs were violated: {violations:#?}");
        }
    }
}

async fn handle(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let reply = answer(&shared, &method, &path, &query, &parts.headers, &body);
    tokio::time::sleep(reply.after).await;
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap()
}

fn answer(
    shared: &Shared,
    method: &str,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Reply {
    let mut workspace = shared.workspace.lock().unwrap();
    if let Some(rest) = path.strip_prefix("/links/") {
        return statements::link(&mut workspace, rest, query, headers);
    }
    if !path.starts_with("/api/") && !path.starts_with("/oidc/") {
        return s3::answer(&mut workspace, method, path, query, headers, body);
    }
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    workspace.seen.push(Seen {
        method: method.to_owned(),
        path: path.to_owned(),
        body: json.clone(),
    });
    if let Some(script) = workspace.scripted(method, path, &String::from_utf8_lossy(body)) {
        let mut reply = Reply::json(script.status, &script.answer);
        reply.headers.extend(
            script.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        reply.after = script.after;
        return reply;
    }
    if path == "/oidc/v1/token" {
        return token(&mut workspace, headers, body);
    }
    let bearer =
        headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if !bearer.is_some_and(|token| workspace.tokens.contains(token)) {
        // A careless server repeats the token that it received.
        let printed = format!("Invalid access token {}", bearer.unwrap_or_default());
        return Reply::json(401, &json!({"error_code": "UNAUTHENTICATED", "message": printed}));
    }
    if let Some(path) = path.strip_prefix("/api/2.1/unity-catalog") {
        let reply = unity(&mut workspace, method, path, &json);
        if let Some(api) = &shared.api {
            let answer =
                (reply.status == 200).then(|| serde_json::from_slice(&reply.body).unwrap());
            let violations = api.check(method, path, query, &json, answer.as_ref());
            workspace.violations.extend(violations);
        }
        return reply;
    }
    match path {
        "/api/2.0/preview/scim/v2/Me" => {
            Reply::json(200, &json!({"userName": "ana@example.com", "active": true}))
        }
        _ => statements::answer(&mut workspace, method, path, &json),
    }
}

fn token(workspace: &mut FakeWorkspace, headers: &HeaderMap, body: &Bytes) -> Reply {
    // app-1:client-canary-secret
    let is_known = headers
        .get("authorization")
        .is_some_and(|value| value == "Basic YXBwLTE6Y2xpZW50LWNhbmFyeS1zZWNyZXQ=");
    if !is_known {
        return Reply::json(
            401,
            &json!({"error": "invalid_client", "error_description": "Client authentication failed"}),
        );
    }
    if body.as_ref() != b"grant_type=client_credentials&scope=all-apis" {
        workspace.violations.push(format!("token request with {}", String::from_utf8_lossy(body)));
    }
    workspace.tokens_granted += 1;
    let token = format!("oauth-canary-{}", workspace.tokens_granted);
    workspace.tokens.insert(token.clone());
    Reply::json(200, &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600}))
}

fn unity(workspace: &mut FakeWorkspace, method: &str, path: &str, body: &Value) -> Reply {
    let missing = |what: &str| Reply::refused(404, "NOT_FOUND", &format!("{what} does not exist."));
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["metastore_summary"]) => {
            let mut summary = json!({"metastore_id": "m-1"});
            if let Some(is_on) = workspace.external_access {
                summary["external_access_enabled"] = json!(is_on);
            }
            Reply::json(200, &summary)
        }
        ("GET", ["catalogs", name]) if workspace.catalogs.contains(*name) => {
            Reply::json(200, &json!({"name": name}))
        }
        ("GET", ["schemas", name]) if workspace.schemas.contains(*name) => {
            let (catalog, schema) = name.split_once('.').unwrap();
            Reply::json(200, &json!({"name": schema, "catalog_name": catalog, "full_name": name}))
        }
        ("GET", ["tables", name]) => match workspace.tables.get(*name) {
            Some(table) => Reply::json(200, table),
            None => missing(&format!("Table '{name}'")),
        },
        ("GET", ["catalogs" | "schemas", name]) => missing(name),
        ("GET", ["external-locations"]) => {
            let locations: Vec<Value> = workspace
                .locations
                .iter()
                .map(|(name, url)| json!({"name": name, "url": url, "credential_name": "c"}))
                .collect();
            Reply::json(200, &json!({"external_locations": locations}))
        }
        ("GET", ["permissions", _, name]) => {
            let given = workspace.grants.get(*name).cloned().unwrap_or_default();
            let given: Vec<Value> = given
                .iter()
                .map(|(who, what)| json!({"principal": who, "privileges": [what]}))
                .collect();
            Reply::json(200, &json!({"privilege_assignments": given}))
        }
        ("POST", ["temporary-path-credentials"]) => {
            let url = body["url"].as_str().unwrap_or_default().to_owned();
            if workspace.holds_tables(&url) {
                return Reply::refused(403, "PERMISSION_DENIED", "Access denied.");
            }
            let credential = workspace.vend(&url, body["operation"] != "PATH_READ");
            Reply::json(200, &credential)
        }
        ("POST", ["temporary-table-credentials"]) => {
            let table =
                workspace.tables.values().find(|table| table["table_id"] == body["table_id"]);
            match table.map(|table| table["storage_location"].as_str().unwrap().to_owned()) {
                Some(url) => {
                    let credential = workspace.vend(&url, body["operation"] == "READ_WRITE");
                    Reply::json(200, &credential)
                }
                None => missing("Table"),
            }
        }
        _ => missing(path),
    }
}
