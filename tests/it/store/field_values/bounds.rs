//! Values at and around the bounds of each kind of field.

use std::collections::BTreeMap;

use lakeplan::domain::value::Kind;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Texts that a layer or engine might change.
const TEXTS: &[&str] = &[
    "a",
    "0",
    "-1",
    "null",
    "NULL",
    "true",
    "NaN",
    "1e400",
    "2026-01-01",
    "'",
    "''; DROP TABLE tasks; --",
    "\"quoted\" \\ back\\slash",
    "a\tb",
    "\u{1}\u{7f}shown\u{80}\u{9f}",
    "\u{feff}bom",
    "é e\u{301} ﬁ İ ı ß ẞ ǆ",
    "計画 프로젝트 תכנון خطة",
    "\u{202e}right to left\u{202c}",
    "\u{200b}zero\u{200d}width\u{2060}",
    "\u{2028}line\u{2029}paragraph",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇧🇷",
    "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{ffff}\u{10000}\u{10ffff}",
    " leading and trailing ",
    "%s %d {} ${x} `x` <b>&amp;</b>",
    "Europe/Berlin",
    "UTC",
    "America/Argentina/ComodRivadavia",
    "AB",
    "Z123456789",
];

/// Returns a text with this number of characters, each of this number of bytes.
fn long(characters: usize, bytes: usize) -> String {
    ["?", "x", "é", "計", "🚀"][bytes].repeat(characters)
}

/// Returns a text of any characters except NUL and, in a line, line breaks.
fn any_text(random: &mut StdRng, max_chars: usize, is_line: bool) -> String {
    let characters = random.random_range(1..=max_chars);
    let mut text = String::from("r");
    while text.chars().count() < characters {
        let any = match random.random_range(0..4) {
            0 => random.random_range(1..0x80),
            1 => random.random_range(0x80..0x800),
            2 => random.random_range(0x800..0x1_0000),
            _ => random.random_range(0x1_0000..0x11_0000),
        };
        text.extend(char::from_u32(any).filter(|c| !is_line || !matches!(c, '\n' | '\r')));
    }
    text
}

/// Values around the bounds of a kind.
#[derive(Default)]
pub struct Values {
    /// Values that every field of the kind accepts.
    pub inside: Vec<Value>,
    /// Values that some fields accept.
    pub either: Vec<Value>,
    /// Values that no field accepts.
    pub outside: Vec<Value>,
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

pub fn values(kind: Kind, random: &mut StdRng, more: usize) -> Values {
    let strangers = vec![json!(true), json!(1.5), json!([1]), json!("\u{0}"), json!("a\u{0}b")];
    let mut values = Values { outside: strangers, ..Values::default() };
    let Values { inside, either, outside } = &mut values;
    match kind {
        Kind::Text { max } => {
            inside.extend(texts(TEXTS));
            inside.extend(texts(&["", "\n", "a\r\nb\rc\n", "# T\n\n- [ ] x"]));
            inside.extend([1, 3, 4].map(|bytes| json!(long(max / bytes, bytes))));
            inside.extend((0..more).map(|_| json!(any_text(random, 300, false))));
            outside.extend([
                json!(long(max + 1, 1)),
                json!(long(max / 4 + 1, 4)),
                json!(1),
                json!({}),
            ]);
        }
        Kind::String { max } => {
            either.extend(texts(TEXTS));
            either.extend([1, 2, 3, 4].map(|bytes| json!(long(max, bytes))));
            either.extend((0..more).map(|_| json!(any_text(random, max, true))));
            outside.extend([json!(long(max + 1, 1)), json!(long(max + 1, 4)), json!(1), json!({})]);
            outside.extend(texts(&[
                "",
                " ",
                "\u{2028}",
                "a\nb",
                "a\r",
                "\u{1}\u{7f}\u{80}\u{9f}",
                "\u{3164} \u{200b}",
            ]));
        }
        Kind::Enum(words) => {
            inside.extend(texts(words));
            outside.extend(
                words.iter().flat_map(|word| {
                    [json!(format!("{word} ")), json!(format!("x{word}")), json!(0)]
                }),
            );
        }
        Kind::Integer { min, max } => {
            inside.extend([min, min + 1, max - 1, max].map(|number| json!(number)));
            inside.extend((0..more).map(|_| json!(random.random_range(min..=max))));
            outside.extend(
                [min.checked_sub(1), max.checked_add(1)]
                    .into_iter()
                    .flatten()
                    .map(|number| json!(number)),
            );
            outside.extend([
                json!("1"),
                json!(u64::MAX),
                json!(1e300),
                json!(i64::MIN as f64),
                json!([]),
            ]);
        }
        Kind::Date => {
            inside.extend(texts(&[
                "1900-01-01",
                "1970-01-01",
                "2000-02-29",
                "2026-03-29",
                "9999-12-31",
            ]));
            for _ in 0..more {
                let (year, month, day) = (
                    random.random_range(1900..=9999),
                    random.random_range(1..=12),
                    random.random_range(1..=28),
                );
                inside.push(json!(format!("{year}-{month:02}-{day:02}")));
            }
            outside.extend(texts(&[
                "1899-12-31",
                "0000-01-01",
                "0001-01-01",
                "-001-01-01",
                "-0001-01-01",
                "+99999-1-1",
            ]));
            outside.extend(texts(&[
                "10000-01-01",
                "1900-02-29",
                "2026-1-1",
                "2026-01-01T00:00:00Z",
                "",
                "١٩٩٩-01-01",
            ]));
        }
        Kind::Instant => {
            inside.extend(texts(&[
                "1900-01-01T00:00:00Z",
                "1969-12-31T23:59:59.999999Z",
                "1970-01-01T00:00:00Z",
            ]));
            inside.extend(texts(&[
                "2026-03-29T01:30:00.123456789Z",
                "2026-11-20T12:00:00+14:00",
                "9999-12-31T23:59:59.999999Z",
            ]));
            inside.extend(texts(&["2016-12-31T23:59:59.999999999Z"]));
            for _ in 0..more {
                let seconds = random.random_range(-2_208_988_800..=253_402_300_799_i64);
                let at = chrono::DateTime::from_timestamp(
                    seconds,
                    random.random_range(0..1_000_000_000),
                )
                .unwrap();
                inside.push(json!(at.to_rfc3339()));
            }
            outside.extend(texts(&[
                "1899-12-31T23:59:59.999999Z",
                "1900-01-01T00:00:00+00:01",
                "2016-12-31T23:59:60Z",
            ]));
            outside.extend(texts(&[
                "9999-12-31T23:59:59.999999-00:01",
                "0001-01-01T00:00:00Z",
                "10000-01-01T00:00:00Z",
            ]));
            outside.extend(texts(&[
                "2026-01-01",
                "2026-01-01T00:00:00",
                "2026-02-30T00:00:00Z",
                "",
            ]));
        }
        Kind::StringList { max } => {
            let numbered =
                |count: usize| json!((0..count).map(|n| format!("{n}")).collect::<Vec<_>>());
            inside.extend([
                json!([]),
                json!(TEXTS),
                numbered(max),
                json!([long(100, 4)]),
                json!(["a", "a", "b"]),
            ]);
            for _ in 0..more {
                let lines = random.random_range(1..9);
                inside.push(json!(
                    (0..lines).map(|_| any_text(random, 100, true)).collect::<Vec<_>>()
                ));
            }
            outside.extend([
                numbered(max + 1),
                json!([long(101, 1)]),
                json!([""]),
                json!(["a\nb"]),
                json!(["a", 1]),
                json!(["\u{200b}"]),
            ]);
            outside.extend([json!([null]), json!(["a\u{0}"]), json!("a"), json!({})]);
        }
        Kind::Object { max } => {
            let all: BTreeMap<&str, &str> = TEXTS.iter().map(|text| (*text, *text)).collect();
            let numbers = json!([
                0,
                -1,
                i64::MIN,
                u64::MAX,
                1.0,
                0.1,
                5e-324,
                1.797_693_134_862_315_7e308,
                9_007_199_254_740_993_i64
            ]);
            inside.extend([json!({}), json!({"": ""}), json!(all), json!({"n": numbers})]);
            inside.extend([
                json!({"a": {"b": [null, true, [[]], {}]}}),
                json!({"a": "x".repeat(max - 8)}),
            ]);
            inside.extend(
                (0..more)
                    .map(|_| json!({any_text(random, 20, false): any_text(random, 300, false)})),
            );
            outside.extend([
                json!({"a": "x".repeat(max - 7)}),
                json!({"a": "\u{0}"}),
                json!({"\u{0}": 1}),
                json!([]),
                json!("{}"),
            ]);
        }
        Kind::Id(_) => {}
    }
    values
}
