use serde_json::json;

use super::reply::count;
use super::{CliError, Context, Reply, interrupt};
use crate::analytics::registration::{Registration, Statement, script, views, ways_in};
use crate::app::App;
use crate::store::catalog::SchemaName;

/// Unity Catalog: makes the lake's tables and views known there. Without a warehouse the SQL is printed, to be run by hand.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan --lake main.plan catalog register\n  lakeplan --lake main.plan catalog register --warehouse 1a2b3c --grant plan-readers\n  lakeplan --lake main.plan catalog views --warehouse 1a2b3c"
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The tables, the inbox, the views, and the rights to them.
    Register {
        /// The SQL warehouse that runs the statements.
        #[arg(long, value_name = "ID")]
        warehouse: Option<String>,
        /// Who may read the tables and views and write the inbox: a user, a group or a service principal.
        #[arg(long, value_name = "PRINCIPAL")]
        grant: Option<String>,
    },
    /// The views alone.
    Views {
        /// The SQL warehouse that runs the statements.
        #[arg(long, value_name = "ID")]
        warehouse: Option<String>,
    },
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    // Said before anything is opened.
    let (_, schema) = App::catalog(&context.config)?;
    match args.verb {
        Verb::Views { warehouse } => {
            done(&schema, views(&schema), warehouse.as_deref(), None, context).await
        }
        Verb::Register { warehouse, grant } => {
            let app = context.open().await?;
            app.fold_if_may().await?;
            let (root, tables) = (app.service.store.to_string(), app.tables_there().await?);
            app.close().await;
            let registration = Registration {
                schema: &schema,
                root: &root,
                tables: &tables,
                principal: grant.as_deref(),
            };
            done(
                &schema,
                registration.statements(),
                warehouse.as_deref(),
                grant.as_deref(),
                context,
            )
            .await
        }
    }
}

/// Runs the statements, or shows them.
async fn done(
    schema: &SchemaName,
    statements: Vec<Statement>,
    warehouse: Option<&str>,
    principal: Option<&str>,
    context: &Context,
) -> Result<Reply, CliError> {
    let ways_in: Vec<String> =
        principal.into_iter().flat_map(|principal| ways_in(schema, principal)).collect();
    let json: Vec<_> = statements
        .iter()
        .map(|statement| json!({"what": statement.what, "sql": statement.sql}))
        .collect();
    let Some(id) = warehouse else {
        return Ok(Reply::new(
            json!({"lake": schema.to_string(), "ran": false, "statements": json, "ways_in": ways_in}),
            script(schema, &statements) + &told(&ways_in, "-- "),
        ));
    };
    let warehouse = App::warehouse(&context.config, id)?;
    for (at, statement) in statements.iter().enumerate() {
        if let Err(fault) = warehouse.run(&statement.sql, interrupt::stop(interrupt::LONG)).await {
            let total = count(statements.len(), "statement");
            return Err(CliError::Statement {
                what: format!("warehouse {id}: {}", statement.what),
                told: format!(
                    "; {at} of {total} ran, and running all of them again does no harm\n  {}",
                    statement.sql
                ),
                cause: Box::new(fault),
            });
        }
    }
    let text = format!(
        "{} ran; {schema} is registered\n{}next: lakeplan --lake {schema} doctor --databricks --warehouse {id}",
        count(statements.len(), "statement"),
        told(&ways_in, "  "),
    );
    let json =
        json!({"lake": schema.to_string(), "ran": true, "statements": json, "ways_in": ways_in});
    Ok(Reply::new(json, text).standing(format!("the statements for {schema} ran")))
}

/// What the owners of catalog and schema may have to run, which is not always who registers.
fn told(ways_in: &[String], indent: &str) -> String {
    if ways_in.is_empty() {
        return String::new();
    }
    let lines = ways_in.iter().map(|sql| format!("{indent}{sql};\n"));
    lines.fold(
        format!("{indent}where it lacks them, from the owners of catalog and schema:\n"),
        |text, line| text + &line,
    )
}
