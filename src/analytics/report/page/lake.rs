//! Section on the lake itself.

use super::super::html::{Cell, details, table};
use super::super::{Change, Report, format};
use super::section::{paragraph, section};

/// Returns the last patch sets, each with what it did.
fn changes(changes: &[Change]) -> Vec<Vec<Cell>> {
    let row = |set: &[Change]| {
        let first = set.first()?;
        let did: Vec<String> = set.iter().map(did).collect();
        Some(vec![
            Cell::short(format::minute(first.at)),
            Cell::text(&first.actor),
            Cell::text(did.join(", ")),
            Cell::text(
                set.iter()
                    .find_map(|change| change.project.clone())
                    .unwrap_or_else(|| "–".to_owned()),
            ),
            Cell::text(first.reason.clone().unwrap_or_else(|| format!("source: {}", first.source))),
        ])
    };
    changes.chunk_by(|one, next| one.seq == next.seq).filter_map(row).collect()
}

/// Describes a change: `3 tasks created`.
fn did(change: &Change) -> String {
    let noun = match change.entity.as_str() {
        "task_link" => "dependency".to_owned(),
        "task_requirement" => "requirement link".to_owned(),
        entity => entity.replace('_', " "),
    };
    let noun = if change.changes > 1 && noun.ends_with('y') {
        noun.trim_end_matches('y').to_owned() + "ie"
    } else {
        noun
    };
    let verb = match change.op.as_str() {
        "link" => "linked".to_owned(),
        "unlink" => "unlinked".to_owned(),
        op if op.ends_with('e') => format!("{op}d"),
        op => format!("{op}ed"),
    };
    format!("{} {verb}", format::count(change.changes, &noun))
}

pub fn operations(report: &Report) -> String {
    let lake = &report.operations;
    let mut inside = paragraph(&match &lake.fold {
        None => "No table has been folded yet.".to_owned(),
        Some(fold) if fold.sets_behind == 0 => {
            format!(
                "The tables are folded up to change {}, the latest change.",
                format::thousands(fold.seq)
            )
        }
        Some(fold) => format!(
            "The tables are {} behind the journal. The oldest pending change has waited for {}.",
            format::count(fold.sets_behind, "change"),
            format::count(fold.age_minutes, "minute")
        ),
    });
    if !lake.commands.is_empty() {
        let rows = lake.commands.iter().map(|of| {
            vec![
                Cell::text(&of.command),
                Cell::number(format::thousands(of.runs)),
                Cell::number(format::duration(of.median_ms)),
                Cell::number(format::duration(of.longest_ms)),
            ]
        });
        inside.push_str(&format!(
            "<h3>Runs that changed the lake since {}</h3>\n",
            format::date(report.since)
        ));
        inside.push_str(&table(&["Command", "Runs", "Median duration", "Maximum duration"], rows));
    }
    if !lake.runs.is_empty() {
        let rows = lake.runs.iter().map(|run| {
            vec![
                Cell::short(format::minute(run.started_at)),
                Cell::text(&run.command),
                Cell::text(&run.actor),
                Cell::number(format::duration(run.duration_ms)),
                Cell::number(format::thousands(run.seq)),
            ]
        });
        inside.push_str(&details(
            "Latest runs",
            &table(&["Started (UTC)", "Command", "Actor", "Duration", "Up to change"], rows),
        ));
    }
    if !lake.changes.is_empty() {
        let header = ["Time (UTC)", "Actor", "Changes", "Project", "Reason"];
        inside.push_str(&details("Latest changes", &table(&header, changes(&lake.changes))));
    }
    if !lake.tables.is_empty() {
        let rows = lake.tables.iter().map(|of| {
            vec![
                Cell::text(&of.table_name),
                Cell::number(format::thousands(of.files)),
                Cell::number(of.bytes.map_or_else(|| "–".to_owned(), format::bytes)),
                Cell::short(format::minute(of.at)),
            ]
        });
        inside.push_str(&details(
            "Tables",
            &table(&["Table", "Files", "Size", "Last written (UTC)"], rows),
        ));
    }
    section("operations", "Operations", &inside)
}
