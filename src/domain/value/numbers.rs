//! Values that are whole numbers: counts, importance, minutes and lags.

use serde_json::Value;

use super::{FieldValue, InvalidValue, Kind, invalid};
use crate::domain::time::{Lag, Minutes};

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
