//! Marks a value that nobody has checked yet.

/// A value from outside. It can be read only after a check, which takes it out of the wrapper.
#[derive(Clone, Debug)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// Takes the value out, for the check.
    pub(super) fn into_inner(self) -> T {
        self.0
    }
}
