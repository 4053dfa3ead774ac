//! Values of fields: each kind defines how it is read from JSON, what it refuses, and which column
//! it becomes.

mod ids;
mod lists;
mod numbers;
mod texts;
mod times;

use std::fmt;

use serde_json::Value;

pub use lists::{Metadata, Tags};
pub use numbers::Importance;
pub use texts::{LongText, Name, Title, Zone};

/// Kind of a field, from which its column type, JSON schema and limits follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text with a maximum number of bytes.
    Text {
        max: usize,
    },
    /// One line of text with a maximum number of characters.
    String {
        max: usize,
    },
    /// One of these words.
    Enum(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Date,
    Instant,
    /// Id of an entity with this name.
    Id(&'static str),
    /// List of single-line texts.
    StringList {
        max: usize,
    },
    /// JSON object with a maximum number of bytes.
    Object {
        max: usize,
    },
}

/// Error for a value that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue(pub String);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A typed field value. `read` and `read_stored` never receive JSON null: null means "cleared",
/// which is [`FieldValue::absent`].
///
/// Every interface applies the same rule to values from authors. The rule for stored values is more
/// lenient, because a value that an earlier version accepted must not make a lake unreadable.
pub trait FieldValue: Clone + PartialEq {
    const KIND: Kind;
    /// Whether the field accepts null.
    const NULLABLE: bool = false;
    fn absent() -> Self;
    /// Reads a value from an author. Refuses a value that a table cannot store and return
    /// unchanged.
    fn read(value: &Value) -> Result<Self, InvalidValue>;
    /// Reads a stored value. Fails only if the field cannot hold it in any form.
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        Self::read(value)
    }
    /// Returns the JSON; null if the value is absent.
    fn json(&self) -> Value;
}

impl<T: FieldValue> FieldValue for Option<T> {
    const KIND: Kind = T::KIND;
    const NULLABLE: bool = true;
    fn absent() -> Self {
        None
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        T::read(value).map(Some)
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        T::read_stored(value).map(Some)
    }
    fn json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::json)
    }
}

fn invalid<T>(wanted: impl fmt::Display, value: &Value) -> Result<T, InvalidValue> {
    let shown = value.to_string();
    let cut: String = shown.chars().take(60).collect();
    let dots = if cut.len() < shown.len() { "…" } else { "" };
    Err(InvalidValue(format!("must be {wanted}, not {cut}{dots}")))
}

/// Declares an enum whose values are words. Their order is the sort order.
macro_rules! string_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const NAMES: &'static [&'static str] = &[$($word),+];
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("must be one of {}", Self::NAMES.join(", "))),
                }
            }
        }

        impl $crate::domain::value::FieldValue for $name {
            const KIND: $crate::domain::value::Kind = $crate::domain::value::Kind::Enum(Self::NAMES);
            fn absent() -> Self {
                Self::ALL[0]
            }
            fn read(value: &serde_json::Value) -> Result<Self, $crate::domain::value::InvalidValue> {
                value
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| $crate::domain::value::invalid_enum_value(Self::NAMES, value))
            }
            fn json(&self) -> serde_json::Value {
                serde_json::Value::String(self.as_str().to_owned())
            }
        }
    };
}
pub(crate) use string_enum;

/// Returns the error for a value outside an enum.
pub fn invalid_enum_value(words: &[&str], value: &Value) -> InvalidValue {
    match invalid::<()>(format_args!("one of {}", words.join(", ")), value) {
        Err(err) => err,
        Ok(()) => InvalidValue(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;
    use serde_json::json;

    use super::*;
    use crate::domain::time::{Instant, Minutes};

    #[test]
    fn misfits_say_what_was_wanted_and_what_came() {
        assert_eq!(u8::read(&json!(6)).unwrap_err().0, "must be a whole number from 0 to 5, not 6");
        assert_eq!(
            Minutes::read(&json!("2h")).unwrap_err().0,
            "must be whole minutes from 0 to 1248000, not \"2h\""
        );
        assert_eq!(
            NaiveDate::read(&json!("2026-02-30")).unwrap_err().0,
            "must be a date such as 2026-11-20, not \"2026-02-30\""
        );
        assert!(Tags::read(&json!(["a", 1])).is_err());
        assert!(Metadata::read(&json!([])).is_err());
    }

    #[test]
    fn stored_values_of_earlier_versions_are_read() {
        let leap = Instant::read_stored(&json!("2016-12-31T23:59:60.000000Z")).unwrap();
        assert_eq!(leap.json(), json!("2017-01-01T00:00:00.000000Z"));
        assert!(NaiveDate::read_stored(&json!("-0001-01-01")).is_err());
        assert_eq!(Title::read_stored(&json!("x".repeat(501))).unwrap().as_str().len(), 501);
        assert!(Metadata::read(&json!({"a": "\u{0}"})).is_err());
        assert!(Metadata::read(&json!({"a": "\\u0000"})).is_ok());
    }
}
