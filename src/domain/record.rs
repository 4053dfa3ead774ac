//! The form all entities share: a record is a struct whose fields are declared once, with their documentation and
//! with who may write them. From that one declaration come the JSON of the journal, the patch set schema, the
//! columns of the current table and the data dictionary.

use serde_json::{Map, Value};

use super::value::{FieldValue, Kind, Misfit};

/// Who writes a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// The author of a patch, and it must be there when the entity is created.
    Required,
    /// The author of a patch.
    Author,
    /// The author of a patch, when the entity is created; a task also gets another project or parent by a move.
    Once,
    /// The store, for the slot a change takes.
    Store,
}

/// One field of a record, and one column of its table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub doc: &'static str,
    pub kind: Kind,
    pub nullable: bool,
    pub writer: Writer,
}

/// The fields a change touched, by name; null = cleared, absent = untouched.
pub type Fields = Map<String, Value>;

/// A record of one entity.
pub trait Record: Clone + PartialEq {
    const ENTITY: Entity;
    const FIELDS: &'static [Field];
    type Id: super::id::EntityId;

    /// A record with every field absent.
    fn blank(id: Self::Id) -> Self;
    fn id(&self) -> Self::Id;
    /// The field's JSON, null where absent; `None` where there is no such field.
    fn get(&self, field: &str) -> Option<Value>;
    /// Sets a field from JSON; null clears it.
    fn set(&mut self, field: &str, value: &Value) -> Result<(), Misfit>;
    /// Sets a field from a stored value. One that the field cannot hold leaves it absent, and the error says why.
    fn restore(&mut self, field: &str, value: &Value) -> Result<(), Misfit>;

    fn field(name: &str) -> Option<&'static Field> {
        Self::FIELDS.iter().find(|field| field.name == name)
    }

    /// Every field that is not absent.
    fn present(&self) -> Fields {
        self.touched(&Self::blank(self.id())).1
    }

    /// The fields in which `self` differs from `old`: their values in `old`, and in `self`.
    fn touched(&self, old: &Self) -> (Fields, Fields);
}

/// Notes a field in which two records differ. Only then is JSON made of it: most fields of a record stay as they are.
pub fn note_touched<T: FieldValue + PartialEq>(
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

/// Declares a record: its struct, its entity, its fields. `tracked` adds who created, changed and deleted it, and when.
macro_rules! record {
    (
        $(#[doc = $sdoc:literal])*
        $name:ident: $entity:ident, $id:ident, tracked {
            $($(#[doc = $fdoc:literal])+ $field:ident: $type:ty, $writer:ident;)+
        }
    ) => {
        $crate::domain::record::record! {
            $(#[doc = $sdoc])*
            $name: $entity, $id {
                $($(#[doc = $fdoc])+ $field: $type, $writer;)+
                /// When it was created.
                created_at: $crate::domain::time::Instant, Store;
                /// Who created it, as the change named its actor.
                created_by: $crate::domain::value::Name, Store;
                /// When it last changed.
                updated_at: $crate::domain::time::Instant, Store;
                /// Who changed it last.
                updated_by: $crate::domain::value::Name, Store;
                /// When it was deleted; absent where it lives.
                deleted_at: Option<$crate::domain::time::Instant>, Store;
                /// Who deleted it.
                deleted_by: Option<$crate::domain::value::Name>, Store;
                /// The patch set that deleted it, which is also what restores it.
                deleted_in: Option<$crate::domain::id::PatchSetId>, Store;
            }
        }
    };
    (
        $(#[doc = $sdoc:literal])*
        $name:ident: $entity:ident, $id:ident {
            $($(#[doc = $fdoc:literal])+ $field:ident: $type:ty, $writer:ident;)+
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
                    writer: $crate::domain::record::Writer::$writer,
                },)+
            ];
            type Id = $crate::domain::id::$id;

            fn blank(id: Self::Id) -> Self {
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
            fn touched(&self, old: &Self) -> ($crate::domain::record::Fields, $crate::domain::record::Fields) {
                let mut touched = Default::default();
                $($crate::domain::record::note_touched(stringify!($field), &old.$field, &self.$field, &mut touched);)+
                touched
            }
            fn set(&mut self, field: &str, value: &serde_json::Value) -> Result<(), $crate::domain::value::Misfit> {
                match field {
                    $(stringify!($field) => self.$field = if value.is_null() {
                        <$type as $crate::domain::value::FieldValue>::absent()
                    } else {
                        <$type as $crate::domain::value::FieldValue>::read(value)?
                    },)+
                    _ => return Err($crate::domain::value::Misfit("is no field of this entity".to_owned())),
                }
                Ok(())
            }
            fn restore(&mut self, field: &str, value: &serde_json::Value) -> Result<(), $crate::domain::value::Misfit> {
                match field {
                    $(stringify!($field) => {
                        self.$field = <$type as $crate::domain::value::FieldValue>::absent();
                        if !value.is_null() {
                            self.$field = <$type as $crate::domain::value::FieldValue>::read_stored(value)?;
                        }
                    })+
                    _ => return Err($crate::domain::value::Misfit("is no field of this entity".to_owned())),
                }
                Ok(())
            }
        }
    };
}
pub(crate) use record;

super::value::words! {
    /// What a change is about.
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
    /// The fields of the entity's record.
    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Lake => super::lake::Lake::FIELDS,
            Self::Project => super::project::Project::FIELDS,
            Self::Task => super::task::Task::FIELDS,
            Self::TaskLink => super::link::TaskLink::FIELDS,
            Self::User => super::user::User::FIELDS,
            Self::Requirement => super::requirement::Requirement::FIELDS,
            Self::TaskRequirement => super::requirement::TaskRequirement::FIELDS,
        }
    }

    pub fn field(self, name: &str) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.name == name)
    }

    /// The name with spaces, as a sentence has it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::TaskLink => "task link",
            Self::TaskRequirement => "link from a task to a requirement",
            other => other.word(),
        }
    }
}
