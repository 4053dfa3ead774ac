//! Values of text: names, titles, long texts, time zones.

use std::fmt;

use serde_json::Value;

use super::{FieldValue, InvalidValue, Kind, invalid};
use crate::domain::hidden::{is_blank, is_control};

pub(super) fn text<'v>(value: &'v Value, wanted: &str) -> Result<&'v str, InvalidValue> {
    let Some(text) = value.as_str() else { return invalid(wanted, value) };
    if text.contains('\0') {
        return Err(InvalidValue("must not hold a NUL character".to_owned()));
    }
    Ok(text)
}

/// Reads any text, whatever its length and content.
fn any_text(value: &Value) -> Result<String, InvalidValue> {
    value.as_str().map_or_else(|| invalid("text", value), |text| Ok(text.to_owned()))
}

pub(super) fn line(text: &str, max: usize) -> Result<String, InvalidValue> {
    if text.trim().is_empty() {
        return Err(InvalidValue("must not be empty".to_owned()));
    }
    if is_blank(text) {
        return Err(InvalidValue(
            "must have a visible character; this has only spaces and invisible characters"
                .to_owned(),
        ));
    }
    if text.contains(['\n', '\r']) {
        return Err(InvalidValue("must be one line".to_owned()));
    }
    let length = text.chars().count();
    if length > max {
        return Err(InvalidValue(format!("must be at most {max} characters, this has {length}")));
    }
    Ok(text.to_owned())
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident { $kind:ident, $max:expr, $read:expr, $stored:expr }),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            pub const MAX: usize = $max;
            pub fn new(text: &str) -> Result<Self, InvalidValue> {
                Self::read(&Value::String(text.to_owned()))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FieldValue for $name {
            const KIND: Kind = Kind::$kind { max: $max };
            fn absent() -> Self {
                Self::default()
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                let read: fn(&str, usize) -> Result<String, InvalidValue> = $read;
                read(text(value, "text")?, $max).map(Self)
            }
            fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
                let read: fn(&Value) -> Result<Self, InvalidValue> = $stored;
                read(value)
            }
            fn json(&self) -> Value {
                Value::String(self.0.clone())
            }
        }
    )+};
}

texts! {
    /// A title: one line, at most 500 characters.
    Title { String, 500, line, |value| any_text(value).map(Self) },
    /// A short name, handle, address or reference.
    Name { String, 200, line, |value| any_text(value).map(Self) },
    /// Markdown or plain text, at most 1 MiB.
    LongText { Text, 1 << 20, |text, max| {
        if text.len() > max {
            return Err(InvalidValue(format!("must be at most {max} bytes, this has {}", text.len())));
        }
        Ok(text.to_owned())
    }, |value| any_text(value).map(Self) },
    /// An IANA time zone, such as Europe/Berlin.
    Zone { String, 60, |text, _| match text.parse::<chrono_tz::Tz>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(InvalidValue(format!("must be an IANA time zone such as Europe/Berlin, not {:?}", text.chars().take(40).collect::<String>()))),
    }, Self::read },
}

impl Name {
    /// Reads an actor, by the same rule for every interface: a name without control characters,
    /// because logs and every listing of changes show it.
    pub fn of_actor(text: &str) -> Result<Self, InvalidValue> {
        let name = Self::new(text)?;
        if text.contains(is_control) {
            return Err(InvalidValue(
                "must not contain a control character or a line separator".to_owned(),
            ));
        }
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_at_most_500_characters() {
        assert!(Title::new(&"é".repeat(500)).is_ok());
        for wrong in ["", "  ", "two\nlines", "nul\0", &"e".repeat(501)] {
            assert!(Title::new(wrong).is_err(), "{wrong:?} passed");
        }
    }

    #[test]
    fn an_actor_holds_no_control_character() {
        for actor in ["ana", "ana@example.org", "a b", "\u{202e}gpj", "é"] {
            assert!(Name::of_actor(actor).is_ok(), "{actor:?}");
        }
        for wrong in
            ["", " ", "a\u{1b}b", "a\u{85}b", "a\u{2028}b", "a\u{2029}b", "a\tb", "a\nb", "a\u{7f}"]
        {
            assert!(Name::of_actor(wrong).is_err(), "{wrong:?} passed");
        }
    }
}
