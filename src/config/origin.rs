//! Origins of settings: how the key of a setting is written in each source.
//!
//! One rule names the variable of each setting: `LAKEPLAN_` and the key in uppercase, with two
//! underscores between a section and its key, as in `LAKEPLAN_SECTION__KEY`.

use serde::Serialize;

use super::keys::TARGET;

/// Start of the variables that hold settings.
pub const PREFIX: &str = "LAKEPLAN_";
/// Separator of a section and its key in a variable's name.
pub const SEPARATOR: &str = "__";

/// Value with its origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub value: String,
    pub origin: String,
}

/// Source of a layer, which knows how its keys are written there.
#[derive(Clone, Debug)]
pub enum LayerSource {
    Default,
    /// A variable that only one key is taken from.
    Variable(&'static str),
    Environment,
    Flags,
    File {
        path: String,
        target: Option<String>,
    },
}

impl LayerSource {
    /// Returns where a key is written in this source.
    pub fn origin(&self, keys: &[&str]) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::Variable(name) => (*name).to_owned(),
            Self::Environment => variable_name(keys),
            Self::Flags => flag_name(keys.first().copied().unwrap_or_default()),
            Self::File { path, target } => {
                let table = keys.split_last().map_or(&[][..], |(_, table)| table);
                let target = target.iter().flat_map(|target| [TARGET, target]);
                let table: Vec<&str> = target.chain(table.iter().copied()).collect();
                match table.is_empty() {
                    true => path.clone(),
                    false => format!("{path} [{}]", table.join(".")),
                }
            }
        }
    }
}

/// Returns the flag of a setting.
fn flag_name(key: &str) -> String {
    match key {
        "query_memory" => "--memory".to_owned(),
        key => format!("--{key}"),
    }
}

/// Returns the variable of a setting.
pub fn variable_name(keys: &[&str]) -> String {
    format!("{PREFIX}{}", keys.join(SEPARATOR).to_ascii_uppercase())
}
