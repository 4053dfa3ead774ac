//! Texts of hints about opening, creating and copying a lake.

use std::borrow::Cow;

use crate::domain::hint::LakeHint;

pub fn words(hint: &LakeHint) -> Cow<'static, str> {
    let fixed = match hint {
        LakeHint::CreateOrName => {
            "create one with lakeplan init, or specify another with --lake or LAKEPLAN_LAKE"
        }
        LakeHint::UseOrNameAnother => "the lake is ready to use; pass --lake to create another one",
        LakeHint::NameAnotherOrGrant => {
            "specify another lake with --lake, or give this user write access"
        }
        LakeHint::UseExternalLocation => {
            "use a folder of an external location: lakeplan init CATALOG.SCHEMA --location URL"
        }
        LakeHint::ContinueCopy => {
            "rerun the lakeplan backup or restore-lake that started it to continue; or delete it, or choose another location"
        }
        LakeHint::RestoreJournal => {
            "restore the folder journal; or restore a backup to another location with --lake and lakeplan restore-lake"
        }
        LakeHint::RebuildCurrentTables => {
            "run lakeplan fold --rebuild to rebuild the current tables from the journal"
        }
        LakeHint::Check => "run lakeplan doctor to see what is affected and what to do about it",
        LakeHint::NameBackup => "specify a folder that lakeplan backup wrote, or a lake",
        LakeHint::CreateBucket { noun } => {
            return format!("create the {noun}, or specify another with --lake").into();
        }
        LakeHint::CheckVendedCredentials => {
            "Unity Catalog issued them; run lakeplan doctor --databricks to check their prerequisites"
        }
        LakeHint::UnsetVariable { name } => {
            return format!("unset {name}; the bucket must support conditional puts, as S3 does, and lakeplan init checks this").into();
        }
        LakeHint::CopyWithoutFeature => {
            "only Lakeplan may write the lake's tables, and SQL users write to inbox: drop the feature with ALTER TABLE … DROP FEATURE …, or create a copy without it with lakeplan backup; the copy is a lake of its own"
        }
        LakeHint::RebuildWithoutFeature => {
            "run lakeplan fold --rebuild with the table's name to rebuild it without the feature"
        }
        LakeHint::RecreateInbox => {
            "drop the feature with ALTER TABLE inbox DROP FEATURE …, or drop the table and create it again with lakeplan catalog register; in a lake without a catalog, move the folder inbox away and run lakeplan maintain to create an empty one"
        }
    };
    Cow::Borrowed(fixed)
}
