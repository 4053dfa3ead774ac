//! Databricks workspace that commands access, configured only through environment variables: those
//! that a job's wrapper sets, and that other Databricks tools read too.

use std::path::PathBuf;

use super::environment::{Environment, NotUtf8};
use super::error::ConfigError;
use crate::domain::secret::{Credentials, Secret};

/// Workspace settings from the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databricks {
    host: Option<String>,
    token_file: Option<PathBuf>,
    token: Option<Secret>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

impl Databricks {
    pub(super) fn read(env: &impl Environment) -> Result<Self, NotUtf8> {
        let body = |name: &str| {
            let value = env.get(name)?.map(|value| value.trim().to_owned());
            Ok::<_, NotUtf8>(value.filter(|value| !value.is_empty()))
        };
        Ok(Self {
            host: body("DATABRICKS_HOST")?,
            token_file: body("DATABRICKS_TOKEN_FILE")?.map(PathBuf::from),
            token: body("DATABRICKS_TOKEN")?.map(Secret::new),
            client_id: body("DATABRICKS_CLIENT_ID")?,
            client_secret: body("DATABRICKS_CLIENT_SECRET")?.map(Secret::new),
        })
    }

    /// Returns the workspace's address.
    pub fn host(&self) -> Result<&str, ConfigError> {
        self.host.as_deref().ok_or(ConfigError::NoHost)
    }

    /// Returns the credentials. A token file overrides a token, which may be older, and a token
    /// overrides a service principal.
    pub fn credentials(&self) -> Result<Credentials, ConfigError> {
        if let Some(path) = &self.token_file {
            return Ok(Credentials::TokenFile(path.clone()));
        }
        if let Some(token) = &self.token {
            return Ok(Credentials::Token(token.clone()));
        }
        match (&self.client_id, &self.client_secret) {
            (Some(id), Some(secret)) => {
                Ok(Credentials::Client { id: id.clone(), secret: secret.clone() })
            }
            (None, None) => Err(ConfigError::NoLogin),
            (id, _) => {
                let (set, missing) = ("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET");
                Err(if id.is_some() {
                    ConfigError::IncompleteCredentials { set, missing }
                } else {
                    ConfigError::IncompleteCredentials { set: missing, missing: set }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::variables;
    use super::*;

    fn read(env: &[(&str, &str)]) -> Databricks {
        Databricks::read(&variables(env)).unwrap()
    }

    #[test]
    fn a_file_wins_over_a_token_and_that_over_a_service_principal() {
        let client = [("DATABRICKS_CLIENT_ID", "app"), ("DATABRICKS_CLIENT_SECRET", "s")];
        let token = [client.as_slice(), &[("DATABRICKS_TOKEN", "t")]].concat();
        let file = [token.as_slice(), &[("DATABRICKS_TOKEN_FILE", "/run/token")]].concat();
        assert!(
            matches!(read(&client).credentials().unwrap(), Credentials::Client { id, .. } if id == "app")
        );
        assert_eq!(read(&token).credentials().unwrap(), Credentials::Token(Secret::new("t")));
        assert_eq!(read(&file).credentials().unwrap(), Credentials::TokenFile("/run/token".into()));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(read(&[("DATABRICKS_HOST", " ")]).host(), Err(ConfigError::NoHost)));
        assert!(matches!(read(&[]).credentials(), Err(ConfigError::NoLogin)));
        let half = read(&[("DATABRICKS_CLIENT_ID", "app")]).credentials().unwrap_err().to_string();
        assert!(half.contains("DATABRICKS_CLIENT_SECRET"), "{half}");
    }
}
