//! Words the repairs for the findings of a check-up.

use crate::domain::hint::Repair;

pub fn words(repair: Repair) -> &'static str {
    match repair {
        Repair::RestoreOrRebuildTable => {
            "restore the lake from a backup, or the object's earlier version from the storage; but if the journal is whole and the table came from a copy of the lake, run lakeplan fold --rebuild to rebuild the table from the journal"
        }
        Repair::FinishErase => {
            "run lakeplan erase to finish it: name the record by its id, which lakeplan history --json shows"
        }
        Repair::RebuildTable => "run lakeplan fold --rebuild to rebuild it from the journal",
        Repair::FoldTable => "run lakeplan fold to rebuild it from the journal",
        Repair::RewriteLog => "run lakeplan maintain to rewrite its log from the files that exist",
        Repair::RemoveLostFile => {
            "run lakeplan maintain to remove it from the table if it cannot be read, which loses its rows; to keep them, first restore the file"
        }
        Repair::RecordRowCount => "run lakeplan maintain to record how many it has",
        Repair::RevertJournalChange => {
            "run lakeplan fold to revert it, so that other readers see the journal as it is"
        }
        Repair::RevertTableChange => {
            "run lakeplan maintain to revert it, so that other readers see the table as it is"
        }
        Repair::RevertRest => "run lakeplan maintain to revert the rest; these rows are lost",
        Repair::RepeatChange => {
            "the lake remains usable; lakeplan history shows the change, so you can make it again if you need it"
        }
        Repair::CreateInbox => "run lakeplan maintain to create it, empty",
        Repair::ResubmitRequests => {
            "restore the file, or have its requests submitted again: remove it with the engine that writes the inbox (FSCK REPAIR TABLE), or move the folder inbox away and run lakeplan maintain to create an empty one; answers are kept"
        }
        Repair::RestoreJournal => {
            "do not fold or maintain the lake as it is; restore the folder journal with the _delta_log that Lakeplan wrote, from a backup or from the lake that this is a copy of, then run lakeplan fold to rebuild the other tables from it"
        }
        Repair::SeparateCopies => {
            "restore the journal of the copy to keep, from a backup or from that copy; if it is the one up to this entry, move this entry and all after it out of the folder instead, then run lakeplan fold --rebuild"
        }
        Repair::ClearValue => {
            "run lakeplan upgrade to clear it, set the field to another value, or undo the change with lakeplan undo and this seq; all keep the history"
        }
    }
}
