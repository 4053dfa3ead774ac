//! Values of fields: each kind defines how it is read from JSON, what it refuses, and which column
//! it becomes.

use std::fmt;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;
use uuid::Uuid;

use super::day;
use super::hidden::{is_blank, is_control};
use super::id::EntityId;
use super::key::{ProjectKey, TaskKey};
use super::time::{self, Instant, Lag, Minutes, NotATime, rfc3339};

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

fn text<'v>(value: &'v Value, wanted: &str) -> Result<&'v str, InvalidValue> {
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

fn line(text: &str, max: usize) -> Result<String, InvalidValue> {
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

macro_rules! integers {
    ($($type:ty: $min:expr, $max:expr;)+) => {$(
        impl FieldValue for $type {
            const KIND: Kind = Kind::Integer { min: $min, max: $max };
            fn absent() -> Self {
                0
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                let whole = value.as_i64().filter(|n| ($min..=$max).contains(n));
                match whole.and_then(|n| Self::try_from(n).ok()) {
                    Some(n) => Ok(n),
                    None => invalid(format_args!("a whole number from {} to {}", $min, $max), value),
                }
            }
            fn json(&self) -> Value {
                Value::from(*self)
            }
        }
    )+};
}

integers! {
    u8: 0i64, 5i64;
    u32: 0i64, u32::MAX as i64;
    i64: i64::MIN, i64::MAX;
}

/// Importance of a task, from 1 (low) to 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Importance(u8);

impl Importance {
    pub fn get(self) -> u8 {
        self.0
    }
}

impl FieldValue for Importance {
    const KIND: Kind = Kind::Integer { min: 1, max: 5 };
    fn absent() -> Self {
        Self(3)
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_u64().filter(|n| (1..=5).contains(n)) {
            Some(n) => Ok(Self(n as u8)),
            None => invalid("a whole number from 1 to 5", value),
        }
    }
    fn json(&self) -> Value {
        Value::from(self.0)
    }
}

impl FieldValue for Minutes {
    const KIND: Kind = Kind::Integer { min: 0, max: Minutes::MAX.get() as i64 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_u64().filter(|n| *n <= u64::from(Minutes::MAX.get())) {
            Some(n) => Ok(Self::new(n as u32)),
            None => invalid(format_args!("whole minutes from 0 to {}", Minutes::MAX.get()), value),
        }
    }
    fn json(&self) -> Value {
        Value::from(self.get())
    }
}

impl FieldValue for Lag {
    const KIND: Kind =
        Kind::Integer { min: -(Minutes::MAX.get() as i64), max: Minutes::MAX.get() as i64 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let most = i64::from(Minutes::MAX.get());
        match value.as_i64().filter(|n| (-most..=most).contains(n)) {
            Some(n) => Ok(Self::new(n)),
            None => invalid(format_args!("whole minutes from -{most} to {most}"), value),
        }
    }
    fn json(&self) -> Value {
        Value::from(self.get())
    }
}

impl FieldValue for NaiveDate {
    const KIND: Kind = Kind::Date;
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_str().and_then(day::written) {
            Some(date) if day::is_storable(date) => Ok(date),
            Some(_) => invalid(day::RANGE, value),
            None => invalid("a date such as 2026-11-20", value),
        }
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let date = value.as_str().and_then(|text| text.parse::<Self>().ok());
        date.filter(|date| day::is_storable(*date)).map_or_else(|| invalid(day::RANGE, value), Ok)
    }
    fn json(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl FieldValue for Instant {
    const KIND: Kind = Kind::Instant;
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        match value.as_str().ok_or(NotATime::Form).and_then(time::read) {
            Ok(at) => Ok(at),
            Err(NotATime::LeapSecond) => invalid("a time without a leap second", value),
            Err(NotATime::Range) => invalid(day::RANGE, value),
            Err(NotATime::Form) => invalid("an RFC 3339 time such as 2026-11-20T10:00:00Z", value),
        }
    }
    /// Reads a leap second as the instant after it, as the columns of the tables do.
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let at = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let at = at.and_then(|at| DateTime::from_timestamp_micros(at.timestamp_micros()));
        at.filter(|at| day::is_storable(at.date_naive()))
            .map_or_else(|| invalid(day::RANGE, value), Ok)
    }
    fn json(&self) -> Value {
        Value::String(rfc3339(*self))
    }
}

macro_rules! id_values {
    ($($type:ident: $of:literal),+ $(,)?) => {$(
        impl FieldValue for super::id::$type {
            const KIND: Kind = Kind::Id($of);
            fn absent() -> Self {
                Self::default()
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
                id.map_or_else(|| invalid(concat!("the id of a ", $of), value), |id| Ok(Self::of(id)))
            }
            fn json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )+};
}

id_values! {
    ProjectId: "project", TaskId: "task", UserId: "user", RequirementId: "requirement",
    PatchSetId: "patch set", LakeId: "lake",
}

macro_rules! key_values {
    ($($type:ty: $max:literal),+) => {$(
        impl FieldValue for $type {
            const KIND: Kind = Kind::String { max: $max };
            fn absent() -> Self {
                Self::default()
            }
            fn read(value: &Value) -> Result<Self, InvalidValue> {
                text(value, "a key")?.parse().map_err(|err| InvalidValue(format!("is wrong: {err}")))
            }
            fn json(&self) -> Value {
                Value::String(self.to_string())
            }
        }
    )+};
}

key_values! { ProjectKey: 10, TaskKey: 21 }

/// Labels in the given order, without duplicates: at most 100, each of at most 100 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(pub Vec<String>);

impl FieldValue for Tags {
    const KIND: Kind = Kind::StringList { max: 100 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let Some(items) = value.as_array() else { return invalid("a list of texts", value) };
        if items.len() > 100 {
            return Err(InvalidValue(format!(
                "must be at most 100 texts, these are {}",
                items.len()
            )));
        }
        let mut tags: Vec<String> = Vec::with_capacity(items.len());
        for item in items {
            let tag = line(text(item, "a list of texts")?, 100)?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(Self(tags))
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        let texts = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        texts.map_or_else(|| invalid("a list of texts", value), |texts| Ok(Self(texts)))
    }
    fn json(&self) -> Value {
        Value::from(self.0.clone())
    }
}

/// Free-form data that Lakeplan stores and never interprets: a JSON object of at most 64 KiB.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata(pub serde_json::Map<String, Value>);

impl FieldValue for Metadata {
    const KIND: Kind = Kind::Object { max: 64 << 10 };
    fn absent() -> Self {
        Self::default()
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let Some(object) = value.as_object() else { return invalid("a JSON object", value) };
        let bytes = value.to_string();
        if bytes.len() > 64 << 10 {
            return Err(InvalidValue(format!(
                "must be at most {} bytes of JSON, this has {}",
                64 << 10,
                bytes.len()
            )));
        }
        if holds_nul(value) {
            return Err(InvalidValue("must not hold a NUL character".to_owned()));
        }
        Ok(Self(object.clone()))
    }
    fn read_stored(value: &Value) -> Result<Self, InvalidValue> {
        value
            .as_object()
            .map_or_else(|| invalid("a JSON object", value), |object| Ok(Self(object.clone())))
    }
    fn json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(object) => {
            object.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
    fn days_and_times_lie_in_the_years_that_every_engine_reads() {
        for day in ["1900-01-01", "2026-02-28", "9999-12-31"] {
            assert_eq!(NaiveDate::read(&json!(day)).unwrap().json(), json!(day));
        }
        for day in [
            "-001-01-01",
            "+99999-1-1",
            "1899-12-31",
            "2026-1-005",
            "20260101aa",
            "+2026-1-01",
            "0000-00-00",
        ] {
            assert!(NaiveDate::read(&json!(day)).is_err(), "{day} passed");
        }
        for at in [
            "2016-12-31T23:59:60Z",
            "1899-12-31T23:59:59Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00Z",
        ] {
            assert!(Instant::read(&json!(at)).is_err(), "{at} passed");
        }
        for at in [
            "2026-11-20 10:00:00Z",
            "2026-11-20t10:00:00Z",
            "2026-11-20T10:00:00z",
            "2026-11-20T10:00:00\u{2212}01:00",
        ] {
            assert!(Instant::read(&json!(at)).is_err(), "{at} passed");
            assert!(Instant::read_stored(&json!(at)).is_ok(), "{at} is stored");
        }
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

    #[test]
    fn instants_come_back_in_utc_microseconds() {
        let at = Instant::read(&json!("2026-11-20T12:00:00.1234567+02:00")).unwrap();
        assert_eq!(at.json(), json!("2026-11-20T10:00:00.123456Z"));
    }
}
