//! Reasons for the refusal of a patch set: all at once, each with the patch, the field and the
//! rule.

use std::fmt;

use super::hint::Hint;

super::value::string_enum! {
    /// Rule that a patch violates. The word is stable, so that programs can branch on it.
    Rule {
        Shape = "shape",
        UnknownField = "unknown_field",
        FieldNotYours = "field_not_yours",
        Required = "required",
        Value = "value",
        UnknownReference = "unknown_reference",
        Deleted = "deleted",
        NotDeleted = "not_deleted",
        AlreadyExists = "already_exists",
        KeyTaken = "key_taken",
        HandleTaken = "handle_taken",
        EstimateOrder = "estimate_order",
        DateOrder = "date_order",
        Depth = "depth",
        Milestone = "milestone",
        OwnDescendant = "own_descendant",
        DependencyOnRelative = "dependency_on_relative",
        DependencyAcrossProjects = "dependency_across_projects",
        DependencyCycle = "dependency_cycle",
        SelfLink = "self_link",
        DuplicateLink = "duplicate_link",
        ParentDeleted = "parent_deleted",
        Operation = "operation",
        Cap = "cap",
    }
}

/// One violated rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Index of the patch in the set, counted from 0.
    pub patch: usize,
    /// Field of the patch; absent if the patch as a whole is invalid.
    pub field: Option<String>,
    pub rule: Rule,
    pub message: String,
    /// Advice on what to do instead.
    pub hint: Option<Hint>,
}

impl Violation {
    pub fn new(patch: usize, rule: Rule, message: impl Into<String>) -> Self {
        Self { patch, field: None, rule, message: message.into(), hint: None }
    }

    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "patch {}", self.patch)?;
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        write!(f, ": {} [{}]", self.message, self.rule)
    }
}
