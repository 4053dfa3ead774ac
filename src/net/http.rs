//! HTTP client: sends requests and maps responses and errors.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, redirect};
use serde_json::Value;
use url::Url;

use super::error::{ApiErrorBody, NetError};
use super::request::{Body, Request};
use super::{host, retry};
use crate::domain::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of bytes read from an error body.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// Maximum size of a chunk fetched through a link, and the timeout of that fetch.
const MAX_RESPONSE_BYTES: usize = 256 << 20;
const FETCH_TIMEOUT: Duration = Duration::from_secs(300);

/// Client of one API.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: Url,
    host: String,
}

/// Server host, response size limit, and how much of an error body is shown.
struct ResponseContext<'a> {
    host: &'a str,
    max_bytes: usize,
    words: Words<'a>,
}

/// Part of an error body that is shown.
#[derive(Clone, Copy)]
enum Words<'a> {
    /// All of it, except the request's credential and the secret that the credential is derived
    /// from.
    Without(Option<&'a Secret>),
    Untold,
}

impl Http {
    /// Creates a client of the API at an address.
    pub fn new(given: &str) -> Result<Self, NetError> {
        let base = host::base(given)?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let mut builder = Client::builder()
            .user_agent(concat!("lakeplan/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirect would send the token to another server.
            .redirect(redirect::Policy::none());
        if host::is_loopback(&base) {
            // Over plain http a proxy would see the token.
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|source| NetError::Unreachable { host: host.clone(), source })?;
        Ok(Self { client, base, host })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request, retries it if that is safe, and returns the JSON response.
    pub async fn json(
        &self,
        request: &Request,
        bearer: Option<&Secret>,
    ) -> Result<Value, NetError> {
        let context = ResponseContext {
            host: &self.host,
            max_bytes: request.max_bytes,
            words: Words::Without(request.secret()),
        };
        let body = self
            .send_with_retry(request.is_repeatable, &context, || {
                self.build_request(request, bearer)
            })
            .await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| NetError::NotJson { host: self.host.clone() })
    }

    /// Fetches the bytes behind a link from a response. The link is its own credential, so no token
    /// is sent. Error bodies are not shown, since they may repeat the link.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, NetError> {
        let url = host::link(link, &self.base)?;
        let storage = url.host_str().unwrap_or_default();
        let context =
            ResponseContext { host: storage, max_bytes: MAX_RESPONSE_BYTES, words: Words::Untold };
        self.send_with_retry(true, &context, || self.client.get(url.clone()).timeout(FETCH_TIMEOUT))
            .await
    }

    async fn send_with_retry(
        &self,
        is_repeatable: bool,
        context: &ResponseContext<'_>,
        build_request: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, NetError> {
        let mut attempt = 1;
        loop {
            let err = match self.send_once(build_request(), context).await {
                Ok(body) => return Ok(body),
                Err(err) => err,
            };
            let Some(backoff) = retry::backoff(attempt, &err, is_repeatable) else {
                return Err(err);
            };
            tracing::debug!(%err, attempt, pause_ms = backoff.as_millis() as u64, "sent again after a pause");
            tokio::time::sleep(backoff).await;
            attempt += 1;
        }
    }

    async fn send_once(
        &self,
        request: RequestBuilder,
        context: &ResponseContext<'_>,
    ) -> Result<Vec<u8>, NetError> {
        let host = || context.host.to_owned();
        // The URL in an error may be a signed link.
        let unreachable = |source: reqwest::Error| NetError::Unreachable {
            host: host(),
            source: source.without_url(),
        };
        let request = request.build().map_err(unreachable)?;
        let shown = credential(&request);
        let mut response = self.client.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let max_bytes = if status.is_success() { context.max_bytes } else { MAX_ERROR_BODY_BYTES };
        let after = retry_after(&response);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > max_bytes {
                if status.is_success() {
                    return Err(NetError::TooLarge { host: host(), limit: max_bytes });
                }
                break;
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(body);
        }
        let body = match context.words {
            Words::Without(secret) => {
                let secrets: Vec<Secret> = secret.cloned().into_iter().chain(shown).collect();
                ApiErrorBody::read(&body, &secrets)
            }
            Words::Untold => ApiErrorBody::default(),
        };
        Err(NetError::of_status(host(), status.as_u16(), after, body))
    }

    fn build_request(&self, request: &Request, bearer: Option<&Secret>) -> RequestBuilder {
        let url = request.url(&self.base);
        let build_request = match &request.body {
            Body::None => self.client.get(url),
            Body::Json(json) => self
                .client
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .body(json.to_string()),
            Body::TokenForm { id, secret } => self
                .client
                .post(url)
                .basic_auth(id, Some(secret.expose()))
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body("grant_type=client_credentials&scope=all-apis"),
        };
        let build_request = build_request.timeout(request.time_limit);
        match bearer {
            Some(token) => build_request.bearer_auth(token.expose()),
            None => build_request,
        }
    }
}

/// Returns the seconds in the `Retry-After` header. Its other form, a date, would require
/// synchronized clocks.
fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the credential that a request carries: a token, or an encoded name and password.
fn credential(request: &reqwest::Request) -> Option<Secret> {
    let shown = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    shown.split_once(' ').map(|(_, credential)| Secret::new(credential))
}
