//! Errors of a lake in Unity Catalog: what is missing, and the statement or setting that grants it.

use std::error::Error;
use std::sync::Arc;

use crate::databricks::WorkspaceError;
use crate::domain::error_kind::{ErrorClass, ErrorKind};
use crate::domain::hint::{CatalogHint, Hint, LakeHint};

#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    #[error(transparent)]
    Workspace(#[from] Arc<WorkspaceError>),
    #[error("catalog {catalog} does not exist or is not visible to {principal}")]
    NoCatalog { catalog: String, principal: String },
    #[error("schema {schema} does not exist or is not visible to {principal}")]
    NoSchema { schema: String, principal: String },
    #[error("there is no lake in {schema}: it has no table journal")]
    NotRegistered { schema: String },
    #[error("there is a lake in {schema} already: its journal is at {location}")]
    AlreadyRegistered { schema: String, location: String },
    #[error("{table} is a {kind} table, and Lakeplan writes only external Delta tables")]
    NotExternal { table: String, kind: String },
    #[error(
        "{table} is at {location}; the journal of a lake must be a folder named journal in the lake's root"
    )]
    Misplaced { table: String, location: String },
    #[error(
        "another writer enabled on {table} the table features {features}, which Lakeplan does not write"
    )]
    Features { table: String, features: String },
    #[error(
        "the metastore does not issue credentials to external clients: external data access is off"
    )]
    ExternalAccessOff,
    #[error("{principal} is not allowed to {what}: {message}")]
    Lacks { principal: String, what: String, message: String, grants: Vec<String> },
    #[error(
        "{table} is not registered in {schema}, and access to its location was denied: {message}"
    )]
    Unregistered { table: String, schema: String, message: String, grants: Vec<String> },
    #[error("{table} is registered at {location}, not at its location in the lake")]
    Moved { table: String, location: String },
    #[error("the lake at {url} is read-only: {message}")]
    ReadOnly { url: String, message: String, grants: Vec<String> },
    #[error("a lake in Unity Catalog needs an s3://, abfss:// or gs:// URL, not {url}")]
    Elsewhere { url: String },
    #[error("Unity Catalog returned no usable credential for {url}")]
    NoCredential { url: String },
    #[error("{host} did not respond like the Unity Catalog API: {what}")]
    Unreadable { host: String, what: String },
}

impl From<WorkspaceError> for CatalogError {
    fn from(err: WorkspaceError) -> Self {
        Self::Workspace(Arc::new(err))
    }
}

impl CatalogError {
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Catalog(match self {
            Self::Workspace(err) => err.kind().class(),
            Self::AlreadyRegistered { .. } | Self::ReadOnly { .. } => ErrorClass::Refused,
            Self::NoCatalog { .. }
            | Self::NoSchema { .. }
            | Self::NotRegistered { .. }
            | Self::NotExternal { .. }
            | Self::Misplaced { .. }
            | Self::Features { .. }
            | Self::ExternalAccessOff
            | Self::Lacks { .. }
            | Self::Unregistered { .. }
            | Self::Moved { .. }
            | Self::Elsewhere { .. }
            | Self::NoCredential { .. }
            | Self::Unreadable { .. } => ErrorClass::Environment,
        })
    }

    pub fn hint(&self) -> Option<Hint> {
        Some(match self {
            Self::Workspace(err) => return err.hint(),
            Self::NoCatalog { catalog, principal } => format!(
                "check the spelling, or ask the catalog's owner to run: GRANT USE CATALOG ON CATALOG {} TO {}",
                super::name::quoted(catalog),
                super::name::quoted(principal)
            )
            .into(),
            Self::NoSchema { schema, principal } => {
                let sql = schema.split('.').map(super::name::quoted).collect::<Vec<_>>().join(".");
                let principal = super::name::quoted(principal);
                format!("create it with CREATE SCHEMA {sql}, or ask its owner to run: GRANT USE SCHEMA ON SCHEMA {sql} TO {principal}").into()
            }
            Self::NotRegistered { schema } => {
                CatalogHint::CreateOrCheck { schema: schema.clone() }.into()
            }
            Self::AlreadyRegistered { schema, .. } => {
                CatalogHint::UseLake { schema: schema.clone() }.into()
            }
            Self::NotExternal { .. } => CatalogHint::CreateInExternalLocation.into(),
            Self::Misplaced { .. } => {
                Hint::advice("use another schema for the lake, or drop this table")
            }
            Self::Features { .. } => LakeHint::CopyWithoutFeature.into(),
            Self::ExternalAccessOff => Hint::advice(
                "ask a metastore admin to turn it on: Catalog, the gear, Metastore, External data access",
            ),
            Self::Lacks { grants, .. } | Self::ReadOnly { grants, .. } => {
                format!("ask the owner to run: {}", grants.join("; ")).into()
            }
            Self::Unregistered { schema, grants, .. } => {
                let (schema, grants) = (schema.clone(), grants.clone());
                CatalogHint::GrantOrRegister { schema, grants }.into()
            }
            Self::Moved { .. } => CatalogHint::ReplaceTable.into(),
            Self::Elsewhere { .. } => CatalogHint::NameLocation.into(),
            Self::NoCredential { .. } => Hint::advice(
                "the external location's credential must be for the same cloud as the location",
            ),
            Self::Unreadable { .. } => Hint::advice("check DATABRICKS_HOST"),
        })
    }

    /// Returns the catalog error that caused another error, if any.
    pub(crate) fn within(err: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = err.source();
        while let Some(err) = cause {
            if let Some(own) = err.downcast_ref::<Self>() {
                return Some(own.clone());
            }
            cause = err.source();
        }
        None
    }

    /// Returns whether the cause is a missing right.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Workspace(err) if matches!(err.as_ref(), WorkspaceError::Forbidden { .. }))
    }

    /// Returns whether the caller lacks a right that others may have.
    pub fn is_missing_right(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly { .. }
                | Self::Lacks { .. }
                | Self::Unregistered { .. }
                | Self::Moved { .. }
        )
    }
}
