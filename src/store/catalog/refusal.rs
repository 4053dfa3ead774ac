//! What a refusal of Unity Catalog means: which right is missing, and the statement that gives it.

use super::error::CatalogError;
use super::name::{SchemaName, quoted};
use crate::net::NetError;

/// What was asked for when it was refused.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// In words, after "lacks a right to".
    pub what: &'a str,
    pub schema: Option<&'a SchemaName>,
    /// The external location, by its name or in words.
    pub location: Option<&'a str>,
    pub needs: &'a [Right],
}

/// A right that something needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    UseCatalog,
    UseSchema,
    Select,
    Modify,
    ExternalUseSchema,
    ExternalUseLocation,
    ReadFiles,
    WriteFiles,
    CreateExternalTable,
    CreateTable,
}

impl Right {
    /// The privilege as SQL has it.
    pub fn privilege(self) -> &'static str {
        match self {
            Self::UseCatalog => "USE CATALOG",
            Self::UseSchema => "USE SCHEMA",
            Self::Select => "SELECT",
            Self::Modify => "MODIFY",
            Self::ExternalUseSchema => "EXTERNAL USE SCHEMA",
            Self::ExternalUseLocation => "EXTERNAL USE LOCATION",
            Self::ReadFiles => "READ FILES",
            Self::WriteFiles => "WRITE FILES",
            Self::CreateExternalTable => "CREATE EXTERNAL TABLE",
            Self::CreateTable => "CREATE TABLE",
        }
    }

    /// The statement that gives it.
    pub fn grant(self, asked: &Asked<'_>, principal: &str) -> String {
        let schema = || asked.schema.map_or_else(|| "<the schema>".to_owned(), SchemaName::sql);
        let on = match self {
            Self::UseCatalog => {
                format!(
                    "CATALOG {}",
                    asked
                        .schema
                        .map_or_else(|| "<the catalog>".to_owned(), |name| quoted(&name.catalog))
                )
            }
            Self::UseSchema
            | Self::Select
            | Self::Modify
            | Self::ExternalUseSchema
            | Self::CreateTable => {
                format!("SCHEMA {}", schema())
            }
            Self::ExternalUseLocation
            | Self::ReadFiles
            | Self::WriteFiles
            | Self::CreateExternalTable => {
                format!(
                    "EXTERNAL LOCATION {}",
                    asked.location.map_or_else(|| "<its external location>".to_owned(), quoted)
                )
            }
        };
        format!("GRANT {} ON {on} TO {}", self.privilege(), quoted(principal))
    }

    /// Longer names first: they hold the shorter ones.
    const ALL: [Self; 10] = [
        Self::ExternalUseSchema,
        Self::ExternalUseLocation,
        Self::CreateExternalTable,
        Self::UseCatalog,
        Self::UseSchema,
        Self::CreateTable,
        Self::ReadFiles,
        Self::WriteFiles,
        Self::Modify,
        Self::Select,
    ];

    /// The right that the refusal itself names.
    fn named_in(message: &str) -> Option<Self> {
        let message = message.to_uppercase().replace('_', " ");
        Self::ALL.into_iter().find(|right| message.contains(right.privilege()))
    }
}

/// What a fault of a request means; one that is no refusal stays what it is.
pub fn told(fault: CatalogError, asked: &Asked<'_>, principal: &str) -> CatalogError {
    let CatalogError::Net(cause) = &fault else { return fault };
    let NetError::Forbidden { said, .. } = cause.as_ref() else { return fault };
    if vends_nothing(&said.reason, &said.message) {
        return CatalogError::ExternalAccessOff;
    }
    let grants = match Right::named_in(&said.message) {
        Some(right) => vec![right.grant(asked, principal)],
        None => asked.needs.iter().map(|right| right.grant(asked, principal)).collect(),
    };
    let said = if said.message.is_empty() { said.code.clone() } else { said.message.clone() };
    CatalogError::Lacks {
        principal: principal.to_owned(),
        what: asked.what.to_owned(),
        said,
        grants,
    }
}

/// Whether the refusal is of every program outside, whatever its rights.
fn vends_nothing(reason: &str, message: &str) -> bool {
    let message = message.to_lowercase();
    let is_off = ["disabled", "not enabled", "not allowed", "denied for security"]
        .iter()
        .any(|words| message.contains(words));
    (reason.starts_with("UNITY_CATALOG_EXTERNAL_") && reason.ends_with("_DENIED"))
        || (is_off
            && (message.contains("external data access") || message.contains("external access")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn refused(reason: &str, message: &str) -> CatalogError {
        let said = serde_json::json!({"message": message, "details": [{"reason": reason}]});
        let name = SchemaName { catalog: "main".to_owned(), schema: "team-plan".to_owned() };
        let said = Box::new(crate::net::Said::of(&said.to_string()));
        let fault = CatalogError::Net(Arc::new(NetError::Forbidden { host: "h".to_owned(), said }));
        let needs = [Right::ExternalUseLocation, Right::ReadFiles];
        let asked =
            Asked { what: "read", schema: Some(&name), location: Some("plans"), needs: &needs };
        told(fault, &asked, "ana@x.com")
    }

    #[test]
    fn the_right_that_a_refusal_names_is_the_one_to_grant() {
        let told = refused(
            "PERMISSION_DENIED",
            "User does not have EXTERNAL USE SCHEMA on Schema 'main.team-plan'.",
        );
        let CatalogError::Lacks { grants, .. } = told else { panic!("{told:?}") };
        assert_eq!(
            grants,
            ["GRANT EXTERNAL USE SCHEMA ON SCHEMA `main`.`team-plan` TO `ana@x.com`"]
        );
        let told = refused("", "Missing EXTERNAL_USE_LOCATION");
        let CatalogError::Lacks { grants, .. } = told else { panic!("{told:?}") };
        assert_eq!(
            grants,
            ["GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION `plans` TO `ana@x.com`"]
        );
    }

    #[test]
    fn a_refusal_that_names_no_right_gives_all_that_are_needed() {
        let told = refused("PERMISSION_DENIED", "Access denied.");
        let CatalogError::Lacks { grants, .. } = told else { panic!("{told:?}") };
        assert_eq!(grants.len(), 2);
    }

    #[test]
    fn a_metastore_without_external_access_is_told_apart() {
        let denied = "Request to generate access credential for path 's3://b' from outside of Databricks Unity Catalog enabled compute environment is denied for security.";
        assert!(matches!(
            refused("UNITY_CATALOG_EXTERNAL_GENERATE_PATH_CREDENTIALS_DENIED", denied),
            CatalogError::ExternalAccessOff
        ));
        assert!(matches!(
            refused("", "External access is not enabled for the metastore"),
            CatalogError::ExternalAccessOff
        ));
    }
}
