//! HTTP client: sends one request once, and reads its response within limits.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};
use reqwest::{Client, redirect};
use url::{Host, Url};

use super::auth::Auth;
use super::body::{Decoder, ENCODINGS, Undecoded};
use super::connection;
use super::error::NetError;
use super::error_response::{ErrorBody, ErrorResponse};
use super::headers::Headers;
use super::host::{self, Base};
use super::network::Network;
use super::reach::Reach;
use super::request::{Body, Request, Target};
use super::resolver::GuardedResolver;
use super::response::Response;
use crate::domain::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of decoded bytes that are read from an error body.
const MAX_ERROR_BODY_BYTES: usize = 64 << 10;
/// Maximum number of redirects of one request.
const MAX_REDIRECTS: usize = 5;

/// Client of one API, or of URLs from outside.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: Option<Base>,
    resolver: Arc<GuardedResolver>,
    /// Host of the proxy, which only the client itself contacts.
    proxy: Option<String>,
}

/// Redirects that a client follows. Any other redirect is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    None,
    /// To the same scheme, host and port: a credential goes nowhere else.
    SameOrigin,
}

impl Http {
    /// Creates a client of an API that the user configured. Its host may have any address. Links in
    /// its answers may lead to public addresses and into private networks.
    pub fn of_api(base: Base, redirects: Redirects, network: &Network) -> Result<Self, NetError> {
        let others = if base.is_local() { Reach::Configured } else { Reach::Linked };
        Self::open(Some(base), others, redirects, network)
    }

    /// Creates a client of URLs from outside, such as the targets of webhooks. They may lead to
    /// public addresses only.
    pub fn public(network: &Network) -> Result<Self, NetError> {
        Self::open(None, Reach::Public, Redirects::None, network)
    }

    fn open(
        base: Option<Base>,
        others: Reach,
        redirects: Redirects,
        network: &Network,
    ) -> Result<Self, NetError> {
        // Over plain http a proxy would see the credential.
        let is_local = base.as_ref().is_some_and(Base::is_local);
        let proxy_server = network.proxy.as_ref().filter(|_| !is_local);
        let proxy = proxy_server.map(|server| server.host()).transpose()?;
        let configured =
            base.iter().map(|base| base.host().to_owned()).chain(proxy.clone()).collect();
        let resolver =
            Arc::new(GuardedResolver { names: network.names.clone(), configured, others });
        let mut builder = Client::builder()
            .user_agent(concat!("lakeplan/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(policy(redirects))
            // The callers decide what is sent again.
            .retry(reqwest::retry::never())
            // The environment is not read here.
            .no_proxy()
            .dns_resolver(Arc::clone(&resolver));
        if let Some(server) = proxy_server {
            builder = builder.proxy(server.open(network.no_proxy.as_deref())?);
        }
        for certificate in network.certificates.iter().map(|bundle| bundle.read()) {
            builder = certificate?
                .into_iter()
                .fold(builder, |builder, authority| builder.add_root_certificate(authority));
        }
        let client = builder.build().map_err(|source| NetError::Tls { source })?;
        Ok(Self { client, base, resolver, proxy })
    }

    /// Returns the host of the API; an empty text for a client without one.
    pub fn host(&self) -> &str {
        self.base.as_ref().map(Base::host).unwrap_or_default()
    }

    /// Sends a request once. Returns a success, or a response to the request's condition (304, 412).
    pub async fn send(&self, request: &Request, auth: &Auth) -> Result<Response, NetError> {
        let url = self.url(request, auth)?;
        let host = url.host_str().unwrap_or_default().to_owned();
        self.check_reach(&url)?;
        // An error body from elsewhere may repeat parts of a signed link.
        let is_own = self.base.as_ref().is_some_and(|base| base.is_origin_of(&url));
        let built = self.build(request, url, auth, &host)?;
        let secrets: Vec<Secret> = auth
            .secrets()
            .into_iter()
            .chain(credential(&built))
            .chain(request.secrets.clone())
            .collect();
        let sent = self.client.execute(built).await;
        let mut answer = sent.map_err(|err| connection::before_answer(&host, err))?;
        let status = answer.status().as_u16();
        let headers = read_headers(answer.headers());
        let encoding = headers.get(CONTENT_ENCODING.as_str()).unwrap_or_default().to_owned();
        if answer.status().is_success() {
            let body = read_body(&mut answer, &encoding, request.max_bytes, &host).await?;
            return Ok(Response { status, headers, body, host, secrets });
        }
        let body = read_error_body(&mut answer, &encoding).await;
        if matches!(status, 304 | 412) {
            let body = body.ok().filter(|_| is_own).unwrap_or_default();
            return Ok(Response { status, headers, body, host, secrets });
        }
        let body = match body {
            _ if !is_own => ErrorBody::Text(String::new()),
            Ok(body) => ErrorBody::read(&body, &secrets),
            Err(partial) => ErrorBody::read_cut(&partial, &secrets),
        };
        Err(NetError::Answered(Box::new(ErrorResponse { host, status, headers, body })))
    }

    /// Returns the URL of a request. A credential for the API goes to the API only.
    fn url(&self, request: &Request, auth: &Auth) -> Result<Url, NetError> {
        let bad = |given: &str, why| NetError::BadAddress { given: given.to_owned(), why };
        let mut url = match (&request.target, &self.base) {
            (Target::Path(segments), Some(base)) => base.url(segments),
            (Target::Path(_), None) => return Err(bad("a path", "it has no host")),
            (Target::Link(link), base) => {
                let url = host::link(link.expose(), base.as_ref())?;
                if base.as_ref().is_some_and(|base| !base.is_origin_of(&url) && !auth.is_none()) {
                    return Err(bad(
                        "a link of the answer",
                        "it leads to another server, to which no credential is sent",
                    ));
                }
                url
            }
        };
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        if let Auth::Query(pairs) = auth {
            let pairs = pairs.iter().map(|(name, secret)| (name, secret.expose()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        Ok(url)
    }

    /// Checks an address that needs no lookup. The resolver checks the addresses of names.
    fn check_reach(&self, url: &Url) -> Result<(), NetError> {
        let host = url.host_str().unwrap_or_default();
        let blocked = |why| NetError::Blocked { host: host.to_owned(), why };
        if self.proxy.as_deref() == Some(host) && self.host() != host {
            return Err(blocked("that of the proxy"));
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.resolver.reach(host).refusal(address).map_or(Ok(()), |why| Err(blocked(why)))
    }

    fn build(
        &self,
        request: &Request,
        url: Url,
        auth: &Auth,
        host: &str,
    ) -> Result<reqwest::Request, NetError> {
        let bad =
            |part: &str| NetError::BadRequest { host: host.to_owned(), part: part.to_owned() };
        let value = |name: &str, text: &str| HeaderValue::from_str(text).map_err(|_| bad(name));
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(ENCODINGS));
        let (content_type, body) = match &request.body {
            Body::None => (None, None),
            Body::Json(json) => (Some("application/json"), Some(json.to_string().into())),
            Body::Form(fields) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                let form = form.extend_pairs(fields).finish();
                (Some("application/x-www-form-urlencoded"), Some(form.into()))
            }
            Body::Bytes { content_type, bytes } => {
                (Some(content_type.as_str()), Some(reqwest::Body::from(bytes.clone())))
            }
        };
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, value("Content-Type", content_type)?);
        }
        for (name, text) in &request.headers {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            headers.insert(header, value(name, text)?);
        }
        if let Auth::Header { name, value: secret } = auth {
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?;
            let mut secret = value(name, secret.expose())?;
            secret.set_sensitive(true);
            headers.insert(header, secret);
        }
        let mut builder = self
            .client
            .request(request.method.clone(), url)
            .timeout(request.time_limit)
            .headers(headers);
        builder = match auth {
            Auth::Bearer(token) => builder.bearer_auth(token.expose()),
            Auth::Basic { user, password } => builder.basic_auth(user, Some(password.expose())),
            Auth::None | Auth::Header { .. } | Auth::Query(_) => builder,
        };
        if let Some(body) = body {
            builder = builder.body(body);
        }
        builder.build().map_err(|_| bad("the credential"))
    }
}

fn policy(redirects: Redirects) -> redirect::Policy {
    match redirects {
        Redirects::None => redirect::Policy::none(),
        Redirects::SameOrigin => redirect::Policy::custom(|attempt| {
            let from = attempt.previous().last().map(Url::origin);
            let is_same = from.is_some_and(|from| from == attempt.url().origin());
            if is_same && attempt.previous().len() <= MAX_REDIRECTS {
                attempt.follow()
            } else {
                attempt.stop()
            }
        }),
    }
}

fn read_headers(headers: &HeaderMap) -> Headers {
    Headers::new(headers.iter().map(|(name, value)| {
        (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    }))
}

/// Reads the body of a success.
async fn read_body(
    answer: &mut reqwest::Response,
    encoding: &str,
    limit: usize,
    host: &str,
) -> Result<Vec<u8>, NetError> {
    let status = answer.status().as_u16();
    let undecoded = |why| match why {
        Undecoded::TooLarge => NetError::TooLarge { host: host.to_owned(), status, limit },
        Undecoded::Malformed => {
            NetError::BadEncoding { host: host.to_owned(), status, encoding: encoding.to_owned() }
        }
    };
    let mut decoder =
        Decoder::new(encoding, limit).ok_or_else(|| undecoded(Undecoded::Malformed))?;
    while let Some(piece) =
        answer.chunk().await.map_err(|err| connection::within_body(host, err))?
    {
        decoder.push(&piece).map_err(undecoded)?;
    }
    decoder.finish().map_err(undecoded)
}

/// Reads an error body, which may be too large or end early: its status is known already.
async fn read_error_body(
    answer: &mut reqwest::Response,
    encoding: &str,
) -> Result<Vec<u8>, Vec<u8>> {
    let Some(mut decoder) = Decoder::new(encoding, MAX_ERROR_BODY_BYTES) else {
        return Err(Vec::new());
    };
    loop {
        match answer.chunk().await {
            Ok(Some(piece)) if decoder.push(&piece).is_ok() => {}
            Ok(None) => return decoder.finish().map_err(|_| Vec::new()),
            Ok(Some(_)) | Err(_) => return Err(decoder.partial()),
        }
    }
}

/// Returns the credential in a request's `Authorization` header, such as an encoded name and
/// password.
fn credential(request: &reqwest::Request) -> Option<Secret> {
    let shown = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    shown.split_once(' ').map(|(_, credential)| Secret::new(credential))
}
