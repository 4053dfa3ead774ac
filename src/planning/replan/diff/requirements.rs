//! Requirements: created, updated and removed. A requirement keeps its label.

use std::collections::BTreeSet;

use super::change::{Change, Diff, fields};
use crate::domain::id::EntityId;
use crate::domain::record::{Entity, Fields, Record};
use crate::domain::state::ProjectState;
use crate::domain::value::FieldValue;
use crate::planning::plan::{self, fitting_title};
use crate::planning::replan::base_storage;
use crate::planning::replan::context::Context;
use crate::planning::replan::desired::Desired;
use crate::planning::replan::matching::{ExistingRequirement, Matched};
use crate::planning::replan::merge_base::{RequirementBase, normal};
use crate::planning::replan::report::{FieldChange, Mark};

/// Creates the new requirements and updates the known ones.
pub fn stated(
    context: &Context<'_>,
    matched: &Matched<'_>,
    desired: &Desired<'_>,
    diff: &mut Diff,
) {
    let mut next = next_label(context.project);
    for (index, input) in context.plan().requirements.iter().enumerate() {
        let Some(id) = desired.requirements.ids[index] else { continue };
        if let Some(known) = matched.requirements.existing(index) {
            restate(context, input, known, diff);
            continue;
        }
        let label = format!("R{next}");
        next += 1;
        let (entity, id) = (Entity::Requirement, id.uuid());
        let mut fields = fields([
            ("project_id", context.id.json()),
            ("label", label.as_str().into()),
            ("text", text(input).into()),
        ]);
        fields.extend(context.lines(input.span).into_iter().filter(|(_, value)| !value.is_null()));
        base_storage::write_requirement(&RequirementBase::of(&input.text), &mut fields);
        diff.changes.push(Change::Create { entity, id, fields, place: None });
        diff.report.push(Mark::New, entity, id, &title(&label, &input.text));
    }
}

/// Deletes the requirements that the description no longer states, or notes that it does not.
pub fn ended(matched: &Matched<'_>, desired: &Desired<'_>, diff: &mut Diff) {
    let stated: BTreeSet<usize> = matched.requirements.of_plan.iter().flatten().copied().collect();
    for (index, known) in matched.requirements.known.iter().enumerate() {
        let Some(base) = known.base.filter(|base| !base.gone && !stated.contains(&index)) else {
            continue;
        };
        let record = known.record;
        let mut after = Fields::new();
        base_storage::write_requirement(
            &RequirementBase { gone: true, ..base.clone() },
            &mut after,
        );
        let (entity, id) = (Entity::Requirement, record.id.uuid());
        if !desired.requirements.ended.contains(&record.id) {
            diff.changes.extend(Change::update(record, after));
            continue;
        }
        diff.report
            .push(Mark::Gone, entity, id, &title(record.label.as_str(), record.text.as_str()))
            .because("no longer in the description");
        let before = ["text", base_storage::FIELD]
            .map(|field| (field.to_owned(), record.get(field).unwrap_or_default()));
        let before = before.into_iter().collect();
        diff.changes.push(Change::Update { entity, id, before, after });
        diff.changes.push(Change::Delete { entity, id });
    }
}

/// Returns an unused label number. Labels are never reused, so R7 in an old report stays R7.
fn next_label(project: Option<&ProjectState>) -> u32 {
    let labels = project.into_iter().flat_map(ProjectState::requirements).map(|known| &known.label);
    labels
        .filter_map(|label| label.as_str().strip_prefix('R')?.parse::<u32>().ok())
        .max()
        .unwrap_or(0)
        .saturating_add(1)
}

fn restate(
    context: &Context<'_>,
    input: &plan::Requirement,
    known: &ExistingRequirement<'_>,
    diff: &mut Diff,
) {
    let record = known.record;
    let mut fields = context.lines(input.span);
    base_storage::write_requirement(&RequirementBase::of(&input.text), &mut fields);
    let title = title(record.label.as_str(), record.text.as_str());
    if normal(record.text.as_str()) != normal(&input.text) {
        let change = FieldChange {
            field: "text".to_owned(),
            from: record.text.json(),
            to: text(input).into(),
        };
        let mark = if known.was_stated { Mark::Changed } else { Mark::Kept };
        let item = diff.report.push(mark, Entity::Requirement, record.id.uuid(), &title);
        if known.was_stated {
            fields.insert("text".to_owned(), change.to.clone());
        } else {
            item.because("edited since it was planned");
        }
        item.changes.push(change);
    }
    if let Some(change) = Change::update(record, fields) {
        let has_moved = change.sets("source_line") || change.sets("source_end_line");
        diff.report.shifted += usize::from(has_moved && !change.sets("text"));
        diff.changes.push(change);
    }
}

fn text(input: &plan::Requirement) -> String {
    input.text.replace('\0', "")
}

fn title(label: &str, text: &str) -> String {
    format!("{label} {}", fitting_title(text))
}
