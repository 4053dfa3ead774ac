//! Parameter of a statement: `name=value`, or `name=value:TYPE`.

use std::str::FromStr;

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    name: String,
    value: String,
    kind: Option<String>,
}

/// Types that may follow a value's colon; anything else after a colon belongs to the value.
const KINDS: &[&str] = &[
    "BIGINT",
    "BOOLEAN",
    "DATE",
    "DECIMAL",
    "DOUBLE",
    "FLOAT",
    "INT",
    "INTEGER",
    "LONG",
    "SMALLINT",
    "STRING",
    "TIMESTAMP",
    "TIMESTAMP_NTZ",
    "TINYINT",
];

impl Param {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn to_json(&self) -> Value {
        let mut json = json!({"name": self.name, "value": self.value});
        if let Some(kind) = &self.kind {
            json["type"] = json!(kind);
        }
        json
    }
}

impl FromStr for Param {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE, or NAME=VALUE:TYPE")?;
        let is_name =
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
        if !is_name {
            return Err(format!("{name:?} is no name of a parameter: letters, digits and _ only"));
        }
        let kind = |kind: &str| {
            let kind = kind.to_ascii_uppercase();
            let base = kind.split('(').next().unwrap_or_default().to_owned();
            KINDS.contains(&base.as_str()).then_some(kind)
        };
        let typed = value.rsplit_once(':').and_then(|(value, word)| Some((value, kind(word)?)));
        let (value, kind) = typed.map_or((value, None), |(value, kind)| (value, Some(kind)));
        Ok(Self { name: name.to_owned(), value: value.to_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_may_say_its_type_and_its_value_may_hold_a_colon() {
        let of = |text: &str| text.parse::<Param>().unwrap().to_json();
        assert_eq!(of("key=PAY-1"), json!({"name": "key", "value": "PAY-1"}));
        assert_eq!(of("n=3:int"), json!({"name": "n", "value": "3", "type": "INT"}));
        assert_eq!(
            of("n=1.50:decimal(10,2)"),
            json!({"name": "n", "value": "1.50", "type": "DECIMAL(10,2)"})
        );
        assert_eq!(
            of("at=2026-11-21T10:00:00Z"),
            json!({"name": "at", "value": "2026-11-21T10:00:00Z"})
        );
        assert_eq!(
            of("at=2026-11-21T10:00:00Z:TIMESTAMP"),
            json!({"name": "at", "value": "2026-11-21T10:00:00Z", "type": "TIMESTAMP"})
        );
        assert_eq!(of("empty="), json!({"name": "empty", "value": ""}));
        assert!(
            "key".parse::<Param>().is_err()
                && "a b=1".parse::<Param>().is_err()
                && "=1".parse::<Param>().is_err()
        );
    }
}
