//! Client of Unity Catalog: its API, credentials for storage that are kept valid, and the
//! explanation of denied requests.

pub mod api;
mod client;
mod credentials;
mod error;
mod name;
mod privileges;

pub use api::{Access, TableInfo, Vended};
pub use client::UnityCatalog;
pub use credentials::{CredentialSource, PathCredentials, TableCredentials, Vending};
pub use error::CatalogError;
pub use name::{NoSchemaName, SchemaName, literal, quoted};
pub use privileges::Privilege;
