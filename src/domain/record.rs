//! Common form of all entities. A record is a struct whose fields are declared once, with their
//! documentation and write access. The JSON of the journal, the patch set schema, the columns of
//! the current table and the data dictionary all come from that declaration.

use serde_json::{Map, Value};

use super::value::{FieldValue, InvalidValue, Kind};

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
        $name:ident: $entity:ident, $id:ident, tracked {
            $($(#[doc = $fdoc:literal])+ $field:ident: $type:ty, $access:ident;)+
        }
    ) => {
        $crate::domain::record::record! {
            $(#[doc = $sdoc])*
            $name: $entity, $id {
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
        $name:ident: $entity:ident, $id:ident {
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
            const ENTITY: $crate::domain::record::Entity = $crate::domain::record::Entity::$entity;
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
    /// Kind of record.
    Entity {
        Lake = "lake",
        Project = "project",
        Task = "task",
        TaskLink = "task_link",
        User = "user",
        Requirement = "requirement",
        TaskRequirement = "task_requirement",
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
