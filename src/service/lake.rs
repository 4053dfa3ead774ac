//! Changes to the lake's own row.

use super::change::Committed;
use super::{RequestContext, Service, ServiceError};
use crate::domain::id::EntityId;
use crate::domain::patch::{Op, Patch, Source};
use crate::domain::record::Entity;
use crate::store::Scope;

impl Service {
    /// Adopts a copied lake: sets its recorded root to its location.
    pub async fn adopt(&self, context: &RequestContext) -> Result<Option<Committed>, ServiceError> {
        let root = self.store.to_string();
        let state = self.state(&Scope::outline()).await?;
        if state.lake.as_ref().is_some_and(|lake| lake.root.as_str() == root) {
            return Ok(None);
        }
        self.change_lake("adopted here", context, |patch| patch.with("root", root)).await.map(Some)
    }

    /// Upgrades the lake's format; `None` if it is current. Returns the format before and after.
    pub async fn upgrade(
        &self,
        current: u32,
        context: &RequestContext,
    ) -> Result<Option<(u32, u32, Committed)>, ServiceError> {
        let state = self.state(&Scope::outline()).await?;
        let from = state.lake.as_ref().map_or(current, |lake| lake.format_writer);
        if from >= current {
            return Ok(None);
        }
        let done = self
            .change_lake("upgrade", context, |patch| {
                patch.with("format_reader", current).with("format_writer", current)
            })
            .await?;
        Ok(Some((from, current, done)))
    }

    async fn change_lake(
        &self,
        reason: &str,
        context: &RequestContext,
        fields: impl FnOnce(Patch) -> Patch,
    ) -> Result<Committed, ServiceError> {
        let state = self.state(&Scope::outline()).await?;
        let lake = state
            .lake
            .as_ref()
            .ok_or_else(|| ServiceError::input("lake", "has no row of its own"))?;
        let patch = fields(Patch::new(Op::Update, Entity::Lake, lake.id.uuid(), None));
        let set = context
            .through(Source::Maintenance)
            .patch_set(self.fresh_set_id(context), vec![patch])
            .because(reason);
        self.commit(&state, set).await
    }
}
