use serde_json::json;

use super::reply::count;
use super::{CliError, Context, Reply, cancel};
use crate::analytics::registration::{Registration, Statement, access_grants, script, views};
use crate::app::App;
use crate::databricks::catalog::SchemaName;

/// Register the lake's tables and views in Unity Catalog.
///
/// Without a warehouse, prints the SQL for you to run.
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
    /// Register the tables, the inbox and the views, and grant access to them.
    Register {
        /// SQL warehouse that runs the statements.
        #[arg(long, value_name = "ID")]
        warehouse: Option<String>,
        /// Principal that may read the tables and views and write to the inbox: a user, a group
        /// or a service principal.
        #[arg(long, value_name = "PRINCIPAL")]
        grant: Option<String>,
    },
    /// Register only the views.
    Views {
        /// SQL warehouse that runs the statements.
        #[arg(long, value_name = "ID")]
        warehouse: Option<String>,
    },
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    // Fails before anything is opened.
    let (_, schema) = App::catalog(&context.config)?;
    match args.verb {
        Verb::Views { warehouse } => {
            done(&schema, views(&schema), warehouse.as_deref(), None, context).await
        }
        Verb::Register { warehouse, grant } => {
            let app = context.open().await?;
            app.try_fold().await?;
            let (root, tables) = (app.service.store.to_string(), app.existing_tables().await?);
            app.shutdown().await;
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

/// Runs the statements, or prints them.
async fn done(
    schema: &SchemaName,
    statements: Vec<Statement>,
    warehouse: Option<&str>,
    principal: Option<&str>,
    context: &Context,
) -> Result<Reply, CliError> {
    let access_grants: Vec<String> =
        principal.into_iter().flat_map(|principal| access_grants(schema, principal)).collect();
    let json: Vec<_> = statements
        .iter()
        .map(|statement| json!({"what": statement.what, "sql": statement.sql}))
        .collect();
    let Some(id) = warehouse else {
        return Ok(Reply::new(
            json!({"lake": schema.to_string(), "ran": false, "statements": json, "ways_in": access_grants}),
            script(schema, &statements) + &detail(&access_grants, "-- "),
        ));
    };
    let warehouse = App::warehouse(&context.config, id)?;
    for (at, statement) in statements.iter().enumerate() {
        if let Err(err) =
            warehouse.run(&statement.sql, cancel::stop(cancel::DEFAULT_TIMEOUT_SECS)).await
        {
            let total = count(statements.len(), "statement");
            return Err(CliError::Statement {
                what: format!("warehouse {id}: {}", statement.what),
                detail: format!(
                    "; {at} of {total} ran, and running all of them again does no harm\n  {}",
                    statement.sql
                ),
                cause: Box::new(err),
            });
        }
    }
    let text = format!(
        "{} ran; {schema} is registered\n{}next: lakeplan --lake {schema} doctor --databricks --warehouse {id}",
        count(statements.len(), "statement"),
        detail(&access_grants, "  "),
    );
    let json = json!({"lake": schema.to_string(), "ran": true, "statements": json, "ways_in": access_grants});
    Ok(Reply::new(json, text).standing(format!("the statements for {schema} ran")))
}

/// Statements for the owners of the catalog and the schema, who may not be the caller.
fn detail(access_grants: &[String], indent: &str) -> String {
    if access_grants.is_empty() {
        return String::new();
    }
    let lines = access_grants.iter().map(|sql| format!("{indent}{sql};\n"));
    lines.fold(
        format!("{indent}where it lacks them, from the owners of catalog and schema:\n"),
        |text, line| text + &line,
    )
}
