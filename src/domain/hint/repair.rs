//! Repairs for the findings of a check-up.

/// Repair of a damaged or changed part of a lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// Restore a backup or the object; rebuild the table instead if only the table is of a copy.
    RestoreOrRebuildTable,
    /// Erase the record again, by its id.
    FinishErase,
    /// Rebuild the table from the journal, even if it seems current.
    RebuildTable,
    /// Fold the table from the journal.
    FoldTable,
    /// Rewrite the table's log from the files that exist.
    RewriteLog,
    /// Restore the file, or let maintenance remove it from the table.
    RemoveLostFile,
    /// Let maintenance record the row count.
    RecordRowCount,
    /// Fold, which reverts the foreign change of the journal.
    RevertJournalChange,
    /// Let maintenance revert the foreign change of the table.
    RevertTableChange,
    /// Let maintenance revert the rest of the foreign change, whose rows are lost.
    RevertRest,
    /// Find the ignored change in the history, and make it again if needed.
    RepeatChange,
    /// Let maintenance create the empty inbox.
    CreateInbox,
    /// Restore the file, have the requests submitted again, or start with an empty inbox.
    ResubmitRequests,
    /// Restore the journal with its own log, then fold.
    RestoreJournal,
    /// Restore the journal of one of the two copies, then rebuild the tables.
    SeparateCopies,
    /// Upgrade the lake, set another value, or undo the change.
    ClearValue,
}
