//! The client: one request, its answer, its faults.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
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

/// Who answers, how much is taken from it, and which of its words are told.
struct Answerer<'a> {
    host: &'a str,
    most: usize,
    words: Words<'a>,
}

/// The words of a refusal that are told.
#[derive(Clone, Copy)]
enum Words<'a> {
    /// All but the credential that the request shows and the secret that this one is made of.
    Without(Option<&'a Secret>),
    Untold,
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
        let client = builder
            .build()
            .map_err(|source| NetError::Unreachable { host: host.clone(), source })?;
        Ok(Self { client, base, host })
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends a request, again where that is right, and gives the JSON it is answered with.
    pub async fn json(
        &self,
        request: &Request,
        bearer: Option<&Secret>,
    ) -> Result<Value, NetError> {
        let answerer = Answerer {
            host: &self.host,
            most: request.most,
            words: Words::Without(request.secret()),
        };
        let body = self
            .repeated(request.is_repeatable, &answerer, || self.prepared(request, bearer))
            .await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&body).map_err(|_| NetError::NotJson { host: self.host.clone() })
    }

    /// The bytes behind a link of an answer. The link proves itself, so no token goes there, and the words of a refusal
    /// are not told: they may repeat the link.
    pub async fn fetch(&self, link: &str) -> Result<Vec<u8>, NetError> {
        let url = host::link(link, &self.base)?;
        let storage = url.host_str().unwrap_or_default();
        let answerer = Answerer { host: storage, most: MOST_FETCHED, words: Words::Untold };
        self.repeated(true, &answerer, || self.client.get(url.clone()).timeout(FETCH_WITHIN)).await
    }

    async fn repeated(
        &self,
        is_repeatable: bool,
        answerer: &Answerer<'_>,
        prepared: impl Fn() -> RequestBuilder,
    ) -> Result<Vec<u8>, NetError> {
        let mut attempt = 1;
        loop {
            let fault = match self.once(prepared(), answerer).await {
                Ok(body) => return Ok(body),
                Err(fault) => fault,
            };
            let Some(pause) = retry::pause(attempt, &fault, is_repeatable) else {
                return Err(fault);
            };
            tracing::debug!(%fault, attempt, pause_ms = pause.as_millis() as u64, "sent again after a pause");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn once(
        &self,
        request: RequestBuilder,
        answerer: &Answerer<'_>,
    ) -> Result<Vec<u8>, NetError> {
        let host = || answerer.host.to_owned();
        // The address of a fault may be a signed link.
        let unreachable = |source: reqwest::Error| NetError::Unreachable {
            host: host(),
            source: source.without_url(),
        };
        let request = request.build().map_err(unreachable)?;
        let shown = credential(&request);
        let mut response = self.client.execute(request).await.map_err(unreachable)?;
        let status = response.status();
        let most = if status.is_success() { answerer.most } else { MOST_EXPLAINED };
        let after = retry_after(&response);
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            if body.len() + piece.len() > most {
                if status.is_success() {
                    return Err(NetError::TooLarge { host: host(), limit: most });
                }
                break;
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return Ok(body);
        }
        let said = match answerer.words {
            Words::Without(secret) => {
                let secrets: Vec<Secret> = secret.cloned().into_iter().chain(shown).collect();
                Said::read(&body, &secrets)
            }
            Words::Untold => Said::default(),
        };
        Err(NetError::of_status(host(), status.as_u16(), after, said))
    }

    fn prepared(&self, request: &Request, bearer: Option<&Secret>) -> RequestBuilder {
        let url = request.url(&self.base);
        let prepared = match &request.body {
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

/// What a request shows as its right: a token, or a name and a password in one.
fn credential(request: &reqwest::Request) -> Option<Secret> {
    let shown = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    shown.split_once(' ').map(|(_, credential)| Secret::new(credential))
}
