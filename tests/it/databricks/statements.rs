//! The Statement Execution API: statements that take a while, results in chunks, inline or behind
//! signed links, and the effects of DDL on the catalog.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use deltalake::arrow::array::{ArrayRef, RecordBatch, StringArray};
use deltalake::arrow::compute::cast;
use deltalake::arrow::datatypes::{DataType, Field, Schema};
use deltalake::arrow::ipc::writer::StreamWriter;
use serde_json::{Value, json};

use super::server::Reply;
use super::workspace::FakeWorkspace;

/// The response to a statement.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Name and type of each column.
    pub columns: Vec<(&'static str, &'static str)>,
    pub rows: Vec<Vec<Option<&'static str>>>,
    /// Number of rows in a chunk.
    pub piece: usize,
    /// Number of polls before the statement ends, and its state until then.
    pub polls: usize,
    pub state: &'static str,
    /// SQL state and message of a failure.
    pub failure: Option<(&'static str, &'static str)>,
    pub truncated: bool,
    /// Number of its links that expire before they are used.
    pub ended_links: usize,
    /// The status with which the storage refuses every link, if any.
    pub refused_links: Option<u16>,
    /// Delay of the storage's response.
    pub links_after: Duration,
    /// The inline result is refused for its size.
    pub too_large_inline: bool,
}

#[derive(Clone, Debug)]
pub struct Running {
    answer: Answer,
    by_links: bool,
    polls: usize,
    pub cancelled: bool,
    links_given: usize,
}

pub fn answer(workspace: &mut FakeWorkspace, method: &str, path: &str, body: &Value) -> Reply {
    let parts: Vec<&str> = path.trim_start_matches("/api/2.0/sql/").split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["warehouses", "w1"]) => Reply::json(
            200,
            &json!({"id": "w1", "name": "Starter", "state": workspace.warehouse_state}),
        ),
        ("GET", ["warehouses", id]) => {
            Reply::refused(404, "RESOURCE_DOES_NOT_EXIST", &format!("No warehouse {id}"))
        }
        ("POST", ["statements"]) => begin(workspace, body),
        ("GET", ["statements", id]) => state(workspace, id),
        ("POST", ["statements", id, "cancel"]) => {
            workspace.running.get_mut(*id).unwrap().cancelled = true;
            Reply::json(200, &json!({}))
        }
        ("GET", ["statements", id, "result", "chunks", index]) => {
            let piece = piece(workspace, id, index.parse().unwrap());
            Reply::json(200, &piece)
        }
        _ => Reply::refused(404, "ENDPOINT_NOT_FOUND", path),
    }
}

fn begin(workspace: &mut FakeWorkspace, body: &Value) -> Reply {
    if body["warehouse_id"] != "w1" {
        let message = format!("The warehouse {} does not exist", body["warehouse_id"]);
        return Reply::refused(404, "RESOURCE_DOES_NOT_EXIST", &message);
    }
    let wait: u64 = body["wait_timeout"]
        .as_str()
        .and_then(|text| text.strip_suffix('s')?.parse().ok())
        .unwrap_or(99);
    if !(wait == 0 || (5..=50).contains(&wait)) {
        workspace.violations.push(format!("wait_timeout is {}", body["wait_timeout"]));
    }
    let by_links = match (body["disposition"].as_str(), body["format"].as_str()) {
        (Some("INLINE"), Some("JSON_ARRAY")) => false,
        (Some("EXTERNAL_LINKS"), Some("ARROW_STREAM")) => true,
        other => {
            workspace.violations.push(format!("unsupported disposition and format: {other:?}"));
            false
        }
    };
    workspace.statements.push(body.clone());
    let sql = body["statement"].as_str().unwrap().to_owned();
    let answer = workspace.answers.get(&sql).cloned().unwrap_or_else(|| execute(workspace, &sql));
    let id = format!("st-{}", workspace.statements.len());
    let polls = answer.polls;
    workspace
        .running
        .insert(id.clone(), Running { answer, by_links, polls, cancelled: false, links_given: 0 });
    state(workspace, &id)
}

fn state(workspace: &mut FakeWorkspace, id: &str) -> Reply {
    let Some(running) = workspace.running.get_mut(id) else {
        return Reply::refused(404, "NOT_FOUND", id);
    };
    let answer = running.answer.clone();
    if running.cancelled {
        return Reply::json(200, &json!({"statement_id": id, "status": {"state": "CANCELED"}}));
    }
    if running.polls > 0 {
        running.polls -= 1;
        return Reply::json(200, &json!({"statement_id": id, "status": {"state": answer.state}}));
    }
    let failed = |sql_state: Option<&str>, message: &str| {
        let error = json!({"error_code": "BAD_REQUEST", "message": message});
        Reply::json(
            200,
            &json!({"statement_id": id, "status": {"state": "FAILED", "error": error, "sql_state": sql_state}}),
        )
    };
    if let Some((sql_state, message)) = answer.failure {
        return failed(Some(sql_state), message);
    }
    if answer.too_large_inline && !running.by_links {
        return failed(
            None,
            "Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most 26214400 bytes.",
        );
    }
    let columns: Vec<Value> = answer
        .columns
        .iter()
        .enumerate()
        .map(|(position, (name, kind))| json!({"name": name, "type_name": kind, "type_text": kind, "position": position}))
        .collect();
    let format = if running.by_links { "ARROW_STREAM" } else { "JSON_ARRAY" };
    let pieces =
        answer.rows.len().div_ceil(answer.piece.max(1)).max(usize::from(!answer.rows.is_empty()));
    let manifest = json!({
        "format": format, "schema": {"column_count": columns.len(), "columns": columns}, "total_row_count": answer.rows.len(),
        "total_chunk_count": pieces, "truncated": answer.truncated,
    });
    let result = if answer.rows.is_empty() { json!({}) } else { piece(workspace, id, 0) };
    Reply::json(
        200,
        &json!({"statement_id": id, "status": {"state": "SUCCEEDED"}, "manifest": manifest, "result": result}),
    )
}

fn piece(workspace: &mut FakeWorkspace, id: &str, index: usize) -> Value {
    let address = workspace.address.clone();
    let running = workspace.running.get_mut(id).unwrap();
    let size = running.answer.piece.max(1);
    let next = ((index + 1) * size < running.answer.rows.len()).then_some(index + 1);
    if running.by_links {
        running.links_given += 1;
        let link = format!("{address}/links/{id}/{index}?sig=canary-{}", running.links_given);
        return json!({"external_links": [{
            "external_link": link, "expiration": "2026-11-21T10:15:00.000Z", "chunk_index": index, "next_chunk_index": next,
            "row_offset": index * size,
        }]});
    }
    let rows: Vec<_> = running.answer.rows.iter().skip(index * size).take(size).cloned().collect();
    json!({"chunk_index": index, "row_offset": index * size, "data_array": rows, "next_chunk_index": next})
}

/// Serves a chunk behind its signed link, which must not receive a token.
pub fn link(workspace: &mut FakeWorkspace, rest: &str, query: &str, headers: &HeaderMap) -> Reply {
    if headers.contains_key("authorization") {
        workspace.violations.push(format!("the link {rest} received a token"));
    }
    let (id, index) = rest.split_once('/').unwrap();
    let number: usize = query.strip_prefix("sig=canary-").unwrap().parse().unwrap();
    let answer = &workspace.running[id].answer;
    let refused = if number <= answer.ended_links { Some(403) } else { answer.refused_links };
    if let Some(status) = refused {
        let url = format!("/links/{rest}?{query}");
        let body = format!(
            "<Error><Code>AuthenticationFailed</Code><Message>not with {url}</Message></Error>"
        );
        return Reply::bytes(status, body.into_bytes());
    }
    let size = answer.piece.max(1);
    let rows: Vec<_> =
        answer.rows.iter().skip(index.parse::<usize>().unwrap() * size).take(size).collect();
    let columns: Vec<(Field, ArrayRef)> = answer
        .columns
        .iter()
        .enumerate()
        .map(|(at, (name, kind))| {
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row[at]).collect::<StringArray>());
            let kind = if *kind == "LONG" { DataType::Int64 } else { DataType::Utf8 };
            (Field::new(*name, kind.clone(), true), cast(&texts, &kind).unwrap())
        })
        .collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    Reply { after: answer.links_after, ..Reply::bytes(200, bytes) }
}

/// Executes DDL: creates tables and views and grants privileges. A table at a location takes its
/// columns from the log there.
fn execute(workspace: &mut FakeWorkspace, sql: &str) -> Answer {
    let failed = |state: &'static str, message: &'static str| Answer {
        failure: Some((state, message)),
        ..Answer::default()
    };
    let args: Vec<&str> = sql.split_whitespace().collect();
    let name = |quoted: &str| quoted.replace('`', "");
    if let ["CREATE", "TABLE", "IF", "NOT", "EXISTS", table, ..] = args.as_slice() {
        let location = sql
            .split(" LOCATION '")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .unwrap()
            .to_owned();
        let log = format!(
            "{}/_delta_log/00000000000000000000.json",
            location.trim_start_matches("s3://")
        );
        let has_columns = sql.contains('(');
        if has_columns == workspace.objects.contains_key(&log) {
            return failed(
                "42000",
                "the columns are given where there is a log, or there is neither",
            );
        }
        if !workspace.tables.contains_key(&name(table)) {
            workspace.external_table(&name(table), &location, "EXTERNAL");
        }
    } else if let ["CREATE", "OR", "REPLACE", "VIEW", view, ..] = args.as_slice() {
        workspace.external_table(&name(view), "", "VIEW");
    } else if let ["GRANT", ..] = args.as_slice() {
        let (given, principal) = sql.trim_start_matches("GRANT ").split_once(" TO ").unwrap();
        let (privileges, securable) = given.split_once(" ON ").unwrap();
        let securable = name(securable.split_once(' ').unwrap().1);
        let grants = workspace.grants.entry(securable).or_default();
        grants.extend(
            privileges.split(", ").map(|privilege| (name(principal), privilege.to_owned())),
        );
    } else {
        return failed("42601", "the server was not told what to answer");
    }
    Answer::default()
}
