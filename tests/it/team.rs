//! Ten weeks of a team's work, committed at realistic times: test data for reports and dashboards.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use lakeplan::domain::time::Instant;
use lakeplan::runtime::{ManualClock, fresh_set_id};
use lakeplan::store::delta::{DeltaStore, LakeLocation};
use lakeplan::store::event_tables::RUNS;
use lakeplan::store::{Format, Outcome, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::store::{commit, set};
use crate::support::random;

const WEEKS: i64 = 10;
const PEOPLE: [&str; 4] = ["bea", "cem", "dan", "a-very-long-handle-that-nobody-chose-freely"];

/// Creates a lake at `root` whose last working day ends before `until`.
pub async fn at_work(root: &LakeLocation, until: Instant) -> DeltaStore {
    let monday =
        until.date_naive() - TimeDelta::days(i64::from(until.weekday().num_days_from_monday()));
    let first = monday - TimeDelta::weeks(WEEKS - 1);
    let clock = Arc::new(ManualClock::new(morning(first), TimeDelta::milliseconds(1)));
    let store =
        DeltaStore::create(root, Format::default(), Arc::clone(&clock) as Arc<_>, random(1))
            .await
            .unwrap();
    let mut team =
        Team { store, clock, random: StdRng::seed_from_u64(7), sets: 0, tasks: Vec::new() };
    team.create_projects(first).await;
    let mut day = first;
    while morning(day) + TimeDelta::hours(8) < until {
        if day.weekday().number_from_monday() <= 5 {
            let late = TimeDelta::seconds(team.random.random_range(0..3000));
            team.clock.advance(morning(day) + late - team.clock_now());
            team.work_for_a_day(day, first).await;
            team.clock.advance(TimeDelta::hours(7));
            team.change_plan(day, first).await;
        }
        day += TimeDelta::days(1);
    }
    team.store.fold().await.unwrap();
    team.store
}

fn morning(day: NaiveDate) -> Instant {
    DateTime::from_naive_utc_and_offset(day.and_hms_opt(8, 30, 0).unwrap(), Utc)
}

/// A task that is assigned to a person.
struct Assignment {
    key: String,
    person: usize,
    spent: i64,
    takes: i64,
    logs: bool,
    state: Progress,
}

#[derive(PartialEq)]
enum Progress {
    Waiting,
    Started,
    Done,
}

struct Team {
    store: DeltaStore,
    clock: Arc<ManualClock>,
    random: StdRng,
    sets: u64,
    tasks: Vec<Assignment>,
}

fn create(entity: &str, id: &str, fields: Value) -> Value {
    json!({"op": "create", "entity": entity, "id": id, "fields": fields})
}

fn update(task: &str, fields: Value) -> Value {
    json!({"op": "update", "entity": "task", "id": task, "fields": fields})
}

impl Team {
    fn clock_now(&self) -> Instant {
        use lakeplan::runtime::Clock;
        self.clock.now()
    }

    async fn change(&mut self, patches: Value) {
        let mut set = set(&self.store, patches).await;
        self.sets += 1;
        set.id = fresh_set_id(self.clock.as_ref(), random(1000 + self.sets).as_ref());
        assert!(matches!(commit(&self.store, set).await, Outcome::Committed { .. }));
    }

    /// Creates the projects as planned on the first day.
    async fn create_projects(&mut self, first: NaiveDate) {
        let mut patches = Vec::new();
        for (at, handle) in PEOPLE.iter().enumerate() {
            patches.push(create("user", &format!("$u{at}"), json!({"handle": handle})));
        }
        for (key, name, status) in [
            ("CP", "Customer portal", "active"),
            ("LED", "Ledger migration", "active"),
            ("APP", "Mobile app", "active"),
            ("ONE", "One <b>bold</b> & \"quoted\" <script>alert(1)</script>", "planned"),
            ("NIL", "Nothing yet", "planned"),
            ("OLD", "Shown to nobody", "archived"),
        ] {
            patches.push(create(
                "project",
                &format!("${key}"),
                json!({"key": key, "name": name, "status": status}),
            ));
        }
        let (mut numbers, mut made) = ((0, 0, 0), Vec::new());
        for (phase, parts) in [
            (
                "Sign-in",
                [
                    "Design the sign-in page",
                    "Build the sign-in service",
                    "Send the confirmation mail",
                    "Limit failed attempts",
                    "Write the help text",
                ],
            ),
            (
                "Invoices",
                [
                    "Show the list of invoices",
                    "Offer each invoice as PDF",
                    "Search by number and month",
                    "Mark what is overdue",
                    "Test without a mouse",
                ],
            ),
            (
                "Payments",
                [
                    "Choose the provider",
                    "Pay an invoice by card",
                    "Pay by direct debit",
                    "Refund from the back office",
                    "Reconcile once a day",
                ],
            ),
            (
                "Reminders",
                [
                    "Agree on the wording",
                    "Remind by mail",
                    "Remind by letter",
                    "Stop when it is paid",
                    "Count what comes back",
                ],
            ),
            (
                "Launch",
                [
                    "Load test with a year of invoices",
                    "Train the back office",
                    "Invite the first hundred",
                    "Watch for a week",
                    "Invite everyone",
                ],
            ),
        ] {
            numbers.0 += 1;
            let parent = format!("$cp{}", numbers.0);
            patches.push(create(
                "task",
                &parent,
                json!({"project_id": "$CP", "title": phase, "due_date": first + TimeDelta::days(i64::from(numbers.0) * 5 + 25)}),
            ));
            for title in parts {
                numbers.0 += 1;
                let likely = 240 * self.random.random_range(1..=6);
                let due = first + TimeDelta::days(i64::from(numbers.0) * 5);
                patches.push(create(
                    "task",
                    &format!("$cp{}", numbers.0),
                    json!({"project_id": "$CP", "parent_id": parent, "title": title, "assignee_id": format!("$u{}", numbers.0 % 3), "due_date": due,
                        "estimate_low": likely / 2, "estimate_likely": likely, "estimate_high": likely * 3 / 2}),
                ));
                made.push((format!("CP-{}", numbers.0), numbers.0 as usize % 3, likely, true));
            }
        }
        for n in 1..=44 {
            let likely = 120 * self.random.random_range(1..=8);
            patches.push(create(
                "task",
                &format!("$led{n}"),
                json!({"project_id": "$LED", "title": format!("Move the accounts of branch {n}"), "assignee_id": format!("$u{}", n % 4), "estimate_likely": likely}),
            ));
            made.push((format!("LED-{n}"), n % 4, likely, n % 3 != 0));
        }
        for n in 1..=9 {
            patches.push(create(
                "task",
                &format!("$app{n}"),
                json!({"project_id": "$APP", "title": format!("Screen {n} – äöü 計画 🚀")}),
            ));
            made.push((format!("APP-{n}"), 3, 600, n % 2 == 0));
        }
        patches.push(create(
            "task",
            "$one",
            json!({"project_id": "$ONE", "title": "<img src=x onerror=alert(2)> & 'so on'"}),
        ));
        for (label, text, answer) in [
            ("R1", "Customers sign in without calling anyone", Some("$cp2")),
            ("R2", "The portal works without a mouse", Some("$cp12")),
            ("R3", "A payment is never taken twice", Some("$cp15")),
            ("R4", "Nothing personal leaves the country <for now>", None),
        ] {
            let id = format!("${label}");
            patches.push(create(
                "requirement",
                &id,
                json!({"project_id": "$CP", "label": label, "text": text, "source": "portal.md", "source_line": 9}),
            ));
            if let Some(task) = answer {
                patches
                    .push(json!({"op": "link", "entity": "task_requirement", "fields": {"task_id": task, "requirement_id": id}}));
            }
        }
        self.change(Value::Array(patches)).await;
        for (key, person, likely, logs) in made {
            let takes = (likely as f64
                * [0.4, 0.7, 0.9, 1.0, 1.1, 1.3, 1.6, 2.4][self.random.random_range(0..8)])
                as i64;
            self.tasks.push(Assignment {
                key,
                person,
                spent: 0,
                takes: takes.max(60),
                logs,
                state: Progress::Waiting,
            });
        }
    }

    /// Everyone starts or continues a task, and completes it when its time is spent.
    async fn work_for_a_day(&mut self, day: NaiveDate, first: NaiveDate) {
        let mut patches = Vec::new();
        for person in 0..PEOPLE.len() {
            let create_projects = self
                .tasks
                .iter()
                .position(|task| task.person == person && task.state == Progress::Started);
            let at = create_projects.or_else(|| {
                self.tasks
                    .iter()
                    .position(|task| task.person == person && task.state == Progress::Waiting)
            });
            // A long holiday.
            let is_away = person == 1 && (20..34).contains(&(day - first).num_days());
            let Some(task) = at.filter(|_| !is_away).map(|at| &mut self.tasks[at]) else {
                continue;
            };
            if task.state == Progress::Waiting {
                task.state = Progress::Started;
                patches.push(update(&task.key, json!({"status": "in_progress"})));
                continue;
            }
            task.spent += self.random.random_range(180..420);
            let mut fields = json!({});
            if task.logs {
                fields["actual_minutes"] = json!(task.spent.min(task.takes.max(task.spent - 200)));
            }
            if task.spent >= task.takes {
                task.state = Progress::Done;
                fields["status"] = json!("completed");
            }
            if fields != json!({}) {
                patches.push(update(&task.key, fields));
            }
        }
        if !patches.is_empty() {
            self.change(Value::Array(patches)).await;
        }
    }

    /// Changes the plan like in practice: it grows, tasks are dropped, resumed, archived, blocked.
    async fn change_plan(&mut self, day: NaiveDate, first: NaiveDate) {
        let past = (day - first).num_days();
        let grown = |project: &str, title: &str| {
            create(
                "task",
                "$new",
                json!({"project_id": project, "title": title, "estimate_likely": 480}),
            )
        };
        let patches = match past {
            9 => json!([grown("CP", "Ask five customers")]),
            17 => json!([
                grown("LED", "Compare the totals"),
                update("LED-42", json!({"status": "cancelled"}))
            ]),
            25 => json!([
                update("CP-2", json!({"status": "archived"})),
                update("LED-43", json!({"status": "cancelled"}))
            ]),
            31 => {
                json!([grown("CP", "Make the list of invoices fast"), {"op": "delete", "entity": "task", "id": "APP-9"}])
            }
            38 => json!([
                update("LED-43", json!({"status": "pending"})),
                update("CP-17", json!({"status": "blocked"}))
            ]),
            52 => json!([
                update("CP-5", json!({"status": "in_progress"})),
                update("CP-24", json!({"due_date": day + TimeDelta::days(21)}))
            ]),
            59 => json!([
                create(
                    "task",
                    "$soon",
                    json!({"project_id": "CP", "title": "Tell the sales team", "due_date": first + TimeDelta::days(70)})
                ),
                create(
                    "task",
                    "$over",
                    json!({"project_id": "LED", "title": "Close the old ledger", "status": "in_progress", "assignee_id": "@cem",
                    "estimate_likely": 240, "actual_minutes": 600})
                ),
                create(
                    "task",
                    "$seen",
                    json!({"project_id": "LED", "title": "Read the last balance", "status": "review", "assignee_id": "@dan"})
                ),
            ]),
            _ => return,
        };
        self.change(patches).await;
        let row = json!({
            "run_id": format!("{past}"), "started_at": self.clock_now(), "duration_ms": 40 + past, "command": "apply", "actor": "bea", "seq": past,
            "version": "0.1.0",
        });
        self.store.append(&RUNS, vec![row.as_object().cloned().unwrap()]).await.unwrap();
    }
}
