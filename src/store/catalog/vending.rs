//! A credential that ends, always at hand: asked for again before it ends, by one caller at a time, and while it still
//! holds nobody waits and no failed attempt is a fault.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

use super::api::{self, Access, Vended};
use super::error::CatalogError;
use crate::domain::time::Instant;
use crate::net::Workspace;
use crate::runtime::Clock;

/// How long before its end a credential is renewed, if it lives long enough.
const MARGIN: TimeDelta = TimeDelta::minutes(5);
/// How long a credential is rested on after a renewal that failed.
const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// How long a caller waits for a renewal while the held credential would do.
const PATIENCE: Duration = Duration::from_secs(5);
/// A credential that does not say when it ends is asked for again after this long.
const UNSAID: TimeDelta = TimeDelta::minutes(15);

/// Who vends a credential.
#[async_trait]
pub trait Vendor: fmt::Debug + Send + Sync {
    async fn vend(&self) -> Result<Vended, CatalogError>;
}

/// The credential for a place, by its URL.
#[derive(Debug)]
pub struct ForPath {
    pub workspace: Arc<Workspace>,
    pub url: String,
    pub access: Access,
}

#[async_trait]
impl Vendor for ForPath {
    async fn vend(&self) -> Result<Vended, CatalogError> {
        api::for_path(&self.workspace, &self.url, self.access).await
    }
}

/// The credential for a table.
#[derive(Debug)]
pub struct ForTable {
    pub workspace: Arc<Workspace>,
    pub table_id: String,
    pub access: Access,
}

#[async_trait]
impl Vendor for ForTable {
    async fn vend(&self) -> Result<Vended, CatalogError> {
        api::for_table(&self.workspace, &self.table_id, self.access).await
    }
}

/// A credential kept fresh.
pub struct Vending {
    vendor: Arc<dyn Vendor>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
    /// Held by the one who renews.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Clone, Debug)]
struct Held {
    vended: Arc<Vended>,
    renew_at: Instant,
    ends_at: Instant,
}

/// What a credential is good for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    /// It holds, and a new one is due.
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
    /// Begins with a first credential, so that a right that is missing is known at once.
    pub async fn begin(
        vendor: Arc<dyn Vendor>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CatalogError> {
        let held = Held::new(vendor.vend().await?, clock.now());
        Ok(Self { vendor, clock, held: Mutex::new(held), renewing: tokio::sync::Mutex::default() })
    }

    /// A credential that holds.
    pub async fn credential(&self) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        match held.age(self.clock.now()) {
            Age::Fresh => Ok(held.vended),
            Age::Due => match self.renewing.try_lock() {
                // Someone is at it, and this one holds.
                Err(_) => Ok(held.vended),
                Ok(_renewing) => self.renewed_soon().await,
            },
            Age::Over => {
                let _renewing = self.renewing.lock().await;
                self.renewed(Age::Over).await
            }
        }
    }

    /// A new credential if one comes soon, else the held one, but only while that one holds. Called by the one who renews.
    async fn renewed_soon(&self) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        let renewed = tokio::time::timeout(PATIENCE, self.renewed(Age::Due)).await;
        let now = self.clock.now();
        let is_over = held.age(now) == Age::Over;
        match renewed {
            Ok(Ok(vended)) => return Ok(vended),
            Ok(Err(fault)) if is_over => return Err(fault),
            // Nothing is left to work with meanwhile.
            Err(_) if is_over => return self.renewed(Age::Over).await,
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "the storage credential could not be renewed yet; it still holds")
            }
            Err(_) => {
                tracing::warn!("the storage credential is slow to be renewed; it still holds")
            }
        }
        self.keep(Held { renew_at: (now + PAUSE).min(held.ends_at), ..held.clone() });
        Ok(held.vended)
    }

    /// A new credential, unless another caller has brought one since. Called by the one who renews.
    async fn renewed(&self, seen: Age) -> Result<Arc<Vended>, CatalogError> {
        let held = self.held();
        let age = held.age(self.clock.now());
        if age == Age::Fresh || (age == Age::Due && seen == Age::Over) {
            return Ok(held.vended);
        }
        let renewed = Held::new(self.vendor.vend().await?, self.clock.now());
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
        f.debug_struct("Vending").field("vendor", &self.vendor).finish_non_exhaustive()
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
    impl Vendor for Counting {
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
        let vendor = Arc::new(Counting {
            clock: Arc::clone(&clock),
            asked: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
        });
        let vending = Vending::begin(
            Arc::clone(&vendor) as Arc<dyn Vendor>,
            Arc::clone(&clock) as Arc<dyn Clock>,
        )
        .await
        .unwrap();
        (clock, vendor, Arc::new(vending))
    }

    #[tokio::test]
    async fn a_credential_is_renewed_in_time_and_once_for_all_who_ask() {
        let (clock, vendor, vending) = vending().await;
        clock.advance(TimeDelta::minutes(54));
        vending.credential().await.unwrap();
        assert_eq!(vendor.asked.load(Ordering::SeqCst), 1, "it is fresh");
        clock.advance(TimeDelta::minutes(2));
        let asking = (0..20).map(|_| vending.credential());
        futures::future::try_join_all(asking).await.unwrap();
        assert_eq!(vendor.asked.load(Ordering::SeqCst), 2, "one renews while it holds");
        clock.advance(TimeDelta::hours(2));
        let asking = (0..20).map(|_| vending.credential());
        let got = futures::future::try_join_all(asking).await.unwrap();
        assert_eq!(
            vendor.asked.load(Ordering::SeqCst),
            3,
            "one renews when it is over, the others wait"
        );
        assert!(got.iter().all(|vended| vended.ends_at == got[0].ends_at));
    }

    #[tokio::test]
    async fn a_renewal_that_fails_is_no_fault_while_the_credential_holds() {
        let (clock, vendor, vending) = vending().await;
        vendor.is_down.store(true, Ordering::SeqCst);
        clock.advance(TimeDelta::minutes(56));
        vending.credential().await.unwrap();
        vending.credential().await.unwrap();
        assert_eq!(vendor.asked.load(Ordering::SeqCst), 2, "not asked again at once");
        clock.advance(TimeDelta::seconds(11));
        vending.credential().await.unwrap();
        assert_eq!(vendor.asked.load(Ordering::SeqCst), 3);
        clock.advance(TimeDelta::minutes(5));
        assert!(matches!(vending.credential().await, Err(CatalogError::ExternalAccessOff)));
        vendor.is_down.store(false, Ordering::SeqCst);
        vending.credential().await.unwrap();
    }
}
