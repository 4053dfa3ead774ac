use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::domain::any_record::AnyRecord;
use crate::domain::id::{EntityId, ProjectId, TaskId, UserId};
use crate::domain::project::ProjectStatus;
use crate::domain::record::Record;
use crate::domain::user::User;
use crate::domain::value::{LongText, Name, Title};

const ANA: u128 = 90;

/// Returns a lake with the tasks PAY-1 to PAY-4, of which PAY-2 is below PAY-1 and PAY-4 is
/// deleted, and with OLD-1 in an archived project.
fn lake() -> State {
    let mut state = State::default();
    let project = |id: u128, key: &str, status| Project {
        key: key.parse().unwrap(),
        status,
        ..Project::empty(ProjectId::of(Uuid::from_u128(id)))
    };
    state.put(AnyRecord::Project(Arc::new(project(1, "PAY", ProjectStatus::Active))));
    state.put(AnyRecord::Project(Arc::new(project(2, "OLD", ProjectStatus::Archived))));
    let ana = UserId::of(Uuid::from_u128(ANA));
    let user = User { handle: Name::new("ana").unwrap(), ..User::empty(ana) };
    state.put(AnyRecord::User(Arc::new(user)));
    let task = |id: u128, project: u128, key: &str, title: &str| {
        let mut task = Task::empty(TaskId::of(Uuid::from_u128(id)));
        task.project_id = ProjectId::of(Uuid::from_u128(project));
        task.key = key.parse().unwrap();
        task.title = Title::new(title).unwrap();
        task.position = i64::try_from(id).unwrap();
        task
    };
    let day = |day| NaiveDate::from_ymd_opt(2026, 12, day);
    let tasks = [
        Task {
            status: TaskStatus::InProgress,
            assignee_id: Some(ana),
            due_date: day(9),
            ..task(11, 1, "PAY-1", "Ledger")
        },
        Task {
            parent_id: Some(TaskId::of(Uuid::from_u128(11))),
            depth: 1,
            priority: Some(Priority::High),
            description: LongText::new("Copies the RATES").ok(),
            ..task(12, 1, "PAY-2", "Copy")
        },
        Task { status: TaskStatus::Completed, due_date: day(1), ..task(13, 1, "PAY-3", "Audit") },
        Task { deleted_at: chrono::DateTime::from_timestamp(0, 0), ..task(14, 1, "PAY-4", "Drop") },
        task(15, 2, "OLD-1", "Attic"),
    ];
    for mut task in tasks {
        task.tags.0.extend((task.key.number() == 2).then(|| "db".to_owned()));
        state.put(AnyRecord::Task(Arc::new(task)));
    }
    state
}

fn keys_of(page: &TaskPage) -> Vec<String> {
    page.tasks.iter().map(|view| view.task.key.to_string()).collect()
}

/// Returns the page of a query at seq 7 on 2026-12-10.
fn page_of(query: &TaskQuery) -> TaskPage {
    page(query, 7, &lake(), NaiveDate::from_ymd_opt(2026, 12, 10).unwrap()).unwrap()
}

fn keys(query: &TaskQuery) -> Vec<String> {
    keys_of(&page_of(query))
}

#[test]
fn each_filter_passes_the_tasks_it_names() {
    let all = TaskQuery::default;
    let some = |word: &str| vec![word.to_owned()];
    let user = |name: &str| Some(AssigneeFilter::User(name.to_owned()));
    let cases = [
        ("none", all(), vec!["PAY-1", "PAY-2", "PAY-3"]),
        ("open", TaskQuery { open: true, ..all() }, vec!["PAY-1", "PAY-2"]),
        ("status", TaskQuery { statuses: vec![TaskStatus::Completed], ..all() }, vec!["PAY-3"]),
        ("assignee", TaskQuery { assignee: user("@ana"), ..all() }, vec!["PAY-1"]),
        (
            "no assignee",
            TaskQuery { assignee: Some(AssigneeFilter::Unassigned), ..all() },
            vec!["PAY-2", "PAY-3"],
        ),
        (
            "priority",
            TaskQuery { priorities: vec![Priority::Low, Priority::High], ..all() },
            vec!["PAY-2"],
        ),
        ("tag", TaskQuery { tags: some("db"), ..all() }, vec!["PAY-2"]),
        ("below", TaskQuery { below: Some("PAY-1".to_owned()), ..all() }, vec!["PAY-2"]),
        ("text", TaskQuery { text: Some("the rates".to_owned()), ..all() }, vec!["PAY-2"]),
        ("overdue", TaskQuery { overdue: true, ..all() }, vec!["PAY-1"]),
        ("deleted", TaskQuery { deleted: true, ..all() }, vec!["PAY-4"]),
        ("archived project", TaskQuery { projects: some("old"), ..all() }, vec!["OLD-1"]),
    ];
    for (filter, query, expected) in cases {
        assert_eq!(keys(&query), expected, "{filter}");
    }
}

#[test]
fn an_unknown_name_in_a_query_is_an_error() {
    let all = TaskQuery::default;
    let user = AssigneeFilter::User("@bob".to_owned());
    let queries = [
        ("project", TaskQuery { projects: vec!["NIL".to_owned()], ..all() }),
        ("task", TaskQuery { below: Some("PAY-9".to_owned()), ..all() }),
        ("user", TaskQuery { assignee: Some(user), ..all() }),
    ];
    let today = NaiveDate::default();
    for (kind, query) in queries {
        let err = page(&query, 7, &lake(), today).unwrap_err();
        assert!(
            matches!(err, ServiceError::NotFound { what, .. } if what == kind),
            "{kind}: {err}"
        );
    }
}

#[test]
fn tasks_without_a_value_come_last_in_both_directions() {
    let sorted = |text: &str| keys(&TaskQuery { sort: Some(text.parse().unwrap()), ..all() });
    fn all() -> TaskQuery {
        TaskQuery::default()
    }
    assert_eq!(sorted("due"), ["PAY-3", "PAY-1", "PAY-2"]);
    assert_eq!(sorted("-due"), ["PAY-1", "PAY-3", "PAY-2"]);
    assert_eq!(sorted("title"), ["PAY-3", "PAY-2", "PAY-1"]);
    assert_eq!(sorted("-key"), ["PAY-3", "PAY-2", "PAY-1"]);
    assert_eq!(sorted("priority")[0], "PAY-2");
    let names = "must be one of key, title, status, priority, due, estimate, created, updated";
    assert_eq!("colour".parse::<Sort>(), Err(names.to_owned()));
}

#[test]
fn the_cursor_of_a_page_leads_through_the_whole_list() {
    let mut query = TaskQuery { limit: 2, ..TaskQuery::default() };
    let first = page_of(&query);
    assert_eq!((first.total, keys_of(&first)), (3, vec!["PAY-1".to_owned(), "PAY-2".to_owned()]));
    let json = json!(first);
    assert_eq!(
        (&json["seq"], &json["total"], &json["next"]),
        (&json!(7), &json!(3), &json!("7.2"))
    );
    assert_eq!(json["tasks"][1]["parent"], json!("PAY-1"));
    query.cursor = json["next"].as_str().map(|text| text.parse().unwrap());
    let second = page_of(&query);
    assert_eq!((keys_of(&second), second.next), (vec!["PAY-3".to_owned()], None));
    query.cursor = Some(Cursor { seq: 7, offset: usize::MAX });
    assert!(page_of(&query).tasks.is_empty());
    let none = TaskQuery { limit: 0, ..TaskQuery::default() };
    assert_eq!(page_of(&none).next, Some(Cursor { seq: 7, offset: 1 }), "a page goes on");
    for text in ["", "7", "7.", "x.1", "7.-1", "7.1.2"] {
        assert!(text.parse::<Cursor>().is_err(), "{text}");
    }
}
