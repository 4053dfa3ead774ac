//! The appended tables. A new table needs a constant and a line in `APPENDED`.

use super::EventTable;

/// Activity of planners and agents.
pub const AGENT_LOGS: EventTable = EventTable {
    name: "agent_logs",
    doc: "Every run of a planner: what it read, what it made of it, how long it took. Kept for 365 days; the view agent_runs has one row a run.",
    days: 365,
    key: &["run_id"],
    at: "at",
    is_of_the_plan: true,
    columns: &[
        ("run_id", "string", false, "The run (UUIDv7); a row may be there twice, this tells."),
        ("at", "timestamp", false, "When it ended (UTC)."),
        ("agent", "string", false, "What ran, such as planner."),
        ("model", "string", false, "What it thought with; outline is the embedded planner."),
        ("actor", "string", false, "Who asked for it."),
        ("source", "string", true, "The text it read."),
        ("project_id", "string", true, "The project it planned."),
        ("patch_set_id", "string", true, "The patch set it proposed."),
        ("seq", "long", true, "Where that was committed; null where nothing changed."),
        ("duration_ms", "long", false, "How long it took."),
        ("phases", "long", false, "Phases it found."),
        ("tasks", "long", false, "Tasks it found."),
        ("subtasks", "long", false, "Subtasks it found."),
        ("links", "long", false, "Dependencies it found."),
        ("requirements", "long", false, "Requirements it found."),
        ("problems", "long", false, "Problems it saw, such as circles and uncovered requirements."),
        ("skipped", "long", false, "Parts of the text it did not plan."),
        ("skipped_parts", "string", false, "JSON list of those parts: first line and reason."),
    ],
};

/// Runs of commands.
pub const RUNS: EventTable = EventTable {
    name: "runs",
    doc: "Every command and job that changed the lake. Kept for 90 days; the view run_log has one row a run.",
    days: 90,
    key: &["run_id"],
    at: "started_at",
    is_of_the_plan: true,
    columns: &[
        ("run_id", "string", false, "The run (UUIDv7); a row may be there twice, this tells."),
        ("started_at", "timestamp", false, "When it began (UTC)."),
        ("duration_ms", "long", false, "How long it took."),
        ("command", "string", false, "The subcommand."),
        ("actor", "string", false, "Who ran it."),
        ("seq", "long", false, "The head of the journal when it ended."),
        ("version", "string", false, "The version of lakeplan that ran."),
    ],
};

/// Progress of folding.
pub const TABLE_STATE: EventTable = EventTable {
    name: "table_state",
    doc: "What each fold and each round of maintenance left of the current tables it wrote. A row is written when all of them are folded to its seq. Kept for 90 days; the view latest_table_state has one row a table.",
    days: 90,
    key: &["run_id", "table_name"],
    at: "at",
    is_of_the_plan: false,
    columns: &[
        (
            "run_id",
            "string",
            false,
            "The fold or the round of maintenance (UUIDv7); with table_name it tells a row that is there twice.",
        ),
        ("at", "timestamp", false, "When it ended (UTC)."),
        ("table_name", "string", false, "The table."),
        (
            "seq",
            "long",
            false,
            "The patch set that the table is folded to, and with it every other table.",
        ),
        ("head_seq", "long", false, "The last patch set in the journal then."),
        ("rows_written", "long", false, "Rows of the table that changed in it."),
        ("files", "long", false, "Files that the table has since."),
        ("bytes", "long", true, "How large these are."),
        ("version", "long", false, "The table's Delta version since."),
    ],
};

/// Answers to the requests of the inbox.
pub const INBOX_RESULTS: EventTable = EventTable {
    name: "inbox_results",
    doc: "What became of each request of the inbox. A request without a row here waits; one with a row is never judged again, whatever rows the inbox gets later. Rows are kept for a hundred years, because a request whose answer is gone would be judged again; the view requests has one row a request.",
    days: 36_500,
    key: &["request_id"],
    at: "at",
    is_of_the_plan: true,
    columns: &[
        (
            "request_id",
            "string",
            false,
            "The request, as its author called it; of a longer id the first 1000 characters.",
        ),
        ("at", "timestamp", false, "When it was answered (UTC)."),
        (
            "outcome",
            "string",
            false,
            "applied; refused: it breaks a rule; conflict: a value that it expected does not stand.",
        ),
        ("seq", "long", true, "Where it was committed; null where it was not."),
        ("patch_set_id", "string", false, "The patch set it became, or would have become."),
        ("message", "string", true, "Why it was not applied."),
        (
            "created_keys",
            "string",
            true,
            "The keys of the projects and tasks it created, separated by spaces.",
        ),
        (
            "request_at",
            "timestamp",
            true,
            "The time of the row that was answered; null where it has none that can be.",
        ),
        (
            "request_hash",
            "string",
            true,
            "md5(concat(user, ' ', patch_set)) of the row that was answered, which tells it from later rows of the same request_id; empty where the patch set was too large.",
        ),
    ],
};

/// Every appended table. Add a line for each new table.
pub const APPENDED: &[&EventTable] = &[&AGENT_LOGS, &INBOX_RESULTS, &RUNS, &TABLE_STATE];
