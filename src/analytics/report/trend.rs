//! Trends over time: scope and completed tasks of each project by day, completed tasks by week.

use chrono::{Datelike, NaiveDate, TimeDelta};
use serde::Serialize;

use super::rows::{BurnUpDay, Velocity};

/// Scope and completed tasks of a project at the end of each day on which they changed, including
/// the first and the last day of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BurnUp {
    pub project: String,
    pub days: Vec<Day>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: NaiveDate,
    pub scope: i64,
    pub completed: i64,
}

/// Week, by its Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Week {
    pub week: NaiveDate,
    pub tasks: i64,
    pub likely_minutes: i64,
    pub logged_minutes: i64,
    /// Whether the week was over when the report was made.
    pub complete: bool,
}

/// Returns the projects as they were on the day `since`, then each change until `today`. `found` is
/// ordered by project and day.
pub fn burn_up(found: Vec<BurnUpDay>, since: NaiveDate, today: NaiveDate) -> Vec<BurnUp> {
    let mut projects: Vec<BurnUp> = Vec::new();
    for BurnUpDay { project, day, scope, completed } in found {
        if projects.last().is_none_or(|last| last.project != project) {
            projects.push(BurnUp { project, days: Vec::new() });
        }
        if let Some(last) = projects.last_mut() {
            last.days.push(Day { day, scope, completed });
        }
    }
    for project in &mut projects {
        let before = project.days.iter().rfind(|at| at.day <= since).copied();
        project.days.retain(|at| at.day > since);
        if let Some(before) = before {
            project.days.insert(0, Day { day: since, ..before });
        }
        if let Some(last) = project.days.last().copied().filter(|last| last.day < today) {
            project.days.push(Day { day: today, ..last });
        }
    }
    projects
}

impl BurnUp {
    /// Returns how much scope and how many completed tasks were added since the end of a day.
    pub fn since(&self, day: NaiveDate) -> (i64, i64) {
        let then = self.at(day);
        let (scope, completed) = then.map_or((0, 0), |then| (then.scope, then.completed));
        self.days.last().map_or((0, 0), |last| (last.scope - scope, last.completed - completed))
    }

    fn at(&self, day: NaiveDate) -> Option<&Day> {
        self.days.iter().rfind(|at| at.day <= day)
    }
}

/// Returns the sum of all projects by day.
pub fn together(projects: &[BurnUp]) -> Vec<Day> {
    let mut days: Vec<NaiveDate> =
        projects.iter().flat_map(|project| project.days.iter().map(|at| at.day)).collect();
    days.sort_unstable();
    days.dedup();
    let sum = |day: NaiveDate| {
        let standing = projects.iter().filter_map(|project| project.at(day));
        standing.fold(Day { day, scope: 0, completed: 0 }, |sum, at| Day {
            day,
            scope: sum.scope + at.scope,
            completed: sum.completed + at.completed,
        })
    };
    days.into_iter().map(sum).collect()
}

/// Returns every week from the first with a completed task in the report's days, including empty
/// ones.
pub fn weeks(found: &[Velocity], since: NaiveDate, today: NaiveDate) -> Vec<Week> {
    let monday =
        |day: NaiveDate| day - TimeDelta::days(i64::from(day.weekday().num_days_from_monday()));
    let first = monday(since + TimeDelta::days(6));
    // Weeks before the first completed task say nothing about the pace.
    let Some(first) = found.iter().map(|week| week.week).filter(|week| *week >= first).min() else {
        return Vec::new();
    };
    let this = monday(today);
    first
        .iter_weeks()
        .take_while(|week| *week <= this)
        .map(|week| {
            let done = found.iter().find(|done| done.week == week);
            Week {
                week,
                tasks: done.map_or(0, |done| done.tasks),
                likely_minutes: done.map_or(0, |done| done.likely_minutes),
                logged_minutes: done.map_or(0, |done| done.logged_minutes),
                complete: week < this,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn changed(project: &str, on: &str, scope: i64, completed: i64) -> BurnUpDay {
        BurnUpDay { project: project.to_owned(), day: day(on), scope, completed }
    }

    #[test]
    fn what_stood_before_the_first_day_is_carried_into_it_and_on_to_today() {
        let found = vec![
            changed("A", "2026-09-01", 5, 1),
            changed("A", "2026-09-08", 6, 2),
            changed("A", "2026-09-20", 7, 4),
            changed("B", "2026-09-15", 2, 0),
        ];
        let rendered = burn_up(found, day("2026-09-10"), day("2026-09-30"));
        let days = |at: usize| {
            rendered[at].days.iter().map(|at| (at.day, at.scope, at.completed)).collect::<Vec<_>>()
        };
        assert_eq!(
            days(0),
            [(day("2026-09-10"), 6, 2), (day("2026-09-20"), 7, 4), (day("2026-09-30"), 7, 4)]
        );
        assert_eq!(days(1), [(day("2026-09-15"), 2, 0), (day("2026-09-30"), 2, 0)]);
        assert_eq!(rendered[0].since(day("2026-09-19")), (1, 2));
        assert_eq!(rendered[1].since(day("2026-09-10")), (2, 0), "all of it is new");
        let all = together(&rendered);
        assert_eq!(
            all.iter().map(|at| (at.scope, at.completed)).collect::<Vec<_>>(),
            [(6, 2), (8, 2), (9, 4), (9, 4)]
        );
    }

    #[test]
    fn a_week_without_a_completed_task_is_a_week_and_the_current_one_is_not_over() {
        let done = |week: &str, tasks| Velocity {
            week: day(week),
            tasks,
            likely_minutes: 60,
            logged_minutes: 0,
        };
        let found = [done("2026-08-31", 9), done("2026-09-14", 3), done("2026-09-28", 1)];
        let rendered = weeks(&found, day("2026-09-10"), day("2026-09-30"));
        let actual: Vec<_> =
            rendered.iter().map(|week| (week.week, week.tasks, week.complete)).collect();
        assert_eq!(
            actual,
            [
                (day("2026-09-14"), 3, true),
                (day("2026-09-21"), 0, true),
                (day("2026-09-28"), 1, false)
            ],
            "the week that began before the report's days is not shown in part"
        );
        assert!(weeks(&[], day("2026-09-10"), day("2026-09-30")).is_empty());
    }
}
