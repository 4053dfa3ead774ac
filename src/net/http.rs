//! The client: one request, its answer, its faults.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::Value;
use url::Url;

use super::error::{NetError, Said};
use super::request::{Body, Request};
use super::{host, retry};
use crate::domain::secret::Secret;

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Of a body that explains a failure.
const MOST_EXPLAINED: usize = 64 << 10;
/// The largest piece of an answer that is fetched by a link, and how long it may take.
const MOST_FETCHED: usize = 256 << 20;
const FETCH_WITHIN: Duration = Duration::from_secs(300);

/// A client of one API.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: Url,
    host: String,
}

impl Http {
    /// A client of the API at an address.
    pub fn new(given: &str) -> Result<Self, NetError> {
        let base = host::base(given)?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let mut builder = Client::builder()
            .user_agent(concat!("lakeplan/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            // A redirect would take the token elsewhere.
            .redirect(redirect::Policy::none());
        if host::is_loopback(&base) {
            // Over plain http a proxy would see the token.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| NetError::Unreachable { host: host.clone(), source })?;
        Ok(Self { client, base, host })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request, again where that is right, and gives the JSON it is answered with.
    pub async fn json(&self, request: &Request, bearer: Option<&Secret>) -> Result<Value, NetError> {
        let body = self.repeated(request.is_repeatable, request.most, || self.prepared(request, bearer)).await;
        let body = body.map_err(|fault| match bearer {
            Some(secret) => blotted(fault, secret),
            None => fault,
        })?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| NetError::NotJson { host: self.host.clone() })
    }

    /// The bytes behind a link of an answer. The link proves itself, so no token goes there.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, NetError> {
        let url = host::link(link, &self.base)?;
        self.repeated(true, MOST_FETCHED, || self.client.get(url.clone()).timeout(FETCH_WITHIN)).await
    }

    async fn repeated(
        &self,
        is_repeatable: bool,
        most: usize,
        prepared: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, NetError> {
        let mut attempt = 1;
        loop {
            let fault = match self.once(prepared(), most).await {
                Ok(body) => return Ok(body),
                Err(fault) => fault,
            };
            let Some(pause) = retry::pause(attempt, &fault, is_repeatable) else { return Err(fault) };
            tracing::debug!(%fault, attempt, pause_ms = pause.as_millis() as u64, "sent again after a pause");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once(&self, request: RequestBuilder, most: usize) -> Result<Vec<u8>, NetError> {
        // The address of a fault may be a signed link.
        let unreachable =
            |source: reqwest::Error| NetError::Unreachable { host: self.host.clone(), source: source.without_url() };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let most = if status.is_success() { most } else { MOST_EXPLAINED };
        let after = retry_after(&response);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > most {
                if status.is_success() {
                    return Err(NetError::TooLarge { host: self.host.clone(), limit: most });
                }
                break;
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(body);
        }
        Err(NetError::of_status(self.host.clone(), status.as_u16(), after, Said::read(&body)))
    }

    fn prepared(&self, request: &Request, bearer: Option<&Secret>) -> RequestBuilder {
        let url = request.url(&self.base);
        let prepared = match &request.body {
            Body::None => self.client.get(url),
            Body::Json(json) => self.client.post(url).header(CONTENT_TYPE, "application/json").body(json.to_string()),
            Body::TokenForm { id, secret } => self
                .client
                .post(url)
                .basic_auth(id, Some(secret.expose()))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body("grant_type=client_credentials&scope=all-apis"),
        };
        let prepared = prepared.timeout(request.within);
        match bearer {
            Some(token) => prepared.bearer_auth(token.expose()),
            None => prepared,
        }
    }
}

/// The seconds that an answer bids us wait. The other form, a date, would need the clocks to agree.
fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn blotted(fault: NetError, secret: &Secret) -> NetError {
    match fault {
        NetError::Unauthorized { host, said } => NetError::Unauthorized { host, said: Box::new(said.blotted(secret)) },
        NetError::Forbidden { host, said } => NetError::Forbidden { host, said: Box::new(said.blotted(secret)) },
        NetError::NotFound { host, said } => NetError::NotFound { host, said: Box::new(said.blotted(secret)) },
        NetError::Rejected { host, status, said } => NetError::Rejected { host, status, said: Box::new(said.blotted(secret)) },
        NetError::Server { host, status, after, said } => {
            NetError::Server { host, status, after, said: Box::new(said.blotted(secret)) }
        }
        other => other,
    }
}
