//! Client of a Databricks workspace's API that renews tokens before they expire.

use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Http, NetError, Request};
use crate::domain::secret::{Credentials, Secret};

/// Time before its expiry at which a token is renewed.
const MARGIN: Duration = Duration::from_secs(120);

/// Workspace, with the credentials that are used to access it.
#[derive(Debug)]
pub struct Workspace {
    http: Http,
    credentials: Credentials,
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
    pub fn open(host: &str, credentials: Credentials) -> Result<Self, NetError> {
        Ok(Self { http: Http::new(host)?, credentials, held: Mutex::default() })
    }

    pub fn host(&self) -> &str {
        self.http.host()
    }

    /// Sends a request to the workspace. If the token is rejected and another one is available,
    /// retries once.
    pub async fn send(&self, request: &Request) -> Result<Value, NetError> {
        let token = self.token(None).await?;
        match self.http.json(request, Some(&token)).await {
            Err(NetError::Unauthorized { host, body }) => match self.token(Some(&token)).await? {
                renewed if renewed != token => self.http.json(request, Some(&renewed)).await,
                _ => Err(NetError::Unauthorized { host, body }),
            },
            answered => answered,
        }
    }

    /// Fetches the bytes behind a link that the workspace returned. No token is sent.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, NetError> {
        self.http.fetch(link).await
    }

    /// Returns the current token. Obtains a token again if the current one is about to expire or is
    /// `refused`. Concurrent callers wait for the same token.
    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, NetError> {
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

    async fn obtain(&self) -> Result<CachedToken, NetError> {
        match &self.credentials {
            Credentials::Token(token) => Ok(CachedToken {
                token: header_safe(token.expose(), "token", "DATABRICKS_TOKEN")?,
                renew_at: None,
            }),
            Credentials::TokenFile(path) => {
                let unreadable =
                    |source| NetError::TokenFile { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Ok(CachedToken {
                    token: header_safe(text.trim(), "token", &path.display().to_string())?,
                    renew_at: None,
                })
            }
            Credentials::Client { id, secret } => {
                let secret =
                    header_safe(secret.expose(), "client secret", "DATABRICKS_CLIENT_SECRET")?;
                let answer =
                    self.http.json(&Request::token("oidc/v1/token", id, &secret), None).await;
                // An unknown principal gets this response too, so it is reported like an invalid
                // token.
                let answer = answer.map_err(|err| match err {
                    NetError::Rejected { host, body, .. } => NetError::Unauthorized { host, body },
                    other => other,
                })?;
                let not_json = |_| NetError::NotJson { host: self.host().to_owned() };
                let granted: Granted = serde_json::from_value(answer).map_err(not_json)?;
                if !is_header_safe(&granted.access_token) {
                    return Err(NetError::BadGrant { host: self.host().to_owned() });
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

/// Returns a token or secret that can be sent in a header, or an error.
fn header_safe(token: &str, what: &'static str, origin: &str) -> Result<Secret, NetError> {
    if !is_header_safe(token) {
        return Err(NetError::BadToken { what, origin: origin.to_owned() });
    }
    Ok(Secret::new(token))
}

fn is_header_safe(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}
