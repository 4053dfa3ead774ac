//! Interprets denials of Unity Catalog: which right is missing, and the statement that grants it.

use super::error::CatalogError;
use super::name::{SchemaName, quoted};
use crate::databricks::WorkspaceError;

/// The request that was denied.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Denied action for the error message, as a verb phrase.
    pub what: &'a str,
    pub schema: Option<&'a SchemaName>,
    /// Name or description of the external location.
    pub location: Option<&'a str>,
    pub needs: &'a [Privilege],
}

/// A right in Unity Catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
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

impl Privilege {
    /// Returns the privilege's SQL name.
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

    /// Returns the statement that grants the privilege.
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

    /// Longer names come first because they contain the shorter ones.
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

    /// Returns the privilege that the denial names.
    fn named_in(message: &str) -> Option<Self> {
        let message = message.to_uppercase().replace('_', " ");
        Self::ALL.into_iter().find(|right| message.contains(right.privilege()))
    }
}

/// Explains an error of a request. An error that is not a denial is returned unchanged.
pub fn explain(err: CatalogError, asked: &Asked<'_>, principal: &str) -> CatalogError {
    let CatalogError::Workspace(cause) = &err else { return err };
    let WorkspaceError::Forbidden { body, .. } = cause.as_ref() else { return err };
    if vends_nothing(&body.reason, &body.message) {
        return CatalogError::ExternalAccessOff;
    }
    let grants = match Privilege::named_in(&body.message) {
        Some(right) => vec![right.grant(asked, principal)],
        None => asked.needs.iter().map(|right| right.grant(asked, principal)).collect(),
    };
    let message = if body.message.is_empty() { body.code.clone() } else { body.message.clone() };
    CatalogError::Lacks {
        principal: principal.to_owned(),
        what: asked.what.to_owned(),
        message,
        grants,
    }
}

/// Returns whether the denial concerns every external client, whatever its rights.
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
        let body = serde_json::json!({"message": message, "details": [{"reason": reason}]});
        let name = SchemaName { catalog: "main".to_owned(), schema: "team-plan".to_owned() };
        let body = Box::new(crate::databricks::ApiErrorBody::of(&body.to_string()));
        let err = CatalogError::Workspace(Arc::new(WorkspaceError::Forbidden {
            host: "h".to_owned(),
            body,
        }));
        let needs = [Privilege::ExternalUseLocation, Privilege::ReadFiles];
        let asked =
            Asked { what: "read", schema: Some(&name), location: Some("plans"), needs: &needs };
        explain(err, &asked, "ana@x.com")
    }

    #[test]
    fn the_right_that_a_refusal_names_is_the_one_to_grant() {
        let explain = refused(
            "PERMISSION_DENIED",
            "User does not have EXTERNAL USE SCHEMA on Schema 'main.team-plan'.",
        );
        let CatalogError::Lacks { grants, .. } = explain else { panic!("{explain:?}") };
        assert_eq!(
            grants,
            ["GRANT EXTERNAL USE SCHEMA ON SCHEMA `main`.`team-plan` TO `ana@x.com`"]
        );
        let explain = refused("", "Missing EXTERNAL_USE_LOCATION");
        let CatalogError::Lacks { grants, .. } = explain else { panic!("{explain:?}") };
        assert_eq!(
            grants,
            ["GRANT EXTERNAL USE LOCATION ON EXTERNAL LOCATION `plans` TO `ana@x.com`"]
        );
    }

    #[test]
    fn a_refusal_that_names_no_right_gives_all_that_are_needed() {
        let explain = refused("PERMISSION_DENIED", "Access denied.");
        let CatalogError::Lacks { grants, .. } = explain else { panic!("{explain:?}") };
        assert_eq!(grants.len(), 2);
    }

    #[test]
    fn a_metastore_without_external_access_is_distinguished() {
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
