//! Where each task lies in time, for a picture: what happened as it happened, the rest in order and by effort.
//!
//! This is no schedule. Open tasks are laid out after what they depend on, each as if somebody were free for it, 8 hours
//! a day from Monday to Friday. Like the rules that keep a plan free of circles, it sees each task as two points, its
//! start and its finish; a parent begins before its parts and ends after them.

use std::collections::{BTreeMap, VecDeque};

use chrono::{Datelike, NaiveDate};

use crate::domain::id::TaskId;
use crate::domain::link::DependencyType;
use crate::domain::state::ProjectState;
use crate::domain::task::{Task, TaskStatus};
use crate::domain::time::{Instant, Minutes};

/// What the days of a span rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Both days happened.
    Done,
    /// It began on its first day; the last follows from the effort that is left.
    Underway,
    /// It is open and lies so that it ends on its due day.
    Due,
    /// It is open and lies as early as what it depends on lets it.
    LaidOut,
    /// It spans its parts.
    Parts,
}

/// The first and the last day of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: NaiveDate,
    pub end: NaiveDate,
    pub basis: Basis,
}

/// The minutes that a task without an estimate is drawn with.
const UNKNOWN_EFFORT: i64 = Minutes::PER_DAY as i64;

/// The spans of a project's tasks. What is deleted, cancelled or archived undone has none, nor has what stands below it.
///
/// A due day holds a task to it only where what it depends on ends early enough; else it is laid out and ends too late.
pub fn timeline(project: &ProjectState, now: Instant) -> BTreeMap<TaskId, Span> {
    let mut layout = Layout::of(project, now.date_naive());
    for point in layout.order() {
        let at = layout.settle(point);
        layout.bounds[point] = at;
        for (to, lag) in std::mem::take(&mut layout.edges[point]) {
            layout.bounds[to] = layout.bounds[to].max(at.saturating_add(lag));
        }
    }
    layout.spans()
}

/// Tasks by place, parents before their parts; a task's start is the point 2n, its finish the point 2n + 1. A moment is
/// a number of work minutes.
struct Layout<'s> {
    today: NaiveDate,
    places: Vec<Place<'s>>,
    /// From a point to what cannot be before it, and by how many minutes.
    edges: Vec<Vec<(usize, i64)>>,
    /// The earliest moment of each point so far, and in the end where it is.
    bounds: Vec<i64>,
}

struct Place<'s> {
    task: &'s Task,
    parent: Option<usize>,
    has_parts: bool,
    /// The day on which it or one of its parts began.
    begun: Option<NaiveDate>,
    /// Whether another task waits for its start.
    start_is_awaited: bool,
}

impl<'s> Layout<'s> {
    fn of(project: &'s ProjectState, today: NaiveDate) -> Self {
        let mut places: Vec<Place<'s>> = Vec::new();
        let mut at: BTreeMap<TaskId, usize> = BTreeMap::new();
        let mut open: Vec<&Task> =
            project.children(None).map(AsRef::as_ref).rev().filter(|task| is_meant(task)).collect();
        while let Some(task) = open.pop() {
            let parent = task.parent_id.and_then(|id| at.get(&id).copied());
            at.insert(task.id, places.len());
            let begun = task.started_at.or(task.completed_at).map(|moment| moment.date_naive());
            let parts = open.len();
            open.extend(
                project
                    .children(Some(task.id))
                    .map(AsRef::as_ref)
                    .rev()
                    .filter(|task| is_meant(task)),
            );
            places.push(Place {
                task,
                parent,
                has_parts: open.len() > parts,
                begun,
                start_is_awaited: false,
            });
        }
        let mut edges: Vec<Vec<(usize, i64)>> = vec![Vec::new(); 2 * places.len()];
        for place in (0..places.len()).rev() {
            edges[2 * place].push((2 * place + 1, 0));
            if let Some(parent) = places[place].parent {
                edges[2 * parent].push((2 * place, 0));
                edges[2 * place + 1].push((2 * parent + 1, 0));
                places[parent].begun =
                    places[parent].begun.into_iter().chain(places[place].begun).min();
            }
        }
        for link in project.dependencies() {
            let (Some(from), Some(to)) = (at.get(&link.from_id), at.get(&link.to_id)) else {
                continue;
            };
            let (held_by, holds) = match link.dependency {
                DependencyType::FinishToStart => (1, 0),
                DependencyType::StartToStart => (0, 0),
                DependencyType::FinishToFinish => (1, 1),
                DependencyType::StartToFinish => (0, 1),
            };
            edges[2 * to + held_by].push((2 * from + holds, link.lag_minutes.get()));
            places[*to].start_is_awaited |= held_by == 0;
        }
        let bounds = vec![i64::MIN; 2 * places.len()];
        Self { today, places, edges, bounds }
    }

    /// The points, each after those it cannot be before. Dependencies make no circle; were there one, its points would
    /// come last.
    fn order(&self) -> Vec<usize> {
        let mut waits = vec![0usize; self.edges.len()];
        for (to, _) in self.edges.iter().flatten() {
            waits[*to] += 1;
        }
        let mut ready: VecDeque<usize> =
            (0..waits.len()).filter(|point| waits[*point] == 0).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(point) = ready.pop_front() {
            order.push(point);
            for (to, _) in &self.edges[point] {
                waits[*to] -= 1;
                if waits[*to] == 0 {
                    ready.push_back(*to);
                }
            }
        }
        order.extend((0..waits.len()).filter(|point| waits[*point] > 0));
        order
    }

    /// Where a point is, when what it cannot be before is settled.
    fn settle(&mut self, point: usize) -> i64 {
        let (place, bound) = (&self.places[point / 2], self.bounds[point]);
        let (task, today) = (place.task, begin_of(self.today));
        if point.is_multiple_of(2) {
            if let Some(begun) = place.begun {
                // A task that began waits for nothing any more; the open parts of one still do.
                return if place.has_parts { begin_of(begun).max(bound) } else { begin_of(begun) };
            }
            let earliest = task.not_before.map_or(today, begin_of).max(today).max(bound);
            let by_due =
                place.due().map_or(earliest, |due| end_of(due).saturating_sub(effort(task)));
            return earliest.max(by_due);
        }
        if let Some(completed) = place.closed() {
            // What waits for it can begin today.
            return completed.map_or(today, |day| end_of(day).min(today));
        }
        if place.has_parts {
            return bound;
        }
        let start = self.bounds[point - 1];
        let end = if place.begun.is_some() { today } else { start }.saturating_add(effort(task));
        if bound > end && place.begun.is_none() && !place.start_is_awaited {
            // Its end is held, so its work may as well begin later.
            self.bounds[point - 1] = bound.saturating_sub(effort(task));
        }
        end.max(bound)
    }

    fn spans(&self) -> BTreeMap<TaskId, Span> {
        let mut found: Vec<Option<Span>> = vec![None; self.places.len()];
        for (at, place) in self.places.iter().enumerate().rev() {
            let own = self.span(at, place);
            let span = match found[at] {
                // An end that is held can lie behind all its parts.
                Some(parts) if place.closed().is_none() => {
                    Span { end: parts.end.max(last_day(self.bounds[2 * at + 1])), ..parts }
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

    fn span(&self, at: usize, place: &Place<'_>) -> Span {
        let finish = self.bounds[2 * at + 1];
        let start = place.begun.unwrap_or_else(|| day_of(self.bounds[2 * at]));
        if let Some(end) = place.closed().flatten() {
            return Span { start: start.min(end), end, basis: Basis::Done };
        }
        let end = last_day(finish).max(self.today);
        let basis = match place.begun {
            Some(_) => Basis::Underway,
            None if place.due().is_some_and(|due| end_of(due) == finish) => Basis::Due,
            None => Basis::LaidOut,
        };
        Span { start: start.min(end), end, basis }
    }
}

impl Place<'_> {
    /// The day it was completed, for a task that is closed.
    fn closed(&self) -> Option<Option<NaiveDate>> {
        self.task
            .status
            .is_closed()
            .then(|| self.task.completed_at.map(|moment| moment.date_naive()))
    }

    /// The day that holds it; of a parent, its parts say where it lies.
    fn due(&self) -> Option<NaiveDate> {
        self.task.due_date.filter(|_| !self.has_parts)
    }
}

fn is_meant(task: &Task) -> bool {
    task.is_live()
        && (!task.status.is_closed()
            || task.status == TaskStatus::Completed
            || task.completed_at.is_some())
}

/// The work minutes that an open task still takes.
fn effort(task: &Task) -> i64 {
    let left = task
        .estimate_likely
        .map(|likely| likely.saturating_sub(task.actual_minutes.unwrap_or_default()));
    left.map_or(UNKNOWN_EFFORT, |left| i64::from(left.get()))
}

const DAY: i64 = Minutes::PER_DAY as i64;

/// The moment at which work on a day begins; of a weekend, on the Monday after it.
fn begin_of(day: NaiveDate) -> i64 {
    // The first day of our era is a Monday.
    let days = i64::from(day.num_days_from_ce()) - 1;
    (days.div_euclid(7) * 5 + days.rem_euclid(7).min(5)) * DAY
}

/// The moment at which work on a day has ended.
fn end_of(day: NaiveDate) -> i64 {
    begin_of(day.succ_opt().unwrap_or(day))
}

/// The day on which a moment lies; where two days meet, the later one.
fn day_of(moment: i64) -> NaiveDate {
    let days = moment.div_euclid(DAY);
    let date = i32::try_from(days.div_euclid(5) * 7 + days.rem_euclid(5) + 1).ok();
    // People read four digits of a year, and so do browsers.
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX);
    date.and_then(NaiveDate::from_num_days_from_ce_opt).map_or(last, |date| date.min(last))
}

/// The last day of work that ends at a moment.
fn last_day(moment: i64) -> NaiveDate {
    day_of(moment.saturating_sub(1))
}
