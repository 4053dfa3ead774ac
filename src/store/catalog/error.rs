//! Why a lake in Unity Catalog cannot be used: what is missing, and the statement or setting that gives it.

use std::error::Error as _;
use std::sync::Arc;

use thiserror::Error;

use crate::net::NetError;

#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum CatalogError {
    #[error(transparent)]
    Net(#[from] Arc<NetError>),
    #[error("there is no catalog {catalog}, or it is not to be seen by {principal}")]
    NoCatalog { catalog: String, principal: String },
    #[error("there is no schema {schema}, or it is not to be seen by {principal}")]
    NoSchema { schema: String, principal: String },
    #[error("there is no lake in {schema}: it has no table journal")]
    NotRegistered { schema: String },
    #[error("there is a lake in {schema} already: its journal is at {location}")]
    AlreadyRegistered { schema: String, location: String },
    #[error("{table} is a {kind} table, and Lakeplan writes only external Delta tables")]
    NotExternal { table: String, kind: String },
    #[error(
        "{table} lies at {location}; the journal of a lake is a folder named journal below the lake's place"
    )]
    Misplaced { table: String, location: String },
    #[error(
        "another writer gave {table} the table features {features}, which Lakeplan does not write"
    )]
    Features { table: String, features: String },
    #[error(
        "the metastore gives no credentials to programs outside of Databricks: external data access is off"
    )]
    ExternalAccessOff,
    #[error("{principal} lacks a right to {what}: {said}")]
    Lacks { principal: String, what: String, said: String, grants: Vec<String> },
    #[error("{table} is not registered in {schema}, and its place may not be used: {said}")]
    Unregistered { table: String, schema: String, said: String, grants: Vec<String> },
    #[error("{table} is registered at {location}, which is not its place in the lake")]
    Moved { table: String, location: String },
    #[error("the lake at {url} is open to read only: {said}")]
    ReadOnly { url: String, said: String, grants: Vec<String> },
    #[error("a lake in Unity Catalog lies on s3://, abfss:// or gs://, not at {url}")]
    Elsewhere { url: String },
    #[error("Unity Catalog gave no credential for {url} that is of use there")]
    NoCredential { url: String },
    #[error("{host} answers with something that the Unity Catalog API does not: {what}")]
    Unreadable { host: String, what: String },
}

impl From<NetError> for CatalogError {
    fn from(fault: NetError) -> Self {
        Self::Net(Arc::new(fault))
    }
}

impl CatalogError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Net(fault) => return fault.hint(),
            Self::NoCatalog { catalog, principal } => format!(
                "look at the spelling, or let the catalog's owner run: GRANT USE CATALOG ON CATALOG {} TO {}",
                super::name::quoted(catalog),
                super::name::quoted(principal)
            ),
            Self::NoSchema { schema, principal } => {
                let sql = schema.split('.').map(super::name::quoted).collect::<Vec<_>>().join(".");
                let principal = super::name::quoted(principal);
                format!("make it with CREATE SCHEMA {sql}, or let its owner run: GRANT USE SCHEMA ON SCHEMA {sql} TO {principal}")
            }
            Self::NotRegistered { schema } => format!(
                "lakeplan init {schema} --location URL makes one; if there is one, its journal is not registered or not to be seen: lakeplan --lake {schema} doctor --databricks"
            ),
            Self::AlreadyRegistered { schema, .. } => format!("use it with --lake {schema}, or take another schema"),
            Self::NotExternal { .. } => {
                "make the lake at a folder of an external location: lakeplan init CATALOG.SCHEMA --location URL, in a schema without that table".to_owned()
            }
            Self::Misplaced { .. } => "take another schema for the lake, or drop this table".to_owned(),
            Self::Features { .. } => {
                super::features::WAY_OUT.to_owned()
            }
            Self::ExternalAccessOff => {
                "a metastore admin turns it on: Catalog, the gear, Metastore, External data access".to_owned()
            }
            Self::Lacks { grants, .. } | Self::ReadOnly { grants, .. } => {
                format!("let the owner run: {}", grants.join("; "))
            }
            Self::Unregistered { schema, grants, .. } => format!(
                "let the owner run: {}; or let who has these rights run: lakeplan --lake {schema} catalog register",
                grants.join("; ")
            ),
            Self::Moved { .. } => {
                "let the owner drop that table, and run lakeplan catalog register, which makes the lake's own known".to_owned()
            }
            Self::Elsewhere { .. } => "name a folder of an external location with --location".to_owned(),
            Self::NoCredential { .. } => "the external location's credential must be of the location's own cloud".to_owned(),
            Self::Unreadable { .. } => "look at DATABRICKS_HOST".to_owned(),
        })
    }

    /// The one that a store's fault was caused by, if any.
    pub(crate) fn within(fault: &object_store::Error) -> Option<Self> {
        let mut cause = fault.source();
        while let Some(fault) = cause {
            if let Some(own) = fault.downcast_ref::<Self>() {
                return Some(own.clone());
            }
            cause = fault.source();
        }
        None
    }

    /// Whether a right is missing, and not something else amiss.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Net(fault) if matches!(fault.as_ref(), NetError::Forbidden { .. }))
    }

    /// Whether a right is missing to something that others may have a right to.
    pub fn is_of_rights(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly { .. }
                | Self::Lacks { .. }
                | Self::Unregistered { .. }
                | Self::Moved { .. }
        )
    }

    /// Whether the same may work in a while, with nothing changed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Net(fault) if fault.is_passing())
    }
}
