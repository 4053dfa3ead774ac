use std::path::PathBuf;

use askama::Template;
use serde_json::{Value, json};

use super::files::{check_page, write_file};
use super::reply::count;
use super::{CliError, Context, Reply};
use crate::analytics::AnalyticsError;
use crate::domain::time::AsOf;
use crate::service::ServiceError;
use crate::text::visible::{path_text, visible};

/// Write an HTML page with a project's tree and timeline.
///
/// The page needs only a browser: no network, no server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan visualize PAY --out pay.html\n  lakeplan visualize PAY --out - > pay.html\n  lakeplan visualize PAY --as-of 2026-11-20 --out then.html"
)]
pub struct Args {
    /// Project; optional if there is one project.
    project: Option<String>,
    /// File to write, or - for standard output. A page that Lakeplan wrote is replaced; any
    /// other file is not.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read the lake as of a seq, a date or a time.
    #[arg(long, value_name = "SEQ|TIME")]
    as_of: Option<AsOf>,
}

impl Args {
    pub fn files(&self) -> Vec<PathBuf> {
        self.out.iter().cloned().collect()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let out = args.out.ok_or_else(|| CliError::Usage {
        message: "specify the output".to_owned(),
        hint: Some("--out plan.html writes a file, --out - writes to standard output".to_owned()),
    })?;
    if out.as_os_str() != "-" {
        check_page(&out)?;
    }
    let app = context.open().await?;
    let data = app.service.project_page(args.project.as_deref(), args.as_of).await;
    app.shutdown().await;
    let data = data?;
    let html = page(&json!(data))?;
    if out.as_os_str() == "-" {
        return Ok(Reply::raw(html.into_bytes()));
    }
    write_file(&out, html.as_bytes())?;
    let (out, tasks) = (path_text(&out), data.tasks.len());
    let json = json!({"out": out, "bytes": html.len(), "tasks": tasks, "seq": data.seq});
    let text = format!("wrote {out}: {}; open it in a browser", count(tasks, "task"));
    Ok(Reply::new(json, text).standing(format!("{out} is written")))
}

/// The page with its styles and scripts; the scripts build its content from the data.
#[derive(Template)]
#[template(path = "visualize/page.html")]
struct Page {
    data: Value,
}

fn page(data: &Value) -> Result<String, CliError> {
    let page = Page { data: shown(data.clone()) };
    Ok(page.render().map_err(|err| ServiceError::from(AnalyticsError::Encoding(err.into())))?)
}

/// Makes the texts of the data safe to display: on a page too, a direction mark would reorder the
/// text around it.
fn shown(data: Value) -> Value {
    match data {
        Value::String(text) => visible(&text).into(),
        Value::Array(values) => values.into_iter().map(shown).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, shown(value))).collect()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_stays_inside_its_script_and_keeps_its_value() {
        let title = r#"</script><!-- <script> ]]> "x" & 'y' {{ data }}"#;
        let page = page(&json!({"tasks": [{"title": title}], "project": "\u{202e}gpj"})).unwrap();
        let (_, rest) = page.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
        let (data, rest) = rest.split_once("</script>").unwrap();
        assert!(!data.contains('<'), "{data}");
        assert!(rest.starts_with("\n<script>\n(() => {"), "{rest}");
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data, json!({"tasks": [{"title": title}], "project": r"\u{202e}gpj"}));
    }
}
