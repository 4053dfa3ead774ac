//! Hints about a lake in Unity Catalog.

/// An action on a lake in Unity Catalog. A schema is written `catalog.schema`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogHint {
    /// Create a lake in the schema; if it has one, check why its journal is not visible.
    CreateOrCheck { schema: String },
    /// Use the lake in the schema, or choose another schema.
    UseLake { schema: String },
    /// Create the lake in a folder of an external location.
    CreateInExternalLocation,
    /// Name a folder of an external location for the lake.
    NameLocation,
    /// Ask the owner for the grants, or a user who has them to register the tables.
    GrantOrRegister { schema: String, grants: Vec<String> },
    /// Register the tables of the lake.
    Register { schema: String },
    /// Drop the table with the statement, and register the lake's own.
    DropThenRegister { statement: String, schema: String },
    /// Ask the owner to drop the table, and register the lake's own.
    ReplaceTable,
    /// Create the views.
    CreateViews { schema: String },
    /// Register the tables, and let a principal write the inbox.
    RegisterInbox { schema: String },
}
