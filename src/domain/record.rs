//! Common form of all entities. A record is a struct whose fields are declared once, with their
//! documentation and write access. The JSON of the journal, the patch set schema, the columns of
//! the current table and the data dictionary all come from that declaration.

use serde_json::{Map, Value};

use super::value::{FieldValue, InvalidValue, Kind, invalid_enum_value};

/// Who may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The author of a patch; required when the entity is created.
    RequiredOnCreate,
    /// The author of a patch.
    Editable,
    /// The author of a patch, when the entity is created. A move can also change the project or
    /// parent of a task.
    SetOnCreate,
    /// The store, when it commits the change.
    Managed,
    /// A plan. An undo of a plan restores the earlier value, and an erase clears it.
    Planner,
}

impl Access {
    /// Whether authors of patches write the field, at least when they create the record.
    pub fn is_authored(self) -> bool {
        matches!(self, Self::RequiredOnCreate | Self::Editable | Self::SetOnCreate)
    }
}

/// Field of a record and column of its table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub doc: &'static str,
    pub kind: Kind,
    pub nullable: bool,
    pub access: Access,
}

/// Fields that a change touched, by name. Null means cleared; a missing field is untouched.
pub type Fields = Map<String, Value>;

/// Record of one entity.
pub trait Record: Clone + PartialEq {
    const ENTITY: Entity;
    const FIELDS: &'static [Field];
    type Id: super::id::EntityId;

    /// Returns a record with every field absent.
    fn empty(id: Self::Id) -> Self;
    fn id(&self) -> Self::Id;
    /// Returns the JSON of a field, null if it is absent; `None` if there is no such field.
    fn get(&self, field: &str) -> Option<Value>;
    /// Sets a field from JSON; null clears it.
    fn set(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue>;
    /// Sets a field from a stored value. If the field cannot hold the value, the field becomes
    /// absent and the error gives the reason.
    fn restore(&mut self, field: &str, value: &Value) -> Result<(), InvalidValue>;

    fn field(name: &str) -> Option<&'static Field> {
        Self::FIELDS.iter().find(|field| field.name == name)
    }

    /// Returns every field that is not absent.
    fn to_fields(&self) -> Fields {
        self.diff(&Self::empty(self.id())).1
    }

    /// Returns the fields in which `self` differs from `old`: the values in `old` and in `self`.
    fn diff(&self, old: &Self) -> (Fields, Fields);
}

/// Adds a field to the diff if two records differ in it. Converts it to JSON only then, because
/// most fields stay the same.
pub fn diff_field<T: FieldValue + PartialEq>(
    name: &str,
    old: &T,
    new: &T,
    (before, after): &mut (Fields, Fields),
) {
    if old == new {
        return;
    }
    let (was, is) = (old.json(), new.json());
    if was != is {
        before.insert(name.to_owned(), was);
        after.insert(name.to_owned(), is);
    }
}

/// Declares a record: its struct, entity and fields. `tracked` adds who created, changed and
/// deleted it, and when.
macro_rules! record {
    (
        $(#[doc = $sdoc:literal])*
        $name:ident: $entity:ident $(($sync:ident))?, $id:ident, tracked {
            $($(#[doc = $fdoc:literal])+ $field:ident: $type:ty, $access:ident;)+
        }
    ) => {
        $crate::domain::record::record! {
            $(#[doc = $sdoc])*
            $name: $entity $(($sync))?, $id {
                $($(#[doc = $fdoc])+ $field: $type, $access;)+
                /// When it was created.
                created_at: $crate::domain::time::Instant, Managed;
                /// The actor of the change that created it.
                created_by: $crate::domain::value::Name, Managed;
                /// When it last changed.
                updated_at: $crate::domain::time::Instant, Managed;
                /// Who changed it last.
                updated_by: $crate::domain::value::Name, Managed;
                /// When it was deleted; absent if it is live.
                deleted_at: Option<$crate::domain::time::Instant>, Managed;
                /// Who deleted it.
                deleted_by: Option<$crate::domain::value::Name>, Managed;
                /// The patch set that deleted it; a restore brings back what this set deleted.
                deleted_in: Option<$crate::domain::id::PatchSetId>, Managed;
            }
        }
    };
    (
        $(#[doc = $sdoc:literal])*
        $name:ident: $entity:ident $(($sync:ident))?, $id:ident {
            $($(#[doc = $fdoc:literal])+ $field:ident: $type:ty, $access:ident;)+
        }
    ) => {
        $(#[doc = $sdoc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            pub id: $crate::domain::id::$id,
            $($(#[doc = $fdoc])+ pub $field: $type,)+
        }

        impl $crate::domain::record::Record for $name {
            const ENTITY: $crate::domain::record::Entity =
                $crate::domain::record::Entity::$entity $(($crate::domain::record::SyncEntity::$sync))?;
            const FIELDS: &'static [$crate::domain::record::Field] = &[
                $($crate::domain::record::Field {
                    name: stringify!($field),
                    doc: concat!($($fdoc),+),
                    kind: <$type as $crate::domain::value::FieldValue>::KIND,
                    nullable: <$type as $crate::domain::value::FieldValue>::NULLABLE,
                    access: $crate::domain::record::Access::$access,
                },)+
            ];
            type Id = $crate::domain::id::$id;

            fn empty(id: Self::Id) -> Self {
                Self { id, $($field: <$type as $crate::domain::value::FieldValue>::absent(),)+ }
            }
            fn id(&self) -> Self::Id {
                self.id
            }
            fn get(&self, field: &str) -> Option<serde_json::Value> {
                match field {
                    $(stringify!($field) => Some($crate::domain::value::FieldValue::json(&self.$field)),)+
                    _ => None,
                }
            }
            fn diff(&self, old: &Self) -> ($crate::domain::record::Fields, $crate::domain::record::Fields) {
                let mut diff = Default::default();
                $($crate::domain::record::diff_field(stringify!($field), &old.$field, &self.$field, &mut diff);)+
                diff
            }
            fn set(&mut self, field: &str, value: &serde_json::Value) -> Result<(), $crate::domain::value::InvalidValue> {
                match field {
                    $(stringify!($field) => self.$field = if value.is_null() {
                        <$type as $crate::domain::value::FieldValue>::absent()
                    } else {
                        <$type as $crate::domain::value::FieldValue>::read(value)?
                    },)+
                    _ => return Err($crate::domain::value::InvalidValue("is not a field of this entity".to_owned())),
                }
                Ok(())
            }
            fn restore(&mut self, field: &str, value: &serde_json::Value) -> Result<(), $crate::domain::value::InvalidValue> {
                match field {
                    $(stringify!($field) => {
                        self.$field = <$type as $crate::domain::value::FieldValue>::absent();
                        if !value.is_null() {
                            self.$field = <$type as $crate::domain::value::FieldValue>::read_stored(value)?;
                        }
                    })+
                    _ => return Err($crate::domain::value::InvalidValue("is not a field of this entity".to_owned())),
                }
                Ok(())
            }
        }
    };
}
pub(crate) use record;

super::value::string_enum! {
    /// Readers of a record's changes. Planning, audit and undo read `work`; `sync` is sync's memory
    /// of providers.
    Stream {
        Work = "work",
        Sync = "sync",
    }
}

/// Declares the entities. The list that holds an entity decides its stream.
macro_rules! entities {
    (
        work { $($work:ident = $word:literal,)+ }
        sync { $($(#[cfg($cfg:meta)])? $sync:ident = $sync_word:literal,)* }
    ) => {
        /// Kind of record.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Entity {
            $($work,)+
            /// A record of the stream `sync`.
            Sync(SyncEntity),
        }

        /// Kind of record of the stream `sync`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum SyncEntity {
            $($(#[cfg($cfg)])? $sync,)*
        }

        impl Entity {
            pub const ALL: &'static [Self] =
                &[$(Self::$work,)+ $($(#[cfg($cfg)])? Self::Sync(SyncEntity::$sync),)*];
            /// Names of the entities of the stream `work`, which authors of patch sets can use.
            pub const WORK_NAMES: &'static [&'static str] = &[$($word,)+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$work => $word,)+
                    Self::Sync(entity) => match entity {
                        $($(#[cfg($cfg)])? SyncEntity::$sync => $sync_word,)*
                    },
                }
            }

            /// Returns the stream of the journal that holds the changes of the entity's records.
            pub const fn stream(self) -> Stream {
                match self {
                    $(Self::$work => Stream::Work,)+
                    Self::Sync(_) => Stream::Sync,
                }
            }
        }
    };
}

entities! {
    work {
        Lake = "lake",
        Project = "project",
        Task = "task",
        TaskLink = "task_link",
        User = "user",
        Requirement = "requirement",
        TaskRequirement = "task_requirement",
    }
    sync {
        // Lets unit tests use the stream until sync has entities of its own.
        #[cfg(test)]
        Note = "sync_note",
    }
}

impl std::fmt::Display for Entity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Entity {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|entity| entity.as_str() == text).copied();
        found.ok_or_else(|| format!("must be one of {}", Self::WORK_NAMES.join(", ")))
    }
}

/// The value is written by the author of a patch set, so it is an entity of the stream `work`.
impl FieldValue for Entity {
    const KIND: Kind = Kind::Enum(Self::WORK_NAMES);
    fn absent() -> Self {
        Self::Lake
    }
    fn read(value: &Value) -> Result<Self, InvalidValue> {
        let entity = value.as_str().and_then(|text| text.parse::<Self>().ok());
        entity
            .filter(|entity| entity.stream() == Stream::Work)
            .ok_or_else(|| invalid_enum_value(Self::WORK_NAMES, value))
    }
    fn json(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl serde::Serialize for Entity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Entity {
    /// Name with spaces, for use in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Self::TaskLink => "task link",
            Self::TaskRequirement => "link from a task to a requirement",
            other => other.as_str(),
        }
    }
}
