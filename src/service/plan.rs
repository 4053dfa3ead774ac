//! Plans a description: previews the changes and commits them.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::change::{Committed, MAX_ATTEMPTS};
use super::{RequestContext, Service, ServiceError, find};
use crate::domain::apply::{Rejection, apply};
use crate::domain::hint::Hint;
use crate::domain::id::{PatchSetId, ProjectId};
use crate::domain::patch::{PatchSet, Source};
use crate::domain::record::Fields;
use crate::domain::state::{ProjectState, State};
use crate::domain::time::{Instant, rfc3339};
use crate::domain::value::{LongText, Name, Title};
use crate::domain::violation::Violation;
use crate::planning::explicit::Account;
use crate::planning::plan::{NodeKind, Plan, SkipReason};
use crate::planning::planner::Options;
use crate::planning::replan::report::Report;
use crate::planning::replan::{Description, needs_previous, replan};
use crate::planning::valid_plan::ValidPlan;
use crate::runtime::uuid_v7;
use crate::store::Scope;
use crate::store::event_tables::AGENT_LOGS;

/// Description to plan.
#[derive(Clone, Debug, Default)]
pub struct PlanRequest {
    /// Name of the text, by which a second run finds its project; absent for text from a pipe.
    pub source: Option<String>,
    pub text: String,
    /// Project to replan, if the source does not identify it.
    pub project: Option<String>,
    /// Name of the project.
    pub name: Option<String>,
    /// Id of the patch set, which makes a repeat idempotent.
    pub id: Option<PatchSetId>,
    /// Whether work of more than two days is cut into equal parts.
    pub splits: bool,
}

/// Result of planning a description; nothing is written.
#[derive(Debug)]
pub struct Preview {
    pub plan: ValidPlan,
    /// The explicit marks of the description, and which of them the plan holds.
    pub marks: Account,
    pub report: Report,
    pub set: PatchSet,
    pub project: ProjectId,
    /// Whether it is planned for the first time.
    pub is_new: bool,
    pub before: State,
    /// The lake as it would be afterwards.
    pub after: State,
}

impl PlanRequest {
    /// Creates a request from the bytes of a file; `place` names the file in errors.
    pub fn read(place: &str, bytes: Vec<u8>) -> Result<Self, ServiceError> {
        let wrong = |message: String, hint: &'static str| {
            Err(ServiceError::Input { place: place.to_owned(), message, hint: Some(hint.into()) })
        };
        if bytes.len() > LongText::MAX {
            let size = format!(
                "is {:.1} MiB, and a description is at most 1 MiB",
                bytes.len() as f64 / f64::from(1 << 20)
            );
            return wrong(size, "split it and plan the parts as separate projects");
        }
        let line = |at: usize| bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(err) => {
                let message = format!("line {} is not UTF-8 text", line(err.valid_up_to()));
                return wrong(message, "save it as UTF-8; a description is Markdown or plain text");
            }
        };
        if let Some(at) = text.find('\0') {
            return wrong(
                format!("line {} holds a NUL character", line(at)),
                "a description is Markdown or plain text",
            );
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return wrong(
                "is empty".to_owned(),
                "describe the work in headings, lists and sentences",
            );
        }
        if let Some(divider) = cell_divider(text) {
            return wrong(
                format!(
                    "is a table of data with {divider:?} between its cells, and no description"
                ),
                "save the table as Markdown, with | between the cells; each row becomes a task",
            );
        }
        if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<Value>(text).is_ok()
        {
            return wrong(
                "holds JSON, and no description".to_owned(),
                "a description is Markdown or plain text",
            );
        }
        Ok(Self { text: text.to_owned(), ..Self::default() })
    }
}

/// Returns the character between the cells if a text is a table of data: every line has as many.
fn cell_divider(text: &str) -> Option<char> {
    const MIN_LINES: usize = 3;
    // Sentences have commas, too, but not equally many in every line.
    const MIN_CELLS: [(char, usize); 2] = [(';', 1), (',', 2)];
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let number = |line: &str, divider: char| line.matches(divider).count();
    let is_table = |(divider, least): &(char, usize)| {
        let first = lines.first().map_or(0, |line| number(line, *divider));
        first >= *least && lines.iter().all(|line| number(line, *divider) == first)
    };
    let is_long = lines.len() >= MIN_LINES;
    MIN_CELLS.iter().find(|cells| is_long && is_table(cells)).map(|(divider, _)| *divider)
}

/// Status of a description relative to its project. The strings are project keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStatus {
    /// The project holds exactly this text.
    UpToDate(String),
    /// The project was deleted.
    ProjectDeleted(String),
    /// There is something to plan or to review.
    NeedsPlanning,
}

impl Service {
    /// Plans a description, without writing.
    pub async fn plan(
        &self,
        request: &PlanRequest,
        context: &RequestContext,
    ) -> Result<Preview, ServiceError> {
        let lake = self.state(&Scope::outline()).await?;
        let plan = self.planned(&lake, &request.text, request.splits).await?;
        self.preview_plan(request, &lake, plan, context).await
    }

    /// Plans the stored description of a project that was last planned in format 1. `None` if its
    /// plan is invalid: an earlier version may have accepted it, and it must not keep a new text from
    /// being planned.
    async fn planned_before(
        &self,
        lake: &State,
        text: &str,
    ) -> Result<Option<ValidPlan>, ServiceError> {
        match self.planned(lake, text, true).await {
            Err(ServiceError::InvalidPlan { problems, .. }) => {
                tracing::warn!(
                    ?problems,
                    "the stored description has no valid plan, so the changes that people made to its tasks are recognized less exactly"
                );
                Ok(None)
            }
            planned => planned.map(Some),
        }
    }

    /// Asks the planner for a plan and checks it.
    async fn planned(
        &self,
        lake: &State,
        text: &str,
        splits: bool,
    ) -> Result<ValidPlan, ServiceError> {
        let options = Options {
            max_depth: lake.lake.as_ref().map_or(5, |lake| lake.max_depth).into(),
            splits,
            ..Options::default()
        };
        let plan = self.planner.plan(text, options).await?;
        ValidPlan::check(plan, text, options).map_err(|problems| ServiceError::InvalidPlan {
            model: self.planner.model().to_owned(),
            problems,
        })
    }

    /// Compares a plan of the request's text with the lake.
    async fn preview_plan(
        &self,
        request: &PlanRequest,
        lake: &State,
        plan: ValidPlan,
        context: &RequestContext,
    ) -> Result<Preview, ServiceError> {
        let mut project = id_of(lake, request, &plan)?;
        let mut before = self.state(&Scope::of(project)).await?;
        // Between the two reads, another process may have planned the same text.
        while id_of(&before, request, &plan)? != project {
            project = id_of(&before, request, &plan)?;
            before = self.state(&Scope::of(project)).await?;
        }
        let existing = project.and_then(|project| before.project(project));
        let kept = existing.and_then(ProjectState::project);
        let source = match (&request.source, kept.and_then(|project| project.source.clone())) {
            (Some(source), _) => source_name(source)?,
            (None, Some(source)) => source,
            (None, None) => piped_name(&plan),
        };
        if existing.is_none() && plan.nodes.is_empty() {
            let is_canceled =
                plan.skipped.iter().any(|skipped| skipped.reason == SkipReason::Cancelled);
            let place = request.source.clone().unwrap_or_else(|| "the text".to_owned());
            return Err(ServiceError::NoWork { place, is_canceled, skipped: plan.skipped.clone() });
        }
        let name = request.name.as_deref().map(Title::new).transpose();
        let name = name.map_err(|invalid| ServiceError::Parameter {
            name: "name",
            message: invalid.to_string(),
            hint: None,
        })?;
        let previous = kept.filter(|project| needs_previous(project));
        let previous = match previous.and_then(|project| project.description.as_ref()) {
            Some(text) if self.planner.is_repeatable() => {
                self.planned_before(lake, text.as_str()).await?
            }
            _ => None,
        };
        let id = request.id.unwrap_or_else(|| self.fresh_set_id(context));
        let detail =
            Description { source: &source, text: &request.text, plan: &plan, name: name.as_ref() };
        let made = replan(&before, existing, detail, previous.as_deref(), id);
        let set = context
            .through(Source::Plan)
            .patch_set(id, made.patches)
            .requested(hash(request))
            .because(&format!("plan of {source}"))
            .with_also([made.project]);
        let mut after = before.clone();
        if !set.patches.is_empty() {
            match apply(&mut after, &set, context.now) {
                Ok(_) => {}
                Err(Rejection::Refused(violations)) => {
                    return Err(ServiceError::Refused(violations));
                }
                Err(Rejection::Conflicted(conflict)) => {
                    return Err(self.conflicted(&before, &set.patches, conflict));
                }
            }
        }
        let (is_new, marks) = (existing.is_none(), Account::of(&request.text, &plan));
        Ok(Preview {
            plan,
            marks,
            report: made.report,
            set,
            project: made.project,
            is_new,
            before,
            after,
        })
    }

    /// Returns the status of a description relative to the project with the same source.
    pub async fn standing(&self, request: &PlanRequest) -> Result<PlanStatus, ServiceError> {
        let Some(source) = &request.source else { return Ok(PlanStatus::NeedsPlanning) };
        let (lake, source) = (self.state(&Scope::outline()).await?, source_name(source)?);
        if let Some(project) = planned_from(&lake, &source)?.and_then(ProjectState::project) {
            let is_same =
                project.description.as_ref().is_some_and(|text| text.as_str() == request.text);
            return Ok(if is_same {
                PlanStatus::UpToDate(project.key.to_string())
            } else {
                PlanStatus::NeedsPlanning
            });
        }
        let gone = lake
            .projects()
            .filter_map(ProjectState::project)
            .find(|project| project.source.as_ref() == Some(&source));
        Ok(gone.map_or(PlanStatus::NeedsPlanning, |project| {
            PlanStatus::ProjectDeleted(project.key.to_string())
        }))
    }

    /// Plans a description and writes the plan; `None` if nothing changes. Logs the run as a row in
    /// `agent_logs`.
    pub async fn apply_plan(
        &self,
        request: &PlanRequest,
        context: &RequestContext,
    ) -> Result<(Preview, Option<Committed>), ServiceError> {
        let begun = self.clock.now();
        let (preview, done) = self.write_plan(request, context).await?;
        let row = self.log_row(&preview, done.as_ref(), begun);
        if let Err(err) = self.store.append(&AGENT_LOGS, vec![row]).await {
            // The plan is committed; only its log row is missing.
            tracing::warn!(%err, "the run was not recorded in agent_logs");
        }
        Ok((preview, done))
    }

    fn log_row(&self, preview: &Preview, done: Option<&Committed>, begun: Instant) -> Fields {
        let now = self.clock.now();
        let plan = &preview.plan;
        let of_kind = |kind| plan.nodes.iter().filter(|node| node.kind == kind).count();
        let skipped: Vec<Value> = (plan.skipped.iter())
            .map(|part| json!({"line": part.span.map(|span| span.start_line), "reason": part.reason}))
            .collect();
        let source = preview
            .after
            .project(preview.project)
            .and_then(ProjectState::project)
            .and_then(|project| project.source.clone());
        let row = json!({
            "run_id": uuid_v7(now, self.random.as_ref()).to_string(), "at": rfc3339(now), "agent": self.planner.name(), "model": self.planner.model(),
            "actor": preview.set.actor.as_str(), "source": source.map(|source| source.to_string()), "project_id": preview.project.to_string(),
            "patch_set_id": done.map(|done| done.id.to_string()), "seq": done.map(|done| done.seq),
            "duration_ms": (now - begun).num_milliseconds(), "phases": of_kind(NodeKind::Phase), "tasks": of_kind(NodeKind::Task),
            "subtasks": of_kind(NodeKind::Subtask), "links": plan.links.len(), "requirements": plan.requirements.len(),
            "problems": plan.problems.len(), "skipped": skipped.len(), "skipped_parts": Value::Array(skipped).to_string(),
        });
        match row {
            Value::Object(row) => row,
            _ => Fields::new(),
        }
    }

    async fn write_plan(
        &self,
        request: &PlanRequest,
        context: &RequestContext,
    ) -> Result<(Preview, Option<Committed>), ServiceError> {
        let mut lake = self.state(&Scope::outline()).await?;
        let plan = self.planned(&lake, &request.text, request.splits).await?;
        let mut tries = 0;
        loop {
            let preview = self.preview_plan(request, &lake, plan.clone(), context).await?;
            if preview.set.patches.is_empty() && request.id.is_none() {
                return Ok((preview, None));
            }
            tries += 1;
            let is_empty = preview.set.patches.is_empty();
            match self.commit(&preview.before, preview.set.clone()).await {
                Err(ServiceError::Conflicted { .. }) if tries < MAX_ATTEMPTS => {}
                // The set was valid when it was made, so the lake has changed since: another
                // process may have planned the same text, or added a user with the same name.
                Err(ServiceError::Refused(violations))
                    if tries < MAX_ATTEMPTS && !is_about_id(&violations) && !is_empty => {}
                // With a given id, even a set without patches is submitted, because it may already
                // be committed.
                Err(ServiceError::Refused(_)) if is_empty => return Ok((preview, None)),
                done => return Ok((preview, Some(done?))),
            }
            lake = self.state(&Scope::outline()).await?;
        }
    }
}

/// Whether a set is refused because of its id, which replanning does not change.
fn is_about_id(violations: &[Violation]) -> bool {
    violations
        .iter()
        .all(|violation| violation.patch == 0 && violation.field.as_deref() == Some("id"))
}

fn id_of(
    state: &State,
    request: &PlanRequest,
    plan: &Plan,
) -> Result<Option<ProjectId>, ServiceError> {
    Ok(project_of(state, request, plan)?.and_then(ProjectState::project).map(|project| project.id))
}

/// Returns the project of an earlier plan of the description: the named one, else the live one with
/// the same source.
fn project_of<'s>(
    state: &'s State,
    request: &PlanRequest,
    plan: &Plan,
) -> Result<Option<&'s ProjectState>, ServiceError> {
    if let Some(name) = &request.project {
        let (found, project) = find::project(state, name)?;
        if project.deleted_at.is_some() {
            let hint = Some(Hint::RestoreProject { key: project.key.clone() });
            return Err(ServiceError::Input {
                place: project.key.to_string(),
                message: "the project is deleted".to_owned(),
                hint,
            });
        }
        return Ok(Some(found));
    }
    let source = match &request.source {
        Some(source) => source_name(source)?,
        None => piped_name(plan),
    };
    planned_from(state, &source)
}

/// Returns the live project that was planned from a source.
fn planned_from<'s>(
    state: &'s State,
    source: &Name,
) -> Result<Option<&'s ProjectState>, ServiceError> {
    let found = all_planned_from(state, source);
    if let [first, second, ..] = found.as_slice() {
        let keys = [first, second].map(|found| {
            found.project().map(|project| project.key.to_string()).unwrap_or_default()
        });
        let message = format!("{} and {} were both planned from {source}", keys[0], keys[1]);
        let [chosen, other] = keys;
        let hint = Some(Hint::ChooseProject { chosen, other });
        return Err(ServiceError::Parameter { name: "project", message, hint });
    }
    Ok(found.first().copied())
}

/// Returns the live projects of a source, oldest first. Only lakes from earlier versions have more
/// than one.
pub(super) fn all_planned_from<'s>(state: &'s State, source: &Name) -> Vec<&'s ProjectState> {
    let is_of = |found: &&ProjectState| {
        found.project().is_some_and(|project| {
            project.deleted_at.is_none() && project.source.as_ref() == Some(source)
        })
    };
    let mut found: Vec<&ProjectState> = state.projects().filter(is_of).collect();
    found.sort_by_key(|found| found.project().map(|project| (project.created_at, project.id)));
    found
}

/// Returns the source that a project stores. A path that is too long is cut at the start and
/// prefixed with a hash, which distinguishes it from other paths with the same end.
pub(super) fn source_name(source: &str) -> Result<Name, ServiceError> {
    let name = match source.chars().count() {
        length if length > Name::MAX => {
            // The end of a long path is the most informative part.
            let end: String = source.chars().skip(length - (Name::MAX - MARK - 1)).collect();
            format!("{}…{end}", mark(source))
        }
        _ => source.to_owned(),
    };
    Name::new(&name).map_err(|err| ServiceError::input("the file's name", err.to_string()))
}

/// Returns the source of text from a pipe, which has only its title as a name.
fn piped_name(plan: &Plan) -> Name {
    let title: String = plan.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let most = Name::MAX - 10;
    let title = match title.chars().count() {
        length if length > most => {
            format!("{}…{}", title.chars().take(most - MARK - 1).collect::<String>(), mark(&title))
        }
        _ => title,
    };
    Name::new(&format!("stdin: {title}")).unwrap_or_default()
}

/// Number of hash digits that distinguish a cut text.
const MARK: usize = 16;

/// Returns the first digits of a text's SHA-256.
fn mark(text: &str) -> String {
    Sha256::digest(text)[..MARK / 2].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes the request as its author wrote it, so that another description with the same id is
/// detected.
fn hash(request: &PlanRequest) -> [u8; 32] {
    let mut parts = vec![
        Some("plan"),
        request.source.as_deref(),
        Some(&request.text),
        request.project.as_deref(),
    ];
    parts.push(request.name.as_deref());
    parts.extend(request.splits.then_some(Some("split")));
    let parts = serde_json::json!(parts);
    Sha256::digest(parts.to_string()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_is_reported_from_others_of_the_same_end() {
        let of = |folder: &str, length: usize| {
            source_name(&format!("{folder}/{}.md", "é".repeat(length))).unwrap().to_string()
        };
        assert_eq!(of("a", 195), format!("a/{}.md", "é".repeat(195)), "what fits stays");
        let (one, other) = (of("a", 196), of("b", 196));
        assert!(
            one != other && one.chars().count() == Name::MAX && one.ends_with("é.md"),
            "{one} {other}"
        );
        assert_eq!(one, of("a", 196));
    }
}
