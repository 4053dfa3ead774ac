//! Parses JSON without loss. Refuses a duplicate key, or a number that cannot be represented
//! exactly, instead of repairing it.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum JsonError {
    #[error("the text is not UTF-8: byte {at} is invalid")]
    NotUtf8 { at: usize },
    #[error("line {line}, column {column}: {message}")]
    Syntax { line: usize, column: usize, message: String },
}

/// Reads one JSON value.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|err| JsonError::NotUtf8 { at: err.valid_up_to() })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value = serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|err| {
        let message = err.to_string();
        let cut = message.rfind(" at line ").unwrap_or(message.len());
        JsonError::Syntax {
            line: err.line(),
            column: err.column(),
            message: message[..cut].to_owned(),
        }
    })?;
    match inexact_integer(text) {
        None => Ok(value),
        Some(at) => {
            let line = text[..at].matches('\n').count() + 1;
            let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1) + 1;
            let message = "the number is too large to store exactly; write it as text".to_owned();
            Err(JsonError::Syntax { line, column, message })
        }
    }
}

/// Returns the offset of the first integer that no integer type can hold and that would silently
/// become a rounded float. `text` is valid JSON.
fn inexact_integer(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while bytes.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let end = bytes[at..].iter().position(|byte| {
                    !matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                });
                let number = &text[at..end.map_or(bytes.len(), |length| at + length)];
                let whole = !number.contains(['.', 'e', 'E']);
                if whole && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some(at);
                }
                at += number.len();
            }
            _ => at += 1,
        }
    }
    None
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("the number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Strict(value) = entries.next_value()?;
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} is given twice")));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_byte_that_is_no_text_is_refused_with_its_place() {
        assert!(matches!(parse(b"\"\xff\""), Err(JsonError::NotUtf8 { at: 1 })));
    }

    #[rstest]
    #[case::a_key_twice(r#"{"a":1,"a":2}"#, "given twice")]
    #[case::a_large_number(
        "[\"9999999999999999999999\",\n  123456789012345678901234567890]",
        "line 2, column 3: the number is too large"
    )]
    #[case::a_comma_too_many("[1,\n 2,,]", "line 2")]
    #[case::a_nul_character("\"\u{0}\"", "control character")]
    #[case::an_infinite_number("1e400", "out of range")]
    fn what_cannot_be_kept_is_refused_with_its_place(#[case] text: &str, #[case] says: &str) {
        let err = parse(text.as_bytes()).unwrap_err().to_string();
        assert!(err.contains(says), "{text}: {err}");
    }

    #[test]
    fn a_deep_bomb_is_an_error_and_not_a_crash() {
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn what_can_be_kept_comes_back_equal() {
        let text = r#"{"a":[null,true,-1,1.5,18446744073709551615,"x é 😀"]}"#;
        assert_eq!(parse(text.as_bytes()).unwrap().to_string(), text);
    }
}
