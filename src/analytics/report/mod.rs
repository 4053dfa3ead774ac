//! Builds the report: what the views show about a lake, as numbers and as one self-contained page.
//!
//! This module decides which views to query, what follows from their rows, and how the page shows
//! it. A number that no view has and that another engine would need too belongs in a view instead.
//! Rows come from the [`Session`] and become a [`Report`]; [`Report::page`] shows exactly what it
//! holds.

mod accuracy;
mod chart;
mod format;
mod numbers;
mod page;
mod rows;
mod trend;

use std::io::{BufReader, Read};

use chrono::{NaiveDate, TimeDelta};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::{AnalyticsError, Session, rows_json};
use crate::domain::key::ProjectKey;
use crate::domain::time::Instant;
pub use accuracy::Accuracy;
pub use numbers::{Operations, RecentActivity, Report};
pub use rows::{
    Change, CommandRuns, Covered, Fold, Person, Project, Risk, Run, StatusChange, TableSize,
};
pub use trend::{BurnUp, Week};

/// Options of a report.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Only these projects; empty means every live one.
    pub projects: Vec<ProjectKey>,
    /// Number of days that the charts look back.
    pub days: u16,
    /// Location of the lake.
    pub lake: String,
}

/// Query over all that the report reads, so that it is opened at once and shows one snapshot.
const REPORT_TABLES_QUERY: &str = "SELECT 1 FROM journal, portfolio, burn_up, planning_accuracy, cycle_time, velocity, workload_by_project, \
    status_changes, at_risk, requirement_coverage, audit, lag, latest_table_state, run_log";
/// Number of days in the recent activity.
const LATELY: i64 = 7;

impl Report {
    /// Queries the views.
    pub async fn gather(session: &Session, asked: &ReportOptions) -> Result<Self, AnalyticsError> {
        session.register_tables(&[REPORT_TABLES_QUERY]).await?;
        let asking = Queries { session, only: only(&asked.projects) };
        let clock: rows::Clock =
            asking.one("SELECT today, now FROM clock").await?.unwrap_or_default();
        let since = clock.today - TimeDelta::days(i64::from(asked.days));
        let recent_activity = clock.today - TimeDelta::days(LATELY.min(i64::from(asked.days)));
        let Queries { only, .. } = &asking;
        let projects = asking
            .all(&format!("SELECT * FROM portfolio {only} ORDER BY overdue DESC, remaining_minutes DESC, tasks DESC, project"))
            .await?;
        let burn_up: Vec<rows::BurnUpDay> =
            asking.all(&format!("SELECT * FROM burn_up {only} ORDER BY project, day")).await?;
        let burn_up = trend::burn_up(burn_up, since, clock.today);
        let accurate: Vec<rows::Accurate> = asking
            .all(&format!(
                "SELECT * FROM planning_accuracy {only} AND completed_at >= '{since}T00:00:00Z'"
            ))
            .await?;
        let completed: rows::Count = asking
            .one(&format!("SELECT count(*) AS n FROM cycle_time {only} AND completed_at >= '{since}T00:00:00Z'"))
            .await?
            .unwrap_or_default();
        let velocity: Vec<rows::Velocity> = asking
            .all(&format!(
                "SELECT week, sum(tasks) AS tasks, sum(likely_minutes) AS likely_minutes, sum(logged_minutes) AS logged_minutes \
                 FROM velocity {only} GROUP BY week ORDER BY week"
            ))
            .await?;
        Ok(Self {
            lake: asked.lake.clone(),
            as_of: clock.now,
            seq: asking.one::<rows::Count>("SELECT max(seq) AS n FROM journal").await?.unwrap_or_default().n,
            today: clock.today,
            since,
            asked: asked.projects.iter().map(ToString::to_string).collect(),
            recent_activity: RecentActivity {
                since: recent_activity,
                scope: burn_up.iter().map(|project| project.since(recent_activity).0).sum(),
                completed: burn_up.iter().map(|project| project.since(recent_activity).1).sum(),
                status_changes: asking
                    .all(&format!("SELECT * FROM status_changes {only} ORDER BY seq DESC, project, task LIMIT 12"))
                    .await?,
            },
            projects,
            burn_up,
            workload: asking.all(&workload(only)).await?,
            accuracy: Accuracy::of(&accurate, completed.n),
            velocity: trend::weeks(&velocity, since, clock.today),
            at_risk: asking.all(&at_risk(only)).await?,
            requirements: asking
                .all(&format!("SELECT * FROM requirement_coverage {only} ORDER BY project, requirement, source_line"))
                .await?,
            operations: asking.operations(since).await?,
        })
    }

    /// Whether a file holds the numbers of a report, of this version or another. Reads no more than
    /// needed.
    pub fn is_in(file: impl Read) -> bool {
        serde_json::from_reader::<_, Known>(BufReader::new(file)).is_ok()
    }

    /// Returns the page, which is self-contained.
    pub fn page(&self) -> Result<String, AnalyticsError> {
        page::page(self)
    }
}

/// Fields that distinguish the numbers of a report from other JSON.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only that they are there is asked")]
struct Known {
    lake: String,
    as_of: Instant,
    seq: i64,
    burn_up: IgnoredAny,
    at_risk: IgnoredAny,
    operations: IgnoredAny,
}

/// Returns the condition that selects the requested projects; every query that has a project uses
/// it.
fn only(projects: &[ProjectKey]) -> String {
    if projects.is_empty() {
        return "WHERE project IS NOT NULL".to_owned();
    }
    let keys: Vec<String> = projects.iter().map(|key| format!("'{key}'")).collect();
    format!("WHERE project IN ({})", keys.join(", "))
}

fn workload(only: &str) -> String {
    format!(
        "SELECT assignee, sum(tasks) AS tasks, sum(in_progress) AS in_progress, sum(likely_minutes) AS likely_minutes, \
         sum(remaining_minutes) AS remaining_minutes, sum(without_estimate) AS without_estimate, min(first_due) AS first_due \
         FROM workload_by_project {only} GROUP BY assignee ORDER BY remaining_minutes DESC, tasks DESC, assignee"
    )
}

fn at_risk(only: &str) -> String {
    format!(
        "SELECT * FROM at_risk {only} ORDER BY CASE reason WHEN 'overdue' THEN 1 WHEN 'blocked' THEN 2 WHEN 'over_estimate' THEN 3 ELSE 4 END, \
         due_date NULLS LAST, project, task"
    )
}

/// Returns the query for the last patch sets, each with what it did.
fn changes(only: &str) -> String {
    let sets = format!("SELECT DISTINCT seq FROM audit {only} ORDER BY seq DESC LIMIT 8");
    format!(
        "SELECT seq, at, actor, source, reason, op, entity, min(project) AS project, count(*) AS changes FROM audit \
         {only} AND seq IN ({sets}) GROUP BY seq, at, actor, source, reason, op, entity ORDER BY seq DESC, changes DESC, entity, op"
    )
}

/// Session, with the project filter of its queries.
struct Queries<'s> {
    session: &'s Session,
    only: String,
}

impl Queries<'_> {
    async fn all<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, AnalyticsError> {
        let rows = rows_json(&self.session.query(sql).await?)?;
        serde_json::from_value(rows).map_err(|err| AnalyticsError::Encoding(err.into()))
    }

    async fn one<T: DeserializeOwned>(&self, sql: &str) -> Result<Option<T>, AnalyticsError> {
        Ok(self.all(sql).await?.into_iter().next())
    }

    async fn operations(&self, since: NaiveDate) -> Result<Operations, AnalyticsError> {
        Ok(Operations {
            changes: self.all(&changes(&self.only)).await?,
            fold: self.one("SELECT seq, head_seq, sets_behind, age_minutes FROM lag ORDER BY sets_behind DESC LIMIT 1").await?,
            tables: self.all("SELECT table_name, at, files, bytes, version FROM latest_table_state ORDER BY table_name").await?,
            runs: self.all("SELECT * FROM run_log ORDER BY started_at DESC LIMIT 10").await?,
            commands: self
                .all(&format!(
                    "SELECT command, count(*) AS runs, CAST(median(duration_ms) AS BIGINT) AS median_ms, max(duration_ms) AS longest_ms \
                     FROM run_log WHERE started_at >= '{since}T00:00:00Z' GROUP BY command ORDER BY runs DESC, command"
                ))
                .await?,
        })
    }
}
