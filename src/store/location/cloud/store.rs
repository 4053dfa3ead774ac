//! Wraps a cloud's storage so that its results are unambiguous.

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

use super::answer::Answer;
use super::error::CloudError;
use super::location::BucketLocation;
use super::settings::Source;
use crate::databricks::catalog::CatalogError;

/// Time limit for creating a small object. The commit's deadline is three times as long, so that
/// one hanging put does not use all of it; after a timeout, the caller finds out by reading whether
/// the put landed.
const PUT_TIMEOUT: Duration = Duration::from_secs(10);
/// Initial wait before a create is retried; it doubles.
const INITIAL_BACKOFF: Duration = Duration::from_millis(50);
/// Maximum size of a small object.
const SMALL_FILE_BYTES: usize = 1 << 20;

/// A storage whose errors hold no secrets, and whose creates are idempotent: if a name already
/// holds exactly the bytes to be created, this create put them there, its first response was lost,
/// and the client repeated it. This holds because a lake never creates the same bytes twice: every
/// entry and every file contains its own id.
#[derive(Debug)]
pub struct CloudStore {
    inner: Arc<dyn ObjectStore>,
    errors: Arc<ErrorMapper>,
}

#[derive(Debug)]
struct ErrorMapper {
    place: BucketLocation,
    source: Source,
}

impl ErrorMapper {
    /// Returns an equivalent error without the storage's own text.
    fn map(&self, err: Error) -> Error {
        // No request reached the storage: the catalog vended no credential, and its error gives the
        // reason.
        if let Some(cause) = CatalogError::within(&err) {
            return Error::Generic { store: self.place.cloud.name(), source: cause.into() };
        }
        let answer = Answer::of(&err);
        let explain = || answer.err(&self.place, self.source).into();
        match err {
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
                Error::PermissionDenied { path, source: explain() }
            }
            Error::Unauthenticated { path, .. } => {
                Error::Unauthenticated { path, source: explain() }
            }
            Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented { .. } => err,
            _ => Error::Generic { store: self.place.cloud.name(), source: explain() },
        }
    }
}

impl CloudStore {
    pub fn new(inner: Arc<dyn ObjectStore>, place: BucketLocation, source: Source) -> Self {
        Self { inner, errors: Arc::new(ErrorMapper { place, source }) }
    }

    fn map<T>(&self, answer: Result<T>) -> Result<T> {
        answer.map_err(|err| self.errors.map(err))
    }

    fn map_each<T: 'static>(
        &self,
        answers: BoxStream<'static, Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let errors = Arc::clone(&self.errors);
        answers.map_err(move |err| errors.map(err)).boxed()
    }

    /// Creates an object, with retries if the connection failed: finding these bytes under the name
    /// means success.
    async fn create(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let begun = tokio::time::Instant::now();
        let mut wait = INITIAL_BACKOFF;
        loop {
            let err = match self
                .try_create(
                    location,
                    &payload,
                    options.clone(),
                    PUT_TIMEOUT.saturating_sub(begun.elapsed()),
                )
                .await
            {
                Err(err) => err,
                done => return done,
            };
            let may_pass = CloudError::within(&err).is_some_and(CloudError::is_retryable);
            if !may_pass || begun.elapsed() + wait >= PUT_TIMEOUT {
                return Err(err);
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
        timeout: Duration,
    ) -> Result<PutResult> {
        let put = self.inner.put_opts(location, payload.clone(), options);
        let is_small = payload.content_length() <= SMALL_FILE_BYTES;
        let late = |_| {
            Err(Error::Generic {
                store: self.errors.place.cloud.name(),
                source: "timed out".into(),
            })
        };
        let done = if is_small {
            tokio::time::timeout(timeout, put).await.unwrap_or_else(late)
        } else {
            put.await
        };
        if let Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) = &done
            && let Some(result) = self.holds(location, payload).await
        {
            return Ok(result);
        }
        self.map(done)
    }

    /// Returns a result if these bytes are under the name; `None` also if the storage does not
    /// answer.
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

impl fmt::Display for CloudStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors.place.url.fmt(f)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for CloudStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Create => self.create(location, payload, options).await,
            _ => self.map(self.inner.put_opts(location, payload, options).await),
        }
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.map(self.inner.put_multipart_opts(location, options).await)
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut found = self.map(self.inner.get_opts(location, options).await)?;
        found.payload = match found.payload {
            GetResultPayload::Stream(bytes) => GetResultPayload::Stream(self.map_each(bytes)),
            file => file,
        };
        Ok(found)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.map(self.inner.get_ranges(location, ranges).await)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.map_each(self.inner.delete_stream(locations))
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.map_each(self.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.map_each(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.map(self.inner.list_with_delimiter(prefix).await)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.map(self.inner.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.map(self.inner.rename_opts(from, to, options).await)
    }
}
