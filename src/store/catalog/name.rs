//! The name of a schema in Unity Catalog, which is how a lake there is named: `catalog.schema`.

use std::fmt;
use std::str::FromStr;

/// A catalog and a schema in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaName {
    pub catalog: String,
    pub schema: String,
}

impl SchemaName {
    /// The full name of something in the schema.
    pub fn of(&self, name: &str) -> String {
        format!("{self}.{name}")
    }

    /// The same, as SQL has it.
    pub fn quoted(&self, name: &str) -> String {
        format!("{}.{}", self.sql(), quoted(name))
    }

    /// The schema's name, as SQL has it.
    pub fn sql(&self) -> String {
        format!("{}.{}", quoted(&self.catalog), quoted(&self.schema))
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.catalog, self.schema)
    }
}

/// Why a text is no name of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSchemaName;

impl FromStr for SchemaName {
    type Err = NoSchemaName;

    /// Exactly two identifiers with a dot between them. A folder that has such a name is written with its path, as
    /// `./team.plan`.
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

/// A name as SQL has it, whatever characters are in it.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as SQL has it. Databricks SQL escapes by backslash; two quotes in a row would be two texts.
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
