//! The appended tables. A new table needs a constant and a line in `APPENDED`.

/// An appended table. Its rows are JSON objects with these columns, checked on write.
#[derive(Debug)]
pub struct EventTable {
    pub name: &'static str,
    pub doc: &'static str,
    /// Number of days that a row is kept, from the day it was written to the day that
    /// [`counted_from`](super::age::counted_from) returns.
    pub days: i64,
    /// Key columns, all text, which identify a row that was written twice.
    pub key: &'static [&'static str],
    /// Column with the time of the event.
    pub at: &'static str,
    /// Whether the rows are about the plan, so that a backup contains them; rows about a lake's
    /// files are true only of that lake.
    pub(super) is_of_the_plan: bool,
    /// Name, Delta type (string, long or timestamp), nullable, documentation.
    pub(super) columns: &'static [(&'static str, &'static str, bool, &'static str)],
}

/// Partition column of a row: the day it was written.
pub const DATE: &str = "date";

/// Activity of planners and agents.
pub const AGENT_LOGS: EventTable = EventTable {
    name: "agent_logs",
    doc: "Planner runs: the text that was read, the result, and the duration. Rows are kept for 365 days; the view agent_runs has one row per run.",
    days: 365,
    key: &["run_id"],
    at: "at",
    is_of_the_plan: true,
    columns: &[
        (
            "run_id",
            "string",
            false,
            "The id of the run (UUIDv7). A row can occur twice; both have this id.",
        ),
        ("at", "timestamp", false, "The time when it ended (UTC)."),
        (
            "agent",
            "string",
            false,
            "The planner or agent that ran; outline is the embedded planner. Rows of earlier versions hold planner.",
        ),
        ("model", "string", false, "The model that it used; outline is the embedded planner."),
        ("actor", "string", false, "The actor that requested it."),
        ("source", "string", true, "The text that it read."),
        ("project_id", "string", true, "The project that it planned."),
        ("patch_set_id", "string", true, "The patch set that it proposed."),
        ("seq", "long", true, "The seq of that patch set; null if nothing changed."),
        ("duration_ms", "long", false, "The duration in milliseconds."),
        ("phases", "long", false, "Number of phases found."),
        ("tasks", "long", false, "Number of tasks found."),
        ("subtasks", "long", false, "Number of subtasks found."),
        ("links", "long", false, "Number of dependencies found."),
        ("requirements", "long", false, "Number of requirements found."),
        (
            "problems",
            "long",
            false,
            "Number of problems found, such as circles and uncovered requirements.",
        ),
        ("skipped", "long", false, "Number of parts of the text that were not planned."),
        (
            "skipped_parts",
            "string",
            false,
            "Those parts as a JSON list, each with its first line and the reason.",
        ),
    ],
};

/// Runs of commands.
pub const RUNS: EventTable = EventTable {
    name: "runs",
    doc: "Commands and jobs that changed the lake. Rows are kept for 90 days; the view run_log has one row per run.",
    days: 90,
    key: &["run_id"],
    at: "started_at",
    is_of_the_plan: true,
    columns: &[
        (
            "run_id",
            "string",
            false,
            "The id of the run (UUIDv7). A row can occur twice; both have this id.",
        ),
        ("started_at", "timestamp", false, "The time when it began (UTC)."),
        ("duration_ms", "long", false, "The duration in milliseconds."),
        ("command", "string", false, "The subcommand."),
        ("actor", "string", false, "The actor that ran it."),
        ("seq", "long", false, "The seq of the journal's head when it ended."),
        ("version", "string", false, "The version of Lakeplan that ran."),
    ],
};

/// Progress of folding.
pub const TABLE_STATE: EventTable = EventTable {
    name: "table_state",
    doc: "State of the current tables after each fold or maintenance run that wrote them. A row is written when all tables are folded to its seq. Rows are kept for 90 days; the view latest_table_state has one row per table.",
    days: 90,
    key: &["run_id", "table_name"],
    at: "at",
    is_of_the_plan: false,
    columns: &[
        (
            "run_id",
            "string",
            false,
            "The id of the fold or maintenance run (UUIDv7). A row can occur twice; both have this id and table_name.",
        ),
        ("at", "timestamp", false, "The time when it ended (UTC)."),
        ("table_name", "string", false, "The name of the table."),
        ("seq", "long", false, "The seq up to which this table and all others are folded."),
        ("head_seq", "long", false, "The seq of the journal's head at that time."),
        ("rows_written", "long", false, "Number of rows of the table that it changed."),
        ("files", "long", false, "Number of files of the table afterwards."),
        ("bytes", "long", true, "Total size of these files in bytes."),
        ("version", "long", false, "Delta version of the table afterwards."),
    ],
};

/// Answers to the requests of the inbox.
pub const INBOX_RESULTS: EventTable = EventTable {
    name: "inbox_results",
    doc: "Answers to the requests in the inbox. A request without a row here is waiting. A request with a row is never evaluated again, whatever rows are added to the inbox later. Rows are kept for 100 years, because a request without its answer would be evaluated again. The view requests has one row per request.",
    days: 36_500,
    key: &["request_id"],
    at: "at",
    is_of_the_plan: true,
    columns: &[
        ("request_id", "string", false, "The id of the request, cut to its first 1000 characters."),
        ("at", "timestamp", false, "The time of the answer (UTC)."),
        (
            "outcome",
            "string",
            false,
            "applied, refused (it breaks a rule), or conflict (a value that it expected is no longer current).",
        ),
        ("seq", "long", true, "The seq of its patch set; null if it was not committed."),
        ("patch_set_id", "string", false, "The id of its patch set, committed or not."),
        ("message", "string", true, "The reason why it was not applied."),
        (
            "created_keys",
            "string",
            true,
            "The keys of the projects and tasks that it created, separated by spaces.",
        ),
        (
            "request_at",
            "timestamp",
            true,
            "The time of the answered row; null if that row has no valid time.",
        ),
        (
            "request_hash",
            "string",
            true,
            "md5(concat(user, ' ', patch_set)) of the answered row, to distinguish it from later rows with the same request_id; empty if the patch set was too large.",
        ),
    ],
};

/// Every appended table. Add a line for each new table.
pub const APPENDED: &[&EventTable] = &[&AGENT_LOGS, &INBOX_RESULTS, &RUNS, &TABLE_STATE];
