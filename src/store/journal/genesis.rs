//! Builds the first patch set of a lake, which states the lake's identity and format.

use crate::domain::id::{EntityId, LakeId};
use crate::domain::patch::{Op, Patch, PatchSet, Source};
use crate::domain::record::Entity;
use crate::domain::time::Instant;
use crate::domain::value::{FieldValue, Name};
use crate::runtime::{Random, fresh_id};
use crate::store::format::Format;

/// Maximum depth of tasks in a new lake.
const MAX_DEPTH: u8 = 5;

/// Returns the root as a name. A URL longer than a name is cut; the name is only compared.
pub fn root_name(root: &str) -> Name {
    let cut: String = root.chars().take(Name::MAX).collect();
    Name::new(&cut).unwrap_or_else(|_| Name::absent())
}

pub fn set(
    lake: LakeId,
    root: &str,
    format: &Format,
    now: Instant,
    random: &dyn Random,
) -> PatchSet {
    let patch = Patch::new(Op::Create, Entity::Lake, lake.uuid(), None)
        .with("root", root_name(root).json())
        .with("format_reader", format.current())
        .with("format_writer", format.current())
        .with("max_depth", MAX_DEPTH)
        .with("created_at", now.json());
    PatchSet::new(fresh_id(now, random), root_name("lakeplan"), Source::Maintenance, vec![patch])
}
