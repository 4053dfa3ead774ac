//! Lays out tasks in time for a chart: closed work on its actual days, the rest by dependencies and
//! effort.
//!
//! This is not a schedule. Open tasks follow their prerequisites as if somebody were free for each
//! of them, 8 hours a day from Monday to Friday. As in the acyclicity rules of a plan, each task
//! has two points, its start and its finish. A parent starts before its parts and ends after them.

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};

use crate::domain::id::TaskId;
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::task_graph::{TaskGraph, finish, start, task_of};
use crate::domain::time::{Instant, Minutes};

/// Origin of the days of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Both days are actual.
    Done,
    /// The first day is actual; the last follows from the remaining effort.
    Underway,
    /// The task is open and is placed to end on its due date.
    Due,
    /// The task is open and is placed as early as its prerequisites allow.
    LaidOut,
    /// The span covers the task's parts.
    Parts,
}

/// First and last day of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub basis: Basis,
}

/// Minutes drawn for a task without an estimate.
const UNKNOWN_EFFORT: i64 = Minutes::PER_DAY as i64;

/// Returns the spans of a project's tasks. Tasks that are deleted, cancelled or archived before
/// completion have none, and neither do their descendants.
///
/// A milestone takes one day on the chart and no time: its due date, or the day on which its last
/// prerequisite ends.
///
/// A task ends on its due date only if its prerequisites end early enough. Otherwise it is laid out
/// after them and ends too late.
pub fn timeline(project: &ProjectState, now: Instant) -> BTreeMap<TaskId, Span> {
    let mut layout = Layout::of(project, now.date_naive());
    for point in layout.graph.points().order() {
        let at = layout.settle(point);
        layout.bounds[point] = at;
        for (to, lag) in layout.graph.points().edges(point) {
            layout.bounds[*to] = layout.bounds[*to].max(at.saturating_add(*lag));
        }
    }
    layout.spans()
}

/// Tasks by index, parents before their parts. A moment is a number of working minutes.
struct Layout<'s> {
    today: NaiveDate,
    places: Vec<TaskTiming<'s>>,
    /// The points of the tasks. A label is the minimum distance between two points in minutes.
    graph: TaskGraph<i64>,
    /// Earliest moment of each point so far; after settling, its actual moment.
    bounds: Vec<i64>,
}

struct TaskTiming<'s> {
    task: &'s Task,
    parent: Option<usize>,
    has_parts: bool,
    /// First actual day of the task or its parts.
    actual_start: Option<NaiveDate>,
    /// Whether another task waits for its start.
    start_is_awaited: bool,
}

impl<'s> Layout<'s> {
    fn of(project: &'s ProjectState, today: NaiveDate) -> Self {
        let mut places: Vec<TaskTiming<'s>> = Vec::new();
        let mut at: BTreeMap<TaskId, usize> = BTreeMap::new();
        let mut open: Vec<&Task> =
            project.children(None).map(AsRef::as_ref).rev().filter(|task| is_drawn(task)).collect();
        while let Some(task) = open.pop() {
            let parent = task.parent_id.and_then(|id| at.get(&id).copied());
            at.insert(task.id, places.len());
            let actual_start =
                task.started_at.or(task.completed_at).map(|moment| moment.date_naive());
            let parts = open.len();
            open.extend(
                project
                    .children(Some(task.id))
                    .map(AsRef::as_ref)
                    .rev()
                    .filter(|task| is_drawn(task)),
            );
            places.push(TaskTiming {
                task,
                parent,
                has_parts: open.len() > parts,
                actual_start,
                start_is_awaited: false,
            });
        }
        let mut graph = TaskGraph::new(places.len());
        for place in (0..places.len()).rev() {
            graph.add_task(place);
            if let Some(parent) = places[place].parent {
                graph.add_child(parent, place);
                places[parent].actual_start =
                    places[parent].actual_start.into_iter().chain(places[place].actual_start).min();
            }
        }
        for link in project.dependencies() {
            let (Some(from), Some(to)) = (at.get(&link.from_id), at.get(&link.to_id)) else {
                continue;
            };
            graph.add_dependency(*from, *to, link.dependency, link.lag_minutes.get());
            places[*to].start_is_awaited |= matches!(
                link.dependency,
                DependencyType::StartToStart | DependencyType::StartToFinish
            );
        }
        let bounds = vec![i64::MIN; 2 * places.len()];
        Self { today, places, graph, bounds }
    }

    /// Returns the moment of a point whose predecessors are settled.
    fn settle(&mut self, point: usize) -> i64 {
        let (at, bound) = (task_of(point), self.bounds[point]);
        let place = &self.places[at];
        let (task, today) = (place.task, begin_of(self.today));
        if point == start(at) {
            if let Some(actual_start) = place.actual_start {
                // A started task no longer waits, but its open parts still do.
                return if place.has_parts {
                    begin_of(actual_start).max(bound)
                } else {
                    begin_of(actual_start)
                };
            }
            let earliest = task.not_before.map_or(today, begin_of).max(today).max(bound);
            let by_due =
                place.due().map_or(earliest, |due| end_of(due).saturating_sub(effort(task)));
            return earliest.max(by_due);
        }
        if let Some(completed) = place.closed() {
            // Dependents can start today.
            return completed.map_or(today, |day| end_of(day).min(today));
        }
        if place.has_parts {
            return bound;
        }
        let begin = if place.actual_start.is_some() { today } else { self.bounds[start(at)] };
        let end = begin.saturating_add(effort(task));
        if bound > end && place.actual_start.is_none() && !place.start_is_awaited {
            // A dependency holds the end back, so the work can start later.
            self.bounds[start(at)] = bound.saturating_sub(effort(task));
        }
        end.max(bound)
    }

    fn spans(&self) -> BTreeMap<TaskId, Span> {
        let mut found: Vec<Option<Span>> = vec![None; self.places.len()];
        for (at, place) in self.places.iter().enumerate().rev() {
            let own = self.span(at, place);
            let span = match found[at] {
                // A dependency can hold the end back beyond all parts.
                Some(parts) if place.closed().is_none() => {
                    Span { end: parts.end.max(last_day(self.bounds[finish(at)])), ..parts }
                }
                Some(parts) => parts,
                None => own,
            };
            found[at] = Some(span);
            if let Some(parent) = place.parent {
                let (start, end) = found[parent].map_or((span.start, span.end), |had| {
                    (had.start.min(span.start), had.end.max(span.end))
                });
                found[parent] = Some(Span { start, end, basis: Basis::Parts });
            }
        }
        self.places
            .iter()
            .zip(found)
            .filter_map(|(place, span)| Some((place.task.id, span?)))
            .collect()
    }

    fn span(&self, at: usize, place: &TaskTiming<'_>) -> Span {
        let finish = self.bounds[finish(at)];
        if place.task.is_milestone() {
            return self.day_of_milestone(finish, place);
        }
        let start = place.actual_start.unwrap_or_else(|| day_of(self.bounds[start(at)]));
        if let Some(end) = place.closed().flatten() {
            return Span { start: start.min(end), end, basis: Basis::Done };
        }
        let end = last_day(finish).max(self.today);
        let basis = match place.actual_start {
            Some(_) => Basis::Underway,
            None if place.due().is_some_and(|due| end_of(due) == finish) => Basis::Due,
            None => Basis::LaidOut,
        };
        Span { start: start.min(end), end, basis }
    }

    /// Returns the span of a milestone, whose two days are equal.
    fn day_of_milestone(&self, finish: i64, place: &TaskTiming<'_>) -> Span {
        let on = |day: NaiveDate, basis| Span { start: day, end: day, basis };
        if let Some(end) = place.closed().flatten() {
            return on(end, Basis::Done);
        }
        // The due date may lie on a weekend, which has no working time.
        match place.due().filter(|due| *due >= self.today && end_of(*due) == finish) {
            Some(due) => on(due, Basis::Due),
            None => on(last_day(finish).max(self.today), Basis::LaidOut),
        }
    }
}

impl TaskTiming<'_> {
    /// Returns the completion day of a closed task; the outer `None` means the task is open.
    fn closed(&self) -> Option<Option<NaiveDate>> {
        self.task
            .status
            .is_closed()
            .then(|| self.task.completed_at.map(|moment| moment.date_naive()))
    }

    /// Returns the binding due date; `None` for a parent, whose parts determine its span.
    fn due(&self) -> Option<NaiveDate> {
        self.task.due_date.filter(|_| !self.has_parts)
    }
}

fn is_drawn(task: &Task) -> bool {
    task.is_live()
        && (!task.status.is_closed()
            || task.status == TaskStatus::Completed
            || task.completed_at.is_some())
}

/// Returns the remaining working minutes of an open task; none for a milestone.
fn effort(task: &Task) -> i64 {
    if task.is_milestone() {
        return 0;
    }
    let left = task
        .estimate_likely
        .map(|likely| likely.saturating_sub(task.actual_minutes.unwrap_or_default()));
    left.map_or(UNKNOWN_EFFORT, |left| i64::from(left.get()))
}

const DAY: i64 = Minutes::PER_DAY as i64;

/// Returns the moment when work on a day starts; for a weekend, on the following Monday.
fn begin_of(day: NaiveDate) -> i64 {
    // 0001-01-01 is a Monday.
    let days = i64::from(day.num_days_from_ce()) - 1;
    (days.div_euclid(7) * 5 + days.rem_euclid(7).min(5)) * DAY
}

/// Returns the moment when work on a day ends.
fn end_of(day: NaiveDate) -> i64 {
    begin_of(day.succ_opt().unwrap_or(day))
}

/// Returns the day of a moment; on a boundary between two days, the later day.
fn day_of(moment: i64) -> NaiveDate {
    let days = moment.div_euclid(DAY);
    let date = i32::try_from(days.div_euclid(5) * 7 + days.rem_euclid(5) + 1).ok();
    // People and browsers read four-digit years.
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    date.and_then(NaiveDate::from_num_days_from_ce_opt).map_or(last, |date| date.min(last))
}

/// Returns the last day of work that ends at a moment.
fn last_day(moment: i64) -> NaiveDate {
    day_of(moment.saturating_sub(1))
}
