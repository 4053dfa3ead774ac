//! Reads what to plan from the arguments.

use std::path::{Component, Path, PathBuf};

use super::super::CliError;
use super::super::apply::read_input;
use crate::domain::id::PatchSetId;
use crate::domain::patch::PatchSet;
use crate::service::ServiceError;
use crate::service::plan::PlanRequest;
use crate::store::location::read_only_dir::{Folder, Listed};

/// The arguments of the command that say what to plan.
pub struct Arguments<'a> {
    pub file: Option<&'a str>,
    pub text: Option<&'a str>,
    pub folder: Option<&'a str>,
    pub project: Option<&'a str>,
    pub name: Option<&'a str>,
    pub id: Option<PatchSetId>,
    pub splits: bool,
}

/// A description, or a folder of descriptions.
pub enum Given {
    One(PlanRequest),
    Folder(String),
}

/// Returns what the arguments name. An empty argument counts as absent, so that a job can pass
/// empty parameters.
pub async fn given(args: Arguments<'_>) -> Result<Given, CliError> {
    let stated =
        |word: Option<&str>| word.filter(|word| !word.trim().is_empty()).map(str::to_owned);
    let (file, text, folder) = (stated(args.file), stated(args.text), stated(args.folder));
    let (project, name) = (stated(args.project), stated(args.name));
    let request = match (file, text, folder) {
        (Some(file), None, None) => read_file(&file).await?,
        (None, Some(text), None) => PlanRequest::read("--text", text.into_bytes())?,
        (None, None, Some(folder)) => {
            let one = [
                ("--project", project.is_some()),
                ("--name", name.is_some()),
                ("--id", args.id.is_some()),
                ("--split", args.splits),
            ];
            return match one.iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => Err(CliError::usage(format!(
                    "{flag} applies to one description; in a folder each is a project of its own"
                ))),
                None => Ok(Given::Folder(tidy(&folder))),
            };
        }
        (None, None, None) => {
            return Err(CliError::Usage {
                message: "there is nothing to plan".to_owned(),
                hint: Some("lakeplan plan FILE, --text TEXT or --folder FOLDER".to_owned()),
            });
        }
        _ => {
            return Err(CliError::usage(
                "use only one of a file, --text and --folder to specify what to plan",
            ));
        }
    };
    let splits = args.splits;
    Ok(Given::One(PlanRequest { project, name, id: args.id, splits, ..request }))
}

async fn read_file(file: &str) -> Result<PlanRequest, CliError> {
    if file == "-" {
        return Ok(PlanRequest::read(
            "standard input",
            read_input(Path::new(file), PatchSet::MAX_BYTES as u64)?,
        )?);
    }
    let source = tidy(file);
    let bytes = match source.rsplit_once('/').filter(|_| is_url(file)) {
        Some((folder, name)) => {
            let named = Listed::named(name)
                .ok_or_else(|| ServiceError::input(file, "is no name of a file"))?;
            let found = Folder::open(folder)?.read(&named).await?;
            found.ok_or_else(|| ServiceError::input(file, "is not there"))?.to_vec()
        }
        None => read_input(Path::new(file), PatchSet::MAX_BYTES as u64)?,
    };
    Ok(PlanRequest { source: Some(source), ..PlanRequest::read(file, bytes)? })
}

fn is_url(name: &str) -> bool {
    name.split_once("://").is_some_and(|(scheme, _)| scheme.len() > 1)
}

/// Normalizes a name for comparison: `./prd.md` is `prd.md`, `plans/` is `plans`, `./` is `.`.
fn tidy(name: &str) -> String {
    if is_url(name) {
        return name.trim_end_matches('/').to_owned();
    }
    let parts: PathBuf =
        Path::new(name).components().filter(|part| !matches!(part, Component::CurDir)).collect();
    if parts.as_os_str().is_empty() { ".".to_owned() } else { parts.display().to_string() }
}
