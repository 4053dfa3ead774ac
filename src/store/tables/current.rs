//! The list of the current tables.

use crate::domain::record::Entity;

/// A table that holds the current records of one entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrentTable {
    pub name: &'static str,
    pub entity: Entity,
    pub doc: &'static str,
}

/// Every current table. Add a line for each new entity.
pub const TABLES: &[CurrentTable] = &[
    CurrentTable { name: "lake", entity: Entity::Lake, doc: "The lake: one row." },
    CurrentTable { name: "projects", entity: Entity::Project, doc: "Current projects." },
    CurrentTable {
        name: "tasks",
        entity: Entity::Task,
        doc: "Current tasks, including deleted ones.",
    },
    CurrentTable {
        name: "task_links",
        entity: Entity::TaskLink,
        doc: "Current links between tasks.",
    },
    CurrentTable { name: "users", entity: Entity::User, doc: "Current people and agents." },
    CurrentTable {
        name: "requirements",
        entity: Entity::Requirement,
        doc: "Requirements that the descriptions state.",
    },
    CurrentTable {
        name: "task_requirements",
        entity: Entity::TaskRequirement,
        doc: "Links between tasks and the requirements that they cover.",
    },
    #[cfg(test)]
    CurrentTable {
        name: "sync_notes",
        entity: Entity::Sync(crate::domain::record::SyncEntity::Note),
        doc: "Notes of sync.",
    },
];

/// The table of field changes, which follows `tasks`.
pub const FIELD_CHANGES: &str = "field_changes";

/// Returns whether a path such as `tasks/bucket=7/file.parquet` is a folded table or in one: the
/// journal has all of its content.
pub fn is_of_folded_table(path: &str) -> bool {
    let name = path.split('/').next().unwrap_or_default();
    name == FIELD_CHANGES || TABLES.iter().any(|table| table.name == name)
}
