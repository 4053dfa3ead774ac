//! The code in the JSON and the exit code of every error. Scripts branch on both, so neither may
//! change.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lakeplan::analytics::{AnalyticsError, Format};
use lakeplan::cli::CliError;
use lakeplan::config::{ConfigError, NotUtf8};
use lakeplan::databricks::catalog::CatalogError;
use lakeplan::databricks::warehouse::{StatementState, WarehouseError};
use lakeplan::databricks::{ApiErrorBody, WorkspaceError};
use lakeplan::domain::apply::Conflict;
use lakeplan::domain::id::PatchSetId;
use lakeplan::domain::record::Entity;
use lakeplan::net::{ErrorBody, ErrorResponse, Headers, Lost, NetError, Unsent};
use lakeplan::service::ServiceError;
use lakeplan::store::StoreError;
use lakeplan::store::location::cloud::CloudError;
use serde_json::{Value, json};

fn text(text: &str) -> String {
    text.to_owned()
}

fn not_utf8() -> NotUtf8 {
    NotUtf8 { name: text("LAKEPLAN_LAKE"), value: None }
}

fn io_error() -> io::Error {
    io::Error::other("no room")
}

fn net_errors() -> Vec<(NetError, u8)> {
    let host = || text("api.example.com");
    let source = || reqwest::Proxy::all("http://[").unwrap_err();
    let answered = |status| {
        let (headers, body) = (Headers::default(), ErrorBody::Text(text("no")));
        NetError::Answered(Box::new(ErrorResponse { host: host(), status, headers, body }))
    };
    let unsent = |why| NetError::NotSent { host: host(), why, source: source() };
    let lost = |why| NetError::Uncertain { host: host(), why, source: source() };
    vec![
        (NetError::BadAddress { given: text("x"), why: "it has no host" }, 3),
        (NetError::BadRequest { host: host(), part: text("X-A") }, 3),
        (NetError::Blocked { host: host(), why: "this machine" }, 3),
        (unsent(Unsent::Name), 4),
        (unsent(Unsent::Refused), 4),
        (unsent(Unsent::Timeout), 4),
        (unsent(Unsent::Tls), 4),
        (unsent(Unsent::Connection), 4),
        (lost(Lost::Timeout), 4),
        (lost(Lost::Closed), 4),
        (lost(Lost::Body), 4),
        (answered(302), 3),
        (answered(422), 3),
        (answered(429), 4),
        (answered(503), 4),
        (NetError::TooLarge { host: host(), status: 200, limit: 1 }, 3),
        (NetError::BadEncoding { host: host(), status: 200, encoding: text("br") }, 3),
        (NetError::NotJson { host: host(), status: 200 }, 3),
        (NetError::CaBundle { origin: text("A"), path: text("a.pem"), why: text("no") }, 3),
        (NetError::BadProxy { origin: text("HTTPS_PROXY") }, 3),
        (NetError::Tls { source: source() }, 3),
    ]
}

fn workspace_errors() -> Vec<(WorkspaceError, u8)> {
    let (host, body) = (|| text("dbc.example.com"), || Box::new(ApiErrorBody::default()));
    let origin = || text("DATABRICKS_TOKEN");
    let own = vec![
        (WorkspaceError::Unauthorized { host: host(), body: body() }, 3),
        (WorkspaceError::TokenFile { path: text("token"), source: io_error() }, 3),
        (WorkspaceError::BadToken { what: "token", origin: origin() }, 3),
        (WorkspaceError::BadGrant { host: host() }, 3),
        (WorkspaceError::Forbidden { host: host(), body: body() }, 3),
        (WorkspaceError::NotFound { host: host(), body: body() }, 3),
        (WorkspaceError::Rejected { host: host(), status: 400, body: body() }, 3),
        (WorkspaceError::Redirected { host: host(), status: 302 }, 3),
        (WorkspaceError::RateLimited { host: host(), after: None }, 4),
        (WorkspaceError::Server { host: host(), status: 503, after: None, body: body() }, 4),
    ];
    let net = net_errors().into_iter().map(|(err, exit)| (WorkspaceError::Net(err), exit));
    own.into_iter().chain(net).collect()
}

fn config_errors() -> Vec<ConfigError> {
    let (path, origin) = (|| PathBuf::from("lakeplan.toml"), || text("LAKEPLAN_OUTPUT"));
    vec![
        ConfigError::NotUtf8(not_utf8()),
        ConfigError::Unreadable { path: path(), source: io_error() },
        ConfigError::Malformed { path: path(), message: text("line 1") },
        ConfigError::UnknownSetting {
            origin: origin(),
            name: text("lakee"),
            nearest: Some(text("lake")),
            known: vec![text("lake")],
        },
        ConfigError::InvalidSetting {
            origin: origin(),
            key: text("lake"),
            message: text("must be a string"),
        },
        ConfigError::MissingSetting { key: text("lake") },
        ConfigError::NoSection { origin: origin(), target: text("dev"), path: path() },
        ConfigError::UnknownValue {
            origin: origin(),
            value: text("x"),
            what: "output",
            known: &["json", "text"],
        },
        ConfigError::InvalidSize { origin: origin(), value: text("x") },
        ConfigError::Clock { shows: text("1969") },
        ConfigError::InvalidSecretReference { origin: origin(), name: text("token") },
        ConfigError::NoHost,
        ConfigError::NoLogin,
        ConfigError::IncompleteCredentials { set: "A", missing: "B" },
    ]
}

fn catalog_errors() -> Vec<(CatalogError, u8)> {
    let (schema, table, url) = (|| text("main.plan"), || text("tasks"), || text("s3://a/b"));
    let (principal, message, grants) = (|| text("ana"), || text("no"), || vec![text("GRANT X")]);
    let own = vec![
        (CatalogError::NoCatalog { catalog: text("main"), principal: principal() }, 3),
        (CatalogError::NoSchema { schema: schema(), principal: principal() }, 3),
        (CatalogError::NotRegistered { schema: schema() }, 3),
        (CatalogError::AlreadyRegistered { schema: schema(), location: url() }, 1),
        (CatalogError::NotExternal { table: table(), kind: text("managed") }, 3),
        (CatalogError::Misplaced { table: table(), location: url() }, 3),
        (CatalogError::Features { table: table(), features: text("x") }, 3),
        (CatalogError::ExternalAccessOff, 3),
        (
            CatalogError::Lacks {
                principal: principal(),
                what: text("read"),
                message: message(),
                grants: grants(),
            },
            3,
        ),
        (
            CatalogError::Unregistered {
                table: table(),
                schema: schema(),
                message: message(),
                grants: grants(),
            },
            3,
        ),
        (CatalogError::Moved { table: table(), location: url() }, 3),
        (CatalogError::ReadOnly { url: url(), message: message(), grants: grants() }, 1),
        (CatalogError::Elsewhere { url: url() }, 3),
        (CatalogError::NoCredential { url: url() }, 3),
        (CatalogError::Unreadable { host: text("h"), what: text("x") }, 3),
    ];
    let workspace =
        workspace_errors().into_iter().map(|(err, exit)| (CatalogError::from(err), exit));
    own.into_iter().chain(workspace).collect()
}

fn store_errors() -> Vec<(StoreError, &'static str, u8)> {
    let (root, path) = (|| text("./lake"), || text("tasks/_delta_log/0.json"));
    let storage = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Storage {
        operation: "reading",
        path: path(),
        source: Arc::from(source),
    };
    let cloud = || CloudError::permanent("there is no bucket team", "create it");
    let own = vec![
        (StoreError::NotALake { root: root() }, "not_a_lake", 3),
        (StoreError::AlreadyALake { root: root() }, "already_a_lake", 1),
        (StoreError::CopyOntoLake { root: root() }, "already_a_lake", 1),
        (StoreError::CopyChanged { root: root(), seq: 7 }, "already_a_lake", 1),
        (
            StoreError::UnfinishedCopy { root: root(), from: text("a"), up_to: text("seq 7") },
            "unfinished_copy",
            1,
        ),
        (StoreError::Within { root: root(), what: "lake", outer: text("a") }, "within", 1),
        (StoreError::JournalLost { root: root(), tables: vec!["tasks"] }, "not_a_lake", 3),
        (StoreError::Occupied { root: root(), name: "tasks" }, "occupied", 1),
        (StoreError::NoFolder { name: text("a") }, "no_folder", 3),
        (StoreError::UnusableRoot { root: root(), why: text("it is a file") }, "storage", 3),
        (StoreError::UnusableVolume { root: root() }, "storage", 3),
        (StoreError::NotUtf8(not_utf8()), "storage", 3),
        (StoreError::Cloud(cloud()), "storage", 3),
        (
            StoreError::NewerFormat { root: root(), verb: "read", needed: 9, known: 1 },
            "newer_format",
            3,
        ),
        (storage(Box::new(io_error())), "storage", 4),
        (storage(Box::new(cloud())), "storage", 4),
        (StoreError::Damaged { path: path(), what: text("x") }, "damaged", 3),
        (StoreError::Damaged { path: text("journal/a"), what: text("x") }, "damaged", 3),
        (StoreError::NoInbox, "damaged", 3),
        (StoreError::NameTaken { path: path() }, "damaged", 3),
        (StoreError::ErasedSince { seq: 1, ordinal: 0, up_to: 3 }, "storage", 3),
        (StoreError::BeforeItsTime, "storage", 1),
        (StoreError::AfterItsEnd { seq: 9, end: 7 }, "storage", 1),
        (StoreError::Deadline { seconds: 30 }, "storage", 4),
        (StoreError::WriterGone, "storage", 5),
        (StoreError::Features { path: path(), features: text("x") }, "features", 3),
        (StoreError::Features { path: text("inbox/a"), features: text("x") }, "features", 3),
        (StoreError::Features { path: text("journal/a"), features: text("x") }, "features", 3),
    ];
    let catalog =
        catalog_errors().into_iter().map(|(err, exit)| (StoreError::Catalog(err), "catalog", exit));
    own.into_iter().chain(catalog).collect()
}

fn warehouse_errors() -> Vec<(WarehouseError, u8)> {
    let (id, message, left) = (|| text("w1"), || text("no"), StatementState::Cancelled);
    let own = vec![
        (WarehouseError::NoWarehouse { id: id(), message: message() }, 3),
        (WarehouseError::NotAllowed { id: id(), message: message() }, 3),
        (WarehouseError::Stopped { id: id(), message: message() }, 3),
        (WarehouseError::Failed { state: None, code: text("X"), message: message() }, 2),
        (WarehouseError::Cancelled, 4),
        (WarehouseError::Closed, 4),
        (WarehouseError::Interrupted { left }, 4),
        (WarehouseError::Deadline { left }, 4),
        (WarehouseError::Unreadable { what: text("x") }, 3),
    ];
    let workspace =
        workspace_errors().into_iter().map(|(err, exit)| (WarehouseError::Workspace(err), exit));
    own.into_iter().chain(workspace).collect()
}

fn analytics_errors() -> Vec<(AnalyticsError, &'static str, u8)> {
    let broken = |table| AnalyticsError::Broken { table, cause: Box::new(engine()) };
    let writes = |what| AnalyticsError::Writes { what: text(what) };
    let format = |other| AnalyticsError::Unwritable {
        column: text("a"),
        kind: text("a list"),
        format: Format::Csv,
        other,
    };
    let name = || text("taks");
    let own = vec![
        (writes("SHOW TABLES"), "query", 1),
        (writes("EXPLAIN"), "query", 1),
        (writes("COPY"), "query", 1),
        (writes("an INSERT"), "query", 1),
        (AnalyticsError::MultipleStatements, "query", 2),
        (AnalyticsError::TooComplex(text("x")), "too_complex", 2),
        (AnalyticsError::Memory { most: 1 << 24 }, "memory", 1),
        (AnalyticsError::Grows(text("x")), "memory", 1),
        (AnalyticsError::Deadline(Duration::from_secs(1)), "deadline", 4),
        (AnalyticsError::Interrupted, "interrupted", 4),
        (broken("tasks"), "damaged", 3),
        (broken("runs"), "damaged", 3),
        (broken("journal"), "damaged", 3),
        (AnalyticsError::Panicked(text("x")), "query", 5),
        (AnalyticsError::Thread(io_error()), "query", 4),
        (AnalyticsError::UnknownTable { name: name(), nearest: None }, "unknown_table", 2),
        (
            AnalyticsError::UnknownTable { name: name(), nearest: Some(text("tasks")) },
            "unknown_table",
            2,
        ),
        (
            AnalyticsError::UnknownColumn { name: name(), nearest: Some(text("key")) },
            "unknown_column",
            2,
        ),
        (AnalyticsError::Syntax(text("x")), "syntax", 2),
        (AnalyticsError::Sql(text("x")), "query", 2),
        (AnalyticsError::Reading(Box::new(io_error())), "query", 4),
        (format(Format::Json), "query", 2),
        (format(Format::Parquet), "query", 2),
        (AnalyticsError::NoTextForm { column: text("a"), kind: text("DATE") }, "query", 2),
        (AnalyticsError::Unplanned(text("x")), "query", 2),
        (AnalyticsError::Encoding(Box::new(io_error())), "query", 5),
    ];
    let store = store_errors()
        .into_iter()
        .map(|(err, _, exit)| (AnalyticsError::Store(err), "query", exit));
    let warehouse = warehouse_errors()
        .into_iter()
        .map(|(err, exit)| (AnalyticsError::Warehouse(err), "warehouse", exit));
    own.into_iter().chain(store).chain(warehouse).collect()
}

fn engine() -> AnalyticsError {
    AnalyticsError::Reading(Box::new(io_error()))
}

fn service_errors() -> Vec<(ServiceError, &'static str, u8)> {
    let conflict = Conflict {
        patch: 0,
        entity: Entity::Task,
        id: uuid::Uuid::nil(),
        field: text("status"),
        expected: Value::Null,
        theirs: json!("done"),
    };
    let own = vec![
        (ServiceError::Refused(Vec::new()), "refused", 1),
        (
            ServiceError::Conflicted { subject: text("PAY-1"), conflict: Box::new(conflict) },
            "conflict",
            1,
        ),
        (ServiceError::NotFound { what: "task", name: text("PAY-9"), hint: None }, "not_found", 1),
        (ServiceError::input("PAY-1", "wrong"), "input", 1),
        (ServiceError::Parameter { name: "as_of", message: text("wrong"), hint: None }, "input", 1),
        (ServiceError::NotInCatalog { lake: text("./lake") }, "input", 1),
        (
            ServiceError::Unknown {
                id: PatchSetId::of_event(0, b"event"),
                cause: StoreError::WriterGone,
            },
            "unknown_outcome",
            4,
        ),
    ];
    let config =
        config_errors().into_iter().map(|err| (ServiceError::Config(err), "configuration", 3));
    let workspace = workspace_errors()
        .into_iter()
        .map(|(err, exit)| (ServiceError::Workspace(err), "configuration", exit));
    let store =
        store_errors().into_iter().map(|(err, code, exit)| (ServiceError::Store(err), code, exit));
    let not_written = store_errors()
        .into_iter()
        .map(|(err, _, exit)| (ServiceError::NotWritten(err), "not_written", exit));
    let query = analytics_errors()
        .into_iter()
        .map(|(err, code, exit)| (ServiceError::Query(err), code, exit));
    own.into_iter()
        .chain(config)
        .chain(workspace)
        .chain(store)
        .chain(not_written)
        .chain(query)
        .collect()
}

fn cli_errors() -> Vec<(CliError, &'static str, u8)> {
    let statement = |cause| CliError::Statement {
        what: text("the tables"),
        detail: text(""),
        cause: Box::new(cause),
    };
    let partial = CliError::Partial {
        message: text("1 of 2 was not planned"),
        text: text(""),
        counts: BTreeMap::new(),
        answer: json!({}),
    };
    let own = vec![
        (CliError::Io(io_error()), "io", 4),
        (CliError::Output(io_error()), "output", 1),
        (CliError::ReplyLost { what: text("seq 7 is committed"), err: io_error() }, "output", 0),
        (CliError::CheckFailed(json!({})), "found", 1),
        (partial, "partly", 1),
        (CliError::usage("wrong"), "usage", 2),
    ];
    let config = config_errors().into_iter().map(|err| (CliError::Config(err), "configuration", 3));
    // The statement is Lakeplan's own, so its failure is not a usage error.
    let statements = warehouse_errors().into_iter().map(|(err, exit)| {
        let exit = if matches!(err, WarehouseError::Failed { .. }) { 1 } else { exit };
        (statement(err), "warehouse", exit)
    });
    let service =
        service_errors().into_iter().map(|(err, code, exit)| (CliError::Service(err), code, exit));
    own.into_iter().chain(config).chain(statements).chain(service).collect()
}

/// Returns the first words of the debug text, which name the variant.
fn variant(err: &impl Debug) -> String {
    format!("{err:?}").chars().take(80).collect()
}

#[test]
fn every_error_keeps_its_code_and_its_exit_code() {
    let errors = cli_errors();
    assert!(errors.len() > 250, "only {} errors", errors.len());
    for (err, code, exit) in &errors {
        let json = err.to_json();
        let kind = if *exit == 0 { "warning" } else { "error" };
        assert_eq!(json[kind]["code"], *code, "{}", variant(err));
        assert_eq!(json[kind]["exit"], *exit, "{}", variant(err));
        assert_eq!(err.exit() as u8, *exit, "{}", variant(err));
    }
}
