//! Keeps an expiring credential available: one caller at a time renews it before it expires. While
//! the current one is valid, nobody waits for long and a failed renewal is not an error.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

use super::api::{self, Access, Vended};
use super::error::CatalogError;
use crate::databricks::Workspace;
use crate::domain::time::Instant;
use crate::runtime::Clock;

/// Time before expiry at which a credential is renewed, if it lives long enough.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// Minimum time between a failed renewal and the next one.
const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// Maximum wait of a caller for a renewal while the current credential is valid.
const VENDING_TIMEOUT: Duration = Duration::from_secs(5);
/// Renewal interval of a credential without an expiry time.
const UNSAID: TimeDelta = TimeDelta::minutes(15);

/// A source of credentials.
#[async_trait]
pub trait CredentialSource: fmt::Debug + Send + Sync {
    async fn vend(&self) -> Result<Vended, CatalogError>;
}

/// Credentials for a location, by its URL.
#[derive(Debug)]
pub struct PathCredentials {
    pub workspace: Arc<Workspace>,
    pub url: String,
    pub access: Access,
}

#[async_trait]
impl CredentialSource for PathCredentials {
    async fn vend(&self) -> Result<Vended, CatalogError> {
        api::for_path(&self.workspace, &self.url, self.access).await
    }
}

/// Credentials for a table.
#[derive(Debug)]
pub struct TableCredentials {
    pub workspace: Arc<Workspace>,
    pub table_id: String,
    pub access: Access,
}

#[async_trait]
impl CredentialSource for TableCredentials {
    async fn vend(&self) -> Result<Vended, CatalogError> {
        api::for_table(&self.workspace, &self.table_id, self.access).await
    }
}

/// A credential that is kept valid.
pub struct Vending {
    credentials: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    /// Locked by the renewing caller.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    vended: Arc<Vended>,
    renew_at: Instant,
    ends_at: Instant,
}

/// State of a credential at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    /// Still valid, but due for renewal.
    Due,
    Over,
}

impl Held {
    fn new(vended: Vended, now: Instant) -> Self {
        let ends_at =
            vended.ends_at.and_then(DateTime::from_timestamp_millis).unwrap_or(now + UNSAID);
        let margin = MARGIN.min((ends_at - now) / 5);
        Self { vended: Arc::new(vended), renew_at: ends_at - margin, ends_at }
    }

    fn age(&self, now: Instant) -> Age {
        if now >= self.ends_at {
            Age::Over
        } else if now >= self.renew_at {
            Age::Due
        } else {
            Age::Fresh
        }
    }
}

impl Vending {
    /// Requests the first credential immediately, so that a missing right is reported at once.
    pub async fn create(
        credentials: Arc<dyn CredentialSource>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CatalogError> {
        let held = Held::new(credentials.vend().await?, clock.now());
        Ok(Self {
            credentials,
            clock,
            held: Mutex::new(held),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// Returns a valid credential.
    pub async fn credential(&self) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        match held.age(self.clock.now()) {
            Age::Fresh => Ok(held.vended),
            Age::Due => match self.renewing.try_lock() {
                // Another caller is renewing, and the current credential is valid.
                Err(_) => Ok(held.vended),
                Ok(_renewing) => self.renewed_soon().await,
            },
            Age::Over => {
                let _renewing = self.renewing.lock().await;
                self.renewed(Age::Over).await
            }
        }
    }

    /// Returns a new credential if one arrives in time, else the current one if it is still valid.
    /// The caller must hold `renewing`.
    async fn renewed_soon(&self) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        let renewed = tokio::time::timeout(VENDING_TIMEOUT, self.renewed(Age::Due)).await;
        let now = self.clock.now();
        let is_over = held.age(now) == Age::Over;
        match renewed {
            Ok(Ok(vended)) => return Ok(vended),
            Ok(Err(err)) if is_over => return Err(err),
            // There is no valid credential to use meanwhile.
            Err(_) if is_over => return self.renewed(Age::Over).await,
            Ok(Err(err)) => {
                tracing::warn!(%err, "failed to renew the storage credential; the current one is still valid")
            }
            Err(_) => {
                tracing::warn!(
                    "renewing the storage credential is slow; the current one is still valid"
                )
            }
        }
        self.keep(Held { renew_at: (now + PAUSE).min(held.ends_at), ..held.clone() });
        Ok(held.vended)
    }

    /// Returns a new credential, unless another caller has obtained one since. The caller must hold
    /// `renewing`.
    async fn renewed(&self, seen: Age) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        let age = held.age(self.clock.now());
        if age == Age::Fresh || (age == Age::Due && seen == Age::Over) {
            return Ok(held.vended);
        }
        let renewed = Held::new(self.credentials.vend().await?, self.clock.now());
        let vended = Arc::clone(&renewed.vended);
        self.keep(renewed);
        Ok(vended)
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, held: Held) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

impl fmt::Debug for Vending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vending").field("vendor", &self.credentials).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::runtime::ManualClock;

    #[derive(Debug)]
    struct Counting {
        clock: Arc<ManualClock>,
        asked: AtomicUsize,
        is_down: AtomicBool,
    }

    #[async_trait]
    impl CredentialSource for Counting {
        async fn vend(&self) -> Result<Vended, CatalogError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if self.is_down.load(Ordering::SeqCst) {
                return Err(CatalogError::ExternalAccessOff);
            }
            let ends_at = self.clock.now() + TimeDelta::hours(1);
            Ok(Vended {
                aws: None,
                azure: None,
                gcp: None,
                ends_at: Some(ends_at.timestamp_millis()),
            })
        }
    }

    async fn vending() -> (Arc<ManualClock>, Arc<Counting>, Arc<Vending>) {
        let clock = Arc::new(ManualClock::new(
            DateTime::from_timestamp(1_790_000_000, 0).unwrap(),
            TimeDelta::zero(),
        ));
        let credentials = Arc::new(Counting {
            clock: Arc::clone(&clock),
            asked: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
        });
        let vending = Vending::create(
            Arc::clone(&credentials) as Arc<dyn CredentialSource>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        )
        .await
        .unwrap();
        (clock, credentials, Arc::new(vending))
    }

    #[tokio::test]
    async fn a_credential_is_renewed_in_time_and_once_for_all_who_ask() {
        let (clock, credentials, vending) = vending().await;
        clock.advance(TimeDelta::minutes(54));
        vending.credential().await.unwrap();
        assert_eq!(credentials.asked.load(Ordering::SeqCst), 1, "it is fresh");
        clock.advance(TimeDelta::minutes(2));
        let asking = (0..20).map(|_| vending.credential());
        futures::future::try_join_all(asking).await.unwrap();
        assert_eq!(credentials.asked.load(Ordering::SeqCst), 2, "one renews while it holds");
        clock.advance(TimeDelta::hours(2));
        let asking = (0..20).map(|_| vending.credential());
        let got = futures::future::try_join_all(asking).await.unwrap();
        assert_eq!(
            credentials.asked.load(Ordering::SeqCst),
            3,
            "one renews when it is over, the others wait"
        );
        assert!(got.iter().all(|vended| vended.ends_at == got[0].ends_at));
    }

    #[tokio::test]
    async fn a_renewal_that_fails_is_no_error_while_the_credential_holds() {
        let (clock, credentials, vending) = vending().await;
        credentials.is_down.store(true, Ordering::SeqCst);
        clock.advance(TimeDelta::minutes(56));
        vending.credential().await.unwrap();
        vending.credential().await.unwrap();
        assert_eq!(credentials.asked.load(Ordering::SeqCst), 2, "not asked again at once");
        clock.advance(TimeDelta::seconds(11));
        vending.credential().await.unwrap();
        assert_eq!(credentials.asked.load(Ordering::SeqCst), 3);
        clock.advance(TimeDelta::minutes(5));
        assert!(matches!(vending.credential().await, Err(CatalogError::ExternalAccessOff)));
        credentials.is_down.store(false, Ordering::SeqCst);
        vending.credential().await.unwrap();
    }
}
