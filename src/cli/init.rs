use serde_json::json;

use super::{CliError, Context, Reply, cancel};
use crate::analytics::registration::Registration;
use crate::app::App;
use crate::config::Setting;
use crate::databricks::catalog::SchemaName;
use crate::store::location::catalog::Catalog;

/// Create a lake.
///
/// Creates the lake at --lake, and its folder if it does not exist. A lake in Unity Catalog
/// (catalog.schema) is created in a folder of an external location, and its journal is registered
/// in the schema, so that catalog.schema names the lake.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan init\n  lakeplan --lake /data/team init\n  lakeplan init main.plan --location s3://team-bucket/plan --warehouse 1a2b3c"
)]
pub struct Args {
    /// Same as --lake.
    #[arg(value_name = "URI")]
    place: Option<String>,
    /// Folder of an external location that holds the lake, for a lake in Unity Catalog.
    #[arg(long, value_name = "URL")]
    location: Option<String>,
    /// SQL warehouse that registers the journal. Without it, the statement to run is printed.
    #[arg(long, value_name = "ID", requires = "location")]
    warehouse: Option<String>,
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let mut config = context.config.clone();
    if let Some(value) = args.place {
        if config.lake.origin == "--lake" && config.lake.value != value {
            let message = format!(
                "init {value} and --lake {} name different locations for one lake",
                config.lake.value
            );
            return Err(CliError::Usage { message, hint: Some("name it once".to_owned()) });
        }
        config.lake = Setting { value, origin: "init".to_owned() };
    }
    let name = config.lake.value.clone();
    // A job passes every parameter, even an empty one.
    match (App::schema(&config), args.location.filter(|location| !location.is_empty())) {
        (Some(schema), Some(location)) => {
            let made = App::create_in_catalog(&config, &schema, &location).await?;
            let warehouse = args.warehouse.map(|id| App::warehouse(&config, &id)).transpose()?;
            registered(made, &schema, App::catalog(&config)?.0, warehouse).await
        }
        (Some(schema), None) => Err(CliError::Usage {
            message: format!(
                "a lake in Unity Catalog needs a location: --location URL, for {schema}"
            ),
            hint: Some(format!("for a folder of that name, use ./{schema}")),
        }),
        (None, Some(_)) => Err(CliError::usage(format!(
            "--location is for a lake named catalog.schema, but {name} is already a location"
        ))),
        (None, None) => {
            let app = App::create(&config).await?;
            let root = app.service.store.to_string();
            let head = app.service.store.head().await?;
            app.shutdown().await;
            let json = json!({"lake": root, "seq": head.seq});
            let text = format!(
                "made a lake at {root}\nnext: lakeplan plan FILE, or lakeplan project create \"My project\""
            );
            Ok(Reply::new(json, text).standing(format!("there is a lake at {root}")))
        }
    }
}

/// Registers the lake in its schema.
async fn registered(
    (app, is_new): (App, bool),
    schema: &SchemaName,
    catalog: Catalog,
    warehouse: Option<crate::databricks::warehouse::Warehouse>,
) -> Result<Reply, CliError> {
    let root = app.service.store.to_string();
    let head = app.service.store.head().await?;
    app.shutdown().await;
    let registration = Registration { schema, root: &root, tables: &[], principal: None };
    let sql = registration.table("journal").sql;
    let made = if is_new {
        format!("made a lake at {root}")
    } else {
        format!("there is a lake at {root}")
    };
    let Some(warehouse) = warehouse else {
        let json = json!({"lake": root, "seq": head.seq, "schema": schema.to_string(), "registered": false, "sql": sql});
        let text = format!(
            "{made}\nrun this in Databricks SQL, so that {schema} names it:\n{sql};\nthen: lakeplan --lake {schema} catalog register"
        );
        return Ok(Reply::new(json, text).standing(made));
    };
    if let Err(err) = warehouse.run(&sql, cancel::stop(cancel::DEFAULT_TIMEOUT_SECS)).await {
        return Err(CliError::Statement {
            what: format!("{schema}: {made}, and its journal could not be registered"),
            detail: format!("\n  {sql}"),
            cause: Box::new(err),
        });
    }
    catalog.root(schema).await?;
    let json = json!({"lake": root, "seq": head.seq, "schema": schema.to_string(), "registered": true, "sql": sql});
    let text = format!(
        "{made}; {schema} names it\nnext: lakeplan --lake {schema} catalog register --warehouse ID"
    );
    Ok(Reply::new(json, text).standing(made))
}
