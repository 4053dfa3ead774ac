//! Changes to the lake's own row.

use super::change::Committed;
use super::{Service, ServiceError};
use crate::domain::id::EntityId;
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::value::LongText;
use crate::runtime::fresh_set_id;
use crate::store::Scope;

impl Service {
    /// Adopts a copied lake: sets its recorded root to its location.
    pub async fn adopt(&self) -> Result<Option<Committed>, ServiceError> {
        let root = self.store.to_string();
        let state = self.state(&Scope::outline()).await?;
        if state.lake.as_ref().is_some_and(|lake| lake.root.as_str() == root) {
            return Ok(None);
        }
        self.change_lake("adopted here", |patch| patch.with("root", root)).await.map(Some)
    }

    /// Upgrades the lake's format; `None` if it is current. Returns the format before and after.
    pub async fn upgrade(
        &self,
        current: u32,
    ) -> Result<Option<(u32, u32, Committed)>, ServiceError> {
        let state = self.state(&Scope::outline()).await?;
        let from = state.lake.as_ref().map_or(current, |lake| lake.format_writer);
        if from >= current {
            return Ok(None);
        }
        let done = self
            .change_lake("upgrade", |patch| {
                patch.with("format_reader", current).with("format_writer", current)
            })
            .await?;
        Ok(Some((from, current, done)))
    }

    async fn change_lake(
        &self,
        reason: &str,
        fields: impl FnOnce(Patch) -> Patch,
    ) -> Result<Committed, ServiceError> {
        let state = self.state(&Scope::outline()).await?;
        let lake = state
            .lake
            .as_ref()
            .ok_or_else(|| ServiceError::input("lake", "has no row of its own"))?;
        let set = PatchSet {
            id: fresh_set_id(self.clock.as_ref(), self.random.as_ref()),
            request_hash: [0; 32],
            actor: self.actor.clone(),
            source: Source::Maintenance,
            reason: LongText::new(reason).ok(),
            patches: vec![fields(Patch::new(Op::Update, Entity::Lake, lake.id.uuid(), None))],
            also: Vec::new(),
        };
        self.commit(&state, set).await
    }
}
