//! The workspace that commands speak to, from the environment alone: what a job's wrapper hands over, and what other
//! tools for Databricks read too.

use std::path::PathBuf;

use super::{ConfigError, NotText};
use crate::domain::secret::{Login, Secret};

/// What the environment says of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Databricks {
    host: Option<String>,
    token_file: Option<PathBuf>,
    token: Option<Secret>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
}

impl Databricks {
    pub(super) fn read(
        env: impl Fn(&str) -> Result<Option<String>, NotText>,
    ) -> Result<Self, NotText> {
        let said = |name: &str| {
            let value = env(name)?.map(|value| value.trim().to_owned());
            Ok::<_, NotText>(value.filter(|value| !value.is_empty()))
        };
        Ok(Self {
            host: said("DATABRICKS_HOST")?,
            token_file: said("DATABRICKS_TOKEN_FILE")?.map(PathBuf::from),
            token: said("DATABRICKS_TOKEN")?.map(Secret::new),
            client_id: said("DATABRICKS_CLIENT_ID")?,
            client_secret: said("DATABRICKS_CLIENT_SECRET")?.map(Secret::new),
        })
    }

    /// The workspace's address.
    pub fn host(&self) -> Result<&str, ConfigError> {
        self.host.as_deref().ok_or(ConfigError::NoHost)
    }

    /// Who speaks: a file wins over a token, which may be older, and that over a service principal.
    pub fn login(&self) -> Result<Login, ConfigError> {
        if let Some(path) = &self.token_file {
            return Ok(Login::TokenFile(path.clone()));
        }
        if let Some(token) = &self.token {
            return Ok(Login::Token(token.clone()));
        }
        match (&self.client_id, &self.client_secret) {
            (Some(id), Some(secret)) => {
                Ok(Login::Client { id: id.clone(), secret: secret.clone() })
            }
            (None, None) => Err(ConfigError::NoLogin),
            (id, _) => {
                let (set, missing) = ("DATABRICKS_CLIENT_ID", "DATABRICKS_CLIENT_SECRET");
                Err(if id.is_some() {
                    ConfigError::HalfLogin { set, missing }
                } else {
                    ConfigError::HalfLogin { set: missing, missing: set }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &[(&str, &str)]) -> Databricks {
        Databricks::read(|name| {
            Ok(env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        })
        .unwrap()
    }

    #[test]
    fn a_file_wins_over_a_token_and_that_over_a_service_principal() {
        let client = [("DATABRICKS_CLIENT_ID", "app"), ("DATABRICKS_CLIENT_SECRET", "s")];
        let token = [client.as_slice(), &[("DATABRICKS_TOKEN", "t")]].concat();
        let file = [token.as_slice(), &[("DATABRICKS_TOKEN_FILE", "/run/token")]].concat();
        assert!(matches!(read(&client).login().unwrap(), Login::Client { id, .. } if id == "app"));
        assert_eq!(read(&token).login().unwrap(), Login::Token(Secret::new("t")));
        assert_eq!(read(&file).login().unwrap(), Login::TokenFile("/run/token".into()));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(read(&[("DATABRICKS_HOST", " ")]).host(), Err(ConfigError::NoHost)));
        assert!(matches!(read(&[]).login(), Err(ConfigError::NoLogin)));
        let half = read(&[("DATABRICKS_CLIENT_ID", "app")]).login().unwrap_err().to_string();
        assert!(half.contains("DATABRICKS_CLIENT_SECRET"), "{half}");
    }
}
