//! The name of a schema in Unity Catalog, which names the lake there: `catalog.schema`.

use std::fmt;
use std::str::FromStr;

/// A catalog and a schema in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName {
    pub catalog: String,
    pub schema: String,
}

impl SchemaName {
    /// Returns the full name of an object in the schema.
    pub fn of(&self, name: &str) -> String {
        format!("{self}.{name}")
    }

    /// Returns the full name of an object, quoted for SQL.
    pub fn quoted(&self, name: &str) -> String {
        format!("{}.{}", self.sql(), quoted(name))
    }

    /// Returns the schema's name, quoted for SQL.
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.catalog), quoted(&self.schema))
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.catalog, self.schema)
    }
}

/// Error for a text that is not a schema name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSchemaName;

impl FromStr for SchemaName {
    type Err = NoSchemaName;

    /// Parses exactly two identifiers with a dot between them. A folder with such a name must be
    /// written with its path: `./team.plan`.
    fn from_str(text: &str) -> Result<Self, NoSchemaName> {
        let is_identifier = |part: &str| {
            part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                && part.starts_with(|c: char| c.is_alphanumeric() || c == '_')
        };
        match text.split_once('.') {
            Some((catalog, schema)) if is_identifier(catalog) && is_identifier(schema) => {
                Ok(Self { catalog: catalog.to_owned(), schema: schema.to_owned() })
            }
            _ => Err(NoSchemaName),
        }
    }
}

/// Quotes a name for SQL, whatever characters it contains.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Quotes a text for SQL. Databricks SQL escapes with a backslash; two consecutive quotes would be
/// two texts.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_identifiers_are_a_schema_and_nothing_else_is() {
        for good in ["main.plan", "main.team_plan", "dev-eu.plan", "v1.2", "größe.plan"] {
            assert_eq!(good.parse::<SchemaName>().unwrap().to_string(), good);
        }
        for folder in [
            "./main.plan",
            "main.plan/",
            "/main.plan",
            "main",
            "a.b.c",
            ".hidden",
            "main.",
            "..",
            "a b.c",
            "s3://a.b",
            "C:\\a.b",
            "lake",
            "-a.b",
            "",
        ] {
            assert_eq!(folder.parse::<SchemaName>(), Err(NoSchemaName), "{folder}");
        }
    }

    #[test]
    fn what_goes_into_sql_cannot_leave_its_quotes() {
        let name = SchemaName { catalog: "a`; DROP".to_owned(), schema: "b".to_owned() };
        assert_eq!(name.quoted("t"), "`a``; DROP`.`b`.`t`");
        assert_eq!(literal(r"it's \ 'x"), r"'it\'s \\ \'x'");
    }
}
