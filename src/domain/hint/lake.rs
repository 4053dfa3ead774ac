//! Hints about opening, creating and copying a lake.

/// An action on the lake as a whole or on its storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LakeHint {
    /// Create a lake, or name another.
    CreateOrName,
    /// The lake is ready; name another location to create another one.
    UseOrNameAnother,
    /// Name another lake, or give the user write access.
    NameAnotherOrGrant,
    /// Create the lake in a folder of an external location of Unity Catalog.
    UseExternalLocation,
    /// Continue the unfinished copy, delete it, or choose another location.
    ContinueCopy,
    /// Restore the folder journal, or a backup to another location.
    RestoreJournal,
    /// Rebuild the current tables from the journal.
    RebuildCurrentTables,
    /// Check the lake for what is affected.
    Check,
    /// Name a backup or a lake as the source of a copy.
    NameBackup,
    /// Create the bucket or container, or name another lake.
    CreateBucket { noun: &'static str },
    /// Check the prerequisites of the credentials that Unity Catalog vends.
    CheckVendedCredentials,
    /// Unset the variable; creating a lake checks that the bucket supports conditional puts.
    UnsetVariable { name: String },
    /// Drop the feature of the table, or copy the lake without it.
    CopyWithoutFeature,
    /// Rebuild the current table without the feature.
    RebuildWithoutFeature,
    /// Drop the feature of the inbox, or create the inbox again.
    RecreateInbox,
}
