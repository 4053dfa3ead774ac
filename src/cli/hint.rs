//! Words hints as commands and flags.

mod catalog;
mod lake;
mod query;
mod repair;

use std::borrow::Cow;

use crate::domain::hint::Hint;

/// Returns the words of a hint.
pub fn hint_text(hint: &Hint) -> Cow<'static, str> {
    let fixed = match hint {
        Hint::Advice(words) => return words.clone(),
        Hint::Lake(hint) => return lake::words(hint),
        Hint::Catalog(hint) => return catalog::words(hint),
        Hint::Query(hint) => return query::words(hint),
        Hint::Repair(repair) => repair::words(*repair),

        Hint::ListTasks { project: None } => "run lakeplan task list to see the tasks",
        Hint::ListTasks { project: Some(project) } => {
            return format!("run lakeplan task list to see the tasks; keys look like {project}-1")
                .into();
        }
        Hint::RestoreTask { key } => return format!("lakeplan task restore {key}").into(),
        Hint::UnlinkTasks { dependent, prerequisite } => {
            return format!("lakeplan task unlink {dependent} {prerequisite}, or move both").into();
        }

        Hint::ListProjects => "lakeplan project list",
        Hint::CreateProject => "create one with lakeplan plan FILE or lakeplan project create NAME",
        Hint::CreateFirstProject => {
            "there is none yet; create one with lakeplan plan FILE or lakeplan project create"
        }
        Hint::RestoreProject { key } => return format!("lakeplan project restore {key}").into(),
        Hint::ChangeOrDeleteProject { key } => {
            return format!("change {key}, or delete it first: lakeplan project delete {key}")
                .into();
        }
        Hint::ChooseProject { chosen, other } => {
            return format!("choose one with --project {chosen}, and delete the other: lakeplan project delete {other}; lakeplan plan --folder does it if nobody has worked in the other").into();
        }

        Hint::ListUsers => "lakeplan user list",
        Hint::FindErasedUser => "lakeplan user list; one erased before is found by its id",
        Hint::AddUser { name } => return format!("lakeplan user add {name}").into(),
        Hint::MergeUsers => "run lakeplan user merge to merge two users",

        Hint::EraseRecord => "lakeplan erase does it",
        Hint::EraseOrUpdateTask { key } => {
            return format!("lakeplan erase task {key} --yes, or change it: lakeplan task update")
                .into();
        }
        Hint::EraseOrUpdateProject { key } => {
            return format!(
                "lakeplan erase project {key} --yes, or change it: lakeplan project update"
            )
            .into();
        }
        Hint::ReviewUser { name } => {
            return format!("lakeplan user show {name}, and change what it says").into();
        }
        Hint::PlanChangedDescription => {
            "change the description and plan it again: lakeplan plan FILE --yes"
        }
        Hint::ApplyPatch => "change it: lakeplan apply",
        Hint::EraseHistory => {
            "run lakeplan erase task KEY --yes or lakeplan erase project KEY --yes to erase its history with its current values"
        }
        Hint::ApplyOrDeleteRequests { statement } => {
            return format!("lakeplan inbox apply, then as for answered rows; or {statement}")
                .into();
        }

        Hint::ListChanges => "lakeplan history",
        Hint::SeeChanges => "run lakeplan history to see the changes",
        Hint::SeeFirstChange => "run lakeplan history to see where it begins",
        Hint::UndoNamedChange => {
            "run lakeplan history to see the changes; lakeplan undo SEQ undoes anyone's"
        }
        Hint::ChangeByHand => {
            "run lakeplan history to see the changes, then change the values by hand"
        }
        Hint::UndoLaterFirst => {
            "run lakeplan history to see the changes; undo the later ones first, or delete by hand"
        }
        Hint::CheckHistory => "check lakeplan history before sending it under a new id",
        Hint::RetryWithId { id } => {
            return format!("retry the command with --id {id}: it is written at most once").into();
        }

        Hint::OtherConfigFile => {
            "specify an existing file that this user can read, or omit --config"
        }
        Hint::ListSettings => "run lakeplan config defaults to see every setting in file format",
        Hint::ListSecretSettings => "run lakeplan config defaults to see how a file names a secret",
    };
    Cow::Borrowed(fixed)
}
