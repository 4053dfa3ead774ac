//! A cloud's storage, whose answers tell what happened.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, RenameOptions, Result,
};

use super::fault::{Answer, CloudFault};
use super::place::Place;
use super::settings::Source;
use crate::store::catalog::CatalogError;

/// How long a small object may take to be created. The commit's deadline is thrice as long, so that one put that hangs does
/// not take all of it; who gave up on a put finds out whether it landed by reading.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first wait before a create is tried again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// What is small, in bytes.
const SMALL: usize = 1 << 20;

/// A storage whose faults are told without secrets, and whose creates are told apart: a name that holds the very bytes that
/// were to be created was created by this create, whose first answer was lost and which the client then repeated. That is so
/// because what a lake creates is never the same twice: every entry and every file bears an id of its own.
#[derive(Debug)]
pub struct ToldStore {
    inner: Arc<dyn ObjectStore>,
    teller: Arc<Teller>,
}

#[derive(Debug)]
struct Teller {
    place: Place,
    source: Source,
}

impl Teller {
    /// The same situation without the storage's own words.
    fn tell(&self, fault: Error) -> Error {
        // Nothing was asked of the storage: the catalog gave no credential, and says why.
        if let Some(cause) = CatalogError::within(&fault) {
            return Error::Generic { store: self.place.cloud.name(), source: cause.into() };
        }
        let answer = Answer::of(&fault);
        let told = || answer.fault(&self.place, self.source).into();
        match fault {
            Error::NotFound { path, .. } if !answer.is_without_bucket() => {
                Error::NotFound { path, source: "there is no such object".into() }
            }
            Error::AlreadyExists { path, .. } => {
                Error::AlreadyExists { path, source: "the name is taken".into() }
            }
            Error::Precondition { path, .. } => {
                Error::Precondition { path, source: "another was faster".into() }
            }
            Error::NotModified { path, .. } => {
                Error::NotModified { path, source: "it is as it was".into() }
            }
            Error::PermissionDenied { path, .. } => {
                Error::PermissionDenied { path, source: told() }
            }
            Error::Unauthenticated { path, .. } => Error::Unauthenticated { path, source: told() },
            Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. } => fault,
            _ => Error::Generic { store: self.place.cloud.name(), source: told() },
        }
    }
}

impl ToldStore {
    pub fn new(inner: Arc<dyn ObjectStore>, place: Place, source: Source) -> Self {
        Self { inner, teller: Arc::new(Teller { place, source }) }
    }

    fn tell<T>(&self, answer: Result<T>) -> Result<T> {
        answer.map_err(|fault| self.teller.tell(fault))
    }

    fn tell_each<T: 'static>(
        &self,
        answers: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let teller = Arc::clone(&self.teller);
        answers.map_err(move |fault| teller.tell(fault)).boxed()
    }

    /// Creates, and again where the connection failed: whoever finds these bytes under the name has created it.
    async fn create(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let begun = tokio::time::Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let fault = match self
                .try_create(
                    location,
                    &payload,
                    options.clone(),
                    PATIENCE.saturating_sub(begun.elapsed()),
                )
                .await
            {
                Err(fault) => fault,
                done => return done,
            };
            let may_pass = CloudFault::within(&fault).is_some_and(CloudFault::is_passing);
            if !may_pass || begun.elapsed() + wait >= PATIENCE {
                return Err(fault);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn try_create(
        &self,
        location: &Path,
        payload: &PutPayload,
        options: PutOptions,
        patience: Duration,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload.clone(), options);
        let is_small = payload.content_length() <= SMALL;
        let late = |_| {
            Err(Error::Generic {
                store: self.teller.place.cloud.name(),
                source: "timed out".into(),
            })
        };
        let done = if is_small {
            tokio::time::timeout(patience, put).await.unwrap_or_else(late)
        } else {
            put.await
        };
        if let Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) = &done
            && let Some(result) = self.holds(location, payload).await
        {
            return Ok(result);
        }
        self.tell(done)
    }

    /// Whether these bytes are under the name; where the storage does not say, it counts as no.
    async fn holds(&self, location: &Path, payload: &PutPayload) -> Option<PutResult> {
        let found = self.inner.get(location).await.ok()?;
        let result =
            PutResult { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        if found.meta.size != payload.content_length() as u64 {
            return None;
        }
        (found.bytes().await.ok()? == Bytes::from(payload.clone())).then_some(result)
    }
}

impl fmt::Display for ToldStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.teller.place.url.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for ToldStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Create => self.create(location, payload, options).await,
            _ => self.tell(self.inner.put_opts(location, payload, options).await),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.tell(self.inner.put_multipart_opts(location, options).await)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.tell(self.inner.get_opts(location, options).await)?;
        found.payload = match found.payload {
            GetResultPayload::Stream(bytes) => GetResultPayload::Stream(self.tell_each(bytes)),
            file => file,
        };
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.tell(self.inner.get_ranges(location, ranges).await)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.tell_each(self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.tell_each(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.tell_each(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.tell(self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.tell(self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.tell(self.inner.rename_opts(from, to, options).await)
    }
}
