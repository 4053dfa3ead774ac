//! The users that the plan names, and the project itself.

use super::change::{Change, Diff, fields};
use crate::domain::id::EntityId;
use crate::domain::record::{Entity, Fields};
use crate::domain::value::{FieldValue, Title};
use crate::planning::plan::fitting_title;
use crate::planning::replan::base_storage;
use crate::planning::replan::context::Context;
use crate::planning::replan::matching::Matched;
use crate::planning::replan::merge_base::MergeBase;
use crate::planning::replan::report::{FieldChange, Mark};

/// Creates the missing users.
pub fn users(matched: &Matched<'_>, diff: &mut Diff) {
    for user in &matched.owners.new {
        let mut fields = fields([("handle", user.handle.json())]);
        if let Some(name) = &user.name {
            fields.insert("name".to_owned(), name.json());
        }
        let (entity, id) = (Entity::User, user.id.uuid());
        diff.changes.push(Change::Create { entity, id, fields, place: None });
        diff.report.push(Mark::New, entity, id, &format!("@{}", user.handle));
    }
}

/// Creates or updates the project. Its name follows the description until somebody renames it.
pub fn project(context: &Context<'_>, base: &MergeBase, diff: &mut Diff) {
    let title = fitting_title(&context.plan().title);
    let mut fields: Fields = fields([
        ("description", context.input.text.into()),
        ("source", context.input.source.json()),
    ]);
    let (entity, id) = (Entity::Project, context.id.uuid());
    let Some(project) = context.record() else {
        let name = context.input.name.map_or(title.as_str(), Title::as_str);
        diff.report.push(Mark::New, entity, id, name);
        fields.insert("name".to_owned(), name.into());
        base_storage::write_project(&title, &mut fields);
        diff.changes.push(Change::Create { entity, id, fields, place: None });
        return;
    };
    let called = base.title.as_deref();
    if let Some(name) = context.input.name {
        fields.insert("name".to_owned(), name.json());
    } else if called == Some(project.name.as_str()) {
        fields.insert("name".to_owned(), title.as_str().into());
    }
    if called != Some(title.as_str()) || !base.is_complete {
        base_storage::write_project(&title, &mut fields);
    }
    let Some(change) = Change::update(project, fields) else { return };
    if let Change::Update { before, after, .. } = &change {
        let shown = after.iter().filter(|(field, _)| matches!(field.as_str(), "name" | "source"));
        let shown: Vec<FieldChange> = shown
            .map(|(field, to)| FieldChange {
                field: field.clone(),
                from: before.get(field).cloned().unwrap_or_default(),
                to: to.clone(),
            })
            .collect();
        if !shown.is_empty() {
            diff.report.push(Mark::Changed, entity, id, project.name.as_str()).changes = shown;
        }
    }
    diff.changes.push(change);
}
