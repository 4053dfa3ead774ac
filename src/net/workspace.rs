//! A Databricks workspace: its API, spoken to by someone whose token may run out.

use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Http, NetError, Request};
use crate::domain::secret::{Login, Secret};

/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_secs(120);

/// A workspace and who speaks to it.
#[derive(Debug)]
pub struct Workspace {
    http: Http,
    login: Login,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    token: Secret,
    renew_at: Option<Instant>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

impl Workspace {
    pub fn open(host: &str, login: Login) -> Result<Self, NetError> {
        Ok(Self { http: Http::new(host)?, login, held: Mutex::default() })
    }

    pub fn host(&self) -> &str {
        self.http.host()
    }

    /// Asks the workspace. A token that is refused is renewed once, where it can be.
    pub async fn ask(&self, request: &Request) -> Result<Value, NetError> {
        let token = self.token(None).await?;
        match self.http.json(request, Some(&token)).await {
            Err(NetError::Unauthorized { host, said }) => match self.token(Some(&token)).await? {
                renewed if renewed != token => self.http.json(request, Some(&renewed)).await,
                _ => Err(NetError::Unauthorized { host, said }),
            },
            answered => answered,
        }
    }

    /// The bytes behind a link that the workspace gave; no token goes there.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, NetError> {
        self.http.fetch(link).await
    }

    /// The token in use, or another one than the `refused`, where there is another. Whoever comes while one is asked for
    /// waits for that one.
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

    async fn obtain(&self) -> Result<Held, NetError> {
        match &self.login {
            Login::Token(token) => Ok(Held {
                token: fit(token.expose(), "token", "DATABRICKS_TOKEN")?,
                renew_at: None,
            }),
            Login::TokenFile(path) => {
                let unreadable =
                    |source| NetError::TokenFile { path: path.display().to_string(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Ok(Held {
                    token: fit(text.trim(), "token", &path.display().to_string())?,
                    renew_at: None,
                })
            }
            Login::Client { id, secret } => {
                let secret = fit(secret.expose(), "client secret", "DATABRICKS_CLIENT_SECRET")?;
                let answer =
                    self.http.json(&Request::token("oidc/v1/token", id, &secret), None).await;
                // A principal that is not known is answered so too; the sentence is that of a token.
                let answer = answer.map_err(|fault| match fault {
                    NetError::Rejected { host, said, .. } => NetError::Unauthorized { host, said },
                    other => other,
                })?;
                let not_json = |_| NetError::NotJson { host: self.host().to_owned() };
                let granted: Granted = serde_json::from_value(answer).map_err(not_json)?;
                if !is_fit(&granted.access_token) {
                    return Err(NetError::BadGrant { host: self.host().to_owned() });
                }
                let lifetime = Duration::from_secs(granted.expires_in);
                let margin = MARGIN.min(lifetime / 5);
                Ok(Held {
                    token: Secret::new(granted.access_token),
                    renew_at: Some(Instant::now() + (lifetime - margin)),
                })
            }
        }
    }
}

/// A token or a secret that fits into a header.
fn fit(token: &str, what: &'static str, origin: &str) -> Result<Secret, NetError> {
    if !is_fit(token) {
        return Err(NetError::BadToken { what, origin: origin.to_owned() });
    }
    Ok(Secret::new(token))
}

fn is_fit(token: &str) -> bool {
    !token.is_empty() && token.chars().all(|c| c.is_ascii_graphic())
}
