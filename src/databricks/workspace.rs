//! Client of a Databricks workspace's API that renews tokens before they expire.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::error::WorkspaceError;
use crate::domain::secret::{Credentials, Secret};
use crate::net::{Auth, Base, Http, Method, Network, Redirects, Request, Response, retry};
use crate::runtime::Clock;

/// Time before its expiry at which a token is renewed.
const MARGIN: Duration = Duration::from_secs(120);

/// Maximum size of a chunk fetched through a link, and the time limit of that fetch.
const MAX_CHUNK_BYTES: usize = 256 << 20;
const FETCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Workspace, with the credentials that are used to access it.
pub struct Workspace {
    http: Http,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    held: Mutex<Option<CachedToken>>,
}

#[derive(Clone, Debug)]
struct CachedToken {
    token: Secret,
    renew_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Workspace {
    /// Opens the workspace at an address. `clock` measures the waits that the workspace asks for.
    pub fn open(
        host: &str,
        credentials: Credentials,
        network: &Network,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WorkspaceError> {
        // A redirect would send the token to another server.
        let http = Base::of_host(host)
            .and_then(|base| Http::of_api(base, Redirects::None, network))
            .map_err(WorkspaceError::Net)?;
        Ok(Self { http, credentials, clock, held: Mutex::default() })
    }

    pub fn host(&self) -> &str {
        self.http.host()
    }

    /// Sends a request to the workspace. If the token is rejected and another one is available,
    /// retries once.
    pub async fn send(&self, request: &Request) -> Result<Value, WorkspaceError> {
        let token = self.token(None).await?;
        match self.json(request, &Auth::Bearer(token.clone())).await {
            Err(WorkspaceError::Unauthorized { host, body }) => {
                match self.token(Some(&token)).await? {
                    renewed if renewed != token => self.json(request, &Auth::Bearer(renewed)).await,
                    _ => Err(WorkspaceError::Unauthorized { host, body }),
                }
            }
            answered => answered,
        }
    }

    /// Fetches the bytes behind a link that the workspace returned. The link is its own credential,
    /// so no token is sent.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, WorkspaceError> {
        let request =
            Request::link(Method::GET, link).max_bytes(MAX_CHUNK_BYTES).time_limit(FETCH_TIMEOUT);
        Ok(self.respond(&request, &Auth::None).await?.body)
    }

    async fn json(&self, request: &Request, auth: &Auth) -> Result<Value, WorkspaceError> {
        self.respond(request, auth).await?.json().map_err(WorkspaceError::Net)
    }

    async fn respond(&self, request: &Request, auth: &Auth) -> Result<Response, WorkspaceError> {
        let now = || self.clock.now();
        let response = retry::send(&self.http, request, auth, now).await;
        let response = response.and_then(Response::success);
        response.map_err(|err| WorkspaceError::of(err, self.clock.now()))
    }

    /// Returns the current token. Obtains a token again if the current one is about to expire or is
    /// `refused`. Concurrent callers wait for the same token.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, WorkspaceError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref()
            && Some(&held.token) != refused
            && held.renew_at.is_none_or(|at| Instant::now() < at)
        {
            return Ok(held.token.clone());
        }
        let renewed = self.obtain().await?;
        let token = renewed.token.clone();
        *held = Some(renewed);
        Ok(token)
    }

    async fn obtain(&self) -> Result<CachedToken, WorkspaceError> {
        match &self.credentials {
            Credentials::Token(token) => Ok(CachedToken {
                token: header_safe(token.expose(), "token", "DATABRICKS_TOKEN")?,
                renew_at: None,
            }),
            Credentials::TokenFile(path) => {
                let unreadable =
                    |source| WorkspaceError::TokenFile { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Ok(CachedToken {
                    token: header_safe(text.trim(), "token", &path.display().to_string())?,
                    renew_at: None,
                })
            }
            Credentials::Client { id, secret } => {
                let secret =
                    header_safe(secret.expose(), "client secret", "DATABRICKS_CLIENT_SECRET")?;
                let request = Request::new(Method::POST, "oidc/v1/token")
                    .form("grant_type", "client_credentials")
                    .form("scope", "all-apis")
                    .repeatable();
                let auth = Auth::Basic { user: id.clone(), password: secret };
                // An unknown principal gets this response too, so it is reported like an invalid
                // token.
                let answer = self.json(&request, &auth).await.map_err(|err| match err {
                    WorkspaceError::Rejected { host, body, .. } => {
                        WorkspaceError::Unauthorized { host, body }
                    }
                    other => other,
                })?;
                let bad_grant = || WorkspaceError::BadGrant { host: self.host().to_owned() };
                let granted: Granted = serde_json::from_value(answer).map_err(|_| bad_grant())?;
                if !is_header_safe(&granted.access_token) {
                    return Err(bad_grant());
                }
                let lifetime = Duration::from_secs(granted.expires_in);
                let margin = MARGIN.min(lifetime / 5);
                Ok(CachedToken {
                    token: Secret::new(granted.access_token),
                    renew_at: Some(Instant::now() + (lifetime - margin)),
                })
            }
        }
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace")
            .field("host", &self.host())
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// Returns a token or secret that can be sent in a header, or an error.
fn header_safe(token: &str, what: &'static str, origin: &str) -> Result<Secret, WorkspaceError> {
    if !is_header_safe(token) {
        return Err(WorkspaceError::BadToken { what, origin: origin.to_owned() });
    }
    Ok(Secret::new(token))
}

fn is_header_safe(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}
