use std::path::{Path, PathBuf};

use serde_json::json;

use super::files::{check_outside_lake, check_page, write_file};
use super::{CliError, Context, Reply};
use crate::analytics::report::{Report, ReportOptions};
use crate::analytics::{AnalyticsError, Session};
use crate::service::{ServiceError, find};
use crate::store::Scope;
use crate::text::visible::{path_text, visible_json};

/// Write a status report as an HTML page and as JSON.
///
/// The page is one self-contained file. Both hold progress, risks, burn-up, workload, velocity,
/// planning accuracy, requirements, and the health of the lake.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lakeplan report --out report.html\n  lakeplan report --out portal.html --project CP --days 30\n  lakeplan report --out - > report.html\n  lakeplan report --json"
)]
pub struct Args {
    /// File for the page; the JSON goes next to it, with the extension .json. An earlier report
    /// is replaced; any other file is not. - prints the page and writes no file.
    #[arg(long, value_name = "FILE|-")]
    out: Option<PathBuf>,
    /// Report only this project. Repeat for more [default: every live project].
    #[arg(long = "project", value_name = "KEY")]
    projects: Vec<String>,
    /// Number of days that the charts look back.
    #[arg(long, value_name = "N", default_value_t = 84, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
}

impl Args {
    /// Returns the page and its JSON file.
    pub fn files(&self) -> Vec<PathBuf> {
        self.out.iter().flat_map(|page| [page.clone(), page.with_extension("json")]).collect()
    }
}

pub async fn run(args: Args, context: &Context) -> Result<Reply, CliError> {
    let Some(out) = args.out.or_else(|| context.json.then(|| PathBuf::from("-"))) else {
        return Err(CliError::Usage {
            message: "specify the output: --out FILE.html, or --out - to print it".to_owned(),
            hint: Some("lakeplan report --json prints the numbers alone".to_owned()),
        });
    };
    let files = (out != Path::new("-")).then(|| files(&out)).transpose()?;
    let app = context.open().await?;
    // Folds what a killed process left unfolded, so that the report is current.
    app.try_fold().await?;
    let state = app.service.state(&Scope::outline()).await?;
    let mut projects = Vec::new();
    for name in args.projects.iter().filter(|name| !name.is_empty()) {
        let (_, project) = find::project(&state, name)?;
        if !project.is_visible() {
            let hint = format!("run lakeplan project show {} to see its status", project.key);
            let message =
                format!("{name} is deleted or archived; a report covers only live projects")
                    .to_owned();
            return Err(ServiceError::Input {
                place: "--project".to_owned(),
                message,
                hint: Some(hint.into()),
            }
            .into());
        }
        projects.push(project.key.clone());
    }
    let asked = ReportOptions { projects, days: args.days, lake: app.service.store.to_string() };
    let session =
        Session::open(&app.tables(), app.service.clock.now()).await.map_err(ServiceError::from)?;
    let report = Report::gather(&session, &asked).await.map_err(ServiceError::from)?;
    let page = report.page().map_err(ServiceError::from)?;
    app.shutdown().await;
    let numbers = serde_json::to_value(&report)
        .map_err(|err| ServiceError::from(AnalyticsError::Encoding(err.into())))?;
    let projects = report.projects.len();
    let Some((html, beside)) = files else {
        let reply =
            if context.json { Reply::new(numbers, "") } else { Reply::raw(page.into_bytes()) };
        return Ok(reply.with_count("projects", projects));
    };
    write_file(&beside, visible_json(&format!("{numbers:#}\n")).as_bytes())?;
    write_file(&html, page.as_bytes())?;
    let (html, beside) = (path_text(&html), path_text(&beside));
    let text = format!("{html} written, its numbers in {beside}");
    let written = json!({"page": html, "numbers": beside});
    let mut json = numbers;
    if let Some(json) = json.as_object_mut() {
        json.insert("written".to_owned(), written);
    }
    Ok(Reply::new(json, &*text).standing(&*text).with_count("projects", projects))
}

/// Returns the page and its JSON file, after checking both paths.
fn files(out: &Path) -> Result<(PathBuf, PathBuf), CliError> {
    let usage = |message: String, hint: String| CliError::Usage { message, hint: Some(hint) };
    if out.is_dir() {
        return Err(usage(
            format!("{} is a folder", path_text(out)),
            format!("name the page: --out {}", path_text(&out.join("report.html"))),
        ));
    }
    if std::fs::metadata(out).is_ok_and(|found| !found.is_file()) {
        return Err(usage(
            format!(
                "{} is a pipe or a device, so the numbers cannot be written next to it",
                path_text(out)
            ),
            "--out - prints the page alone, and lakeplan report --json the numbers".to_owned(),
        ));
    }
    let beside = out.with_extension("json");
    if beside.as_os_str().eq_ignore_ascii_case(out) {
        return Err(usage(
            format!("{} would be both the page and its numbers", path_text(out)),
            "the page ends in .html; its numbers go beside it, with the ending .json".to_owned(),
        ));
    }
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(usage(
            format!("there is no folder {}", path_text(folder)),
            format!(
                "create it first (mkdir -p {}), or write elsewhere with --out",
                path_text(folder)
            ),
        ));
    }
    check_page(out)?;
    check_outside_lake(&beside, "--out")?;
    if beside.symlink_metadata().is_ok() && !is_of_report(&beside) {
        let message = format!(
            "already exists and was not written by lakeplan report, which writes the numbers of {} there",
            path_text(out)
        );
        let hint =
            format!("give the page another name with --out, or move {} away", path_text(&beside));
        let hint = Some(hint.into());
        return Err(ServiceError::Input { place: path_text(&beside), message, hint }.into());
    }
    Ok((out.to_owned(), beside))
}

/// Whether a file contains the JSON of a report.
fn is_of_report(path: &Path) -> bool {
    path.is_file() && std::fs::File::open(path).is_ok_and(Report::is_in)
}
