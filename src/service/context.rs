//! Context of a request. An entry point (a command, later an API route or a webhook) makes it and
//! passes it to a use case.

use super::Service;
use crate::domain::id::PatchSetId;
use crate::domain::patch::{Patch, PatchSet, Source};
use crate::domain::time::Instant;
use crate::domain::value::Name;
use crate::runtime::fresh_id;

/// Author, interface and time of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext {
    pub actor: Name,
    pub source: Source,
    pub now: Instant,
}

impl RequestContext {
    /// Replaces the actor, if another one is given. Only for a request whose author the entry point
    /// trusts.
    pub fn on_behalf_of(self, actor: Option<Name>) -> Self {
        Self { actor: actor.unwrap_or(self.actor), ..self }
    }

    /// Replaces the source, for changes that a use case makes itself.
    pub fn through(&self, source: Source) -> Self {
        Self { source, ..self.clone() }
    }

    /// Creates a patch set of this author.
    pub fn patch_set(&self, id: PatchSetId, patches: Vec<Patch>) -> PatchSet {
        PatchSet::new(id, self.actor.clone(), self.source, patches)
    }
}

impl Service {
    /// Creates the context of a request that arrives now.
    pub fn request(&self, actor: Name, source: Source) -> RequestContext {
        RequestContext { actor, source, now: self.clock.now() }
    }

    /// Creates the id of a patch set for this request.
    pub(super) fn fresh_set_id(&self, context: &RequestContext) -> PatchSetId {
        fresh_id(context.now, self.random.as_ref())
    }
}
