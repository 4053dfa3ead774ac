//! Maps the owners named in a description to users.

use super::Replanner;
use super::report::Mark;
use crate::domain::id::{EntityId, UserId, derived};
use crate::domain::patch::{Op, Patch};
use crate::domain::record::Entity;
use crate::domain::user::reads_as_id;
use crate::domain::value::{FieldValue, Name};
use crate::planning::plan::Node;

/// Values of an owner field that name nobody.
const NOBODY: &[&str] =
    &["tbd", "tba", "n/a", "na", "none", "nobody", "unassigned", "unknown", "open", "-", "?"];

impl Replanner<'_> {
    /// Finds the users that the plan names and creates the missing ones.
    pub(super) fn name_owners(&mut self) {
        for node in &self.input.plan.nodes {
            let Some(owner) =
                node.owner.as_deref().map(str::trim).filter(|owner| is_somebody(owner))
            else {
                continue;
            };
            let key = owner.to_lowercase();
            if self.owners.contains_key(&key) {
                continue;
            }
            let Some(handle) = handle(owner) else { continue };
            let id = match self.known_user(owner, &handle) {
                Some(id) => id,
                None => self.new_user(owner, &handle),
            };
            self.owners.insert(key, id);
        }
    }

    pub(super) fn owner(&self, node: &Node) -> Option<UserId> {
        self.owners.get(&node.owner.as_deref()?.trim().to_lowercase()).copied()
    }

    fn known_user(&self, owner: &str, handle: &Name) -> Option<UserId> {
        let is_them = |text: &str| {
            text.eq_ignore_ascii_case(owner) || text.eq_ignore_ascii_case(handle.as_str())
        };
        let named = |user: &&std::sync::Arc<crate::domain::user::User>| {
            is_them(user.handle.as_str())
                || user.name.as_ref().is_some_and(|name| is_them(name.as_str()))
        };
        let living = self
            .state
            .users()
            .filter(|user| user.deleted_at.is_none())
            .find(named)
            .map(|user| user.id);
        // A merged user stands for the user it was merged into.
        living.or_else(|| {
            let merged =
                self.state.users().filter(|user| user.merged_into.is_some()).find(named)?;
            let acting = self.state.acting_user(merged.id);
            self.state.user(acting).filter(|user| user.deleted_at.is_none()).map(|user| user.id)
        })
    }

    fn new_user(&mut self, owner: &str, handle: &Name) -> UserId {
        let id = UserId::of(derived(self.set, &format!("user {}", handle.as_str().to_lowercase())));
        if self.owners.values().any(|known| *known == id) {
            return id;
        }
        let mut patch =
            Patch::new(Op::Create, Entity::User, id.uuid(), None).with("handle", handle.json());
        if let Some(name) = Name::new(owner).ok().filter(|name| name.as_str() != handle.as_str()) {
            patch = patch.with("name", name.json());
        }
        self.patches.push(patch);
        self.report.push(Mark::New, Entity::User, id.uuid(), &format!("@{handle}"));
        id
    }
}

fn is_somebody(owner: &str) -> bool {
    owner.chars().any(char::is_alphanumeric) && !NOBODY.contains(&owner.to_lowercase().as_str())
}

/// Converts a name to one word: `Ana Lopez` becomes `@ana-lopez`. A word that reads as an id is not
/// a valid handle and gets the prefix `user-`.
fn handle(owner: &str) -> Option<Name> {
    let words: Vec<&str> = owner
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    let joined = if words.len() > 1 { words.join("-").to_lowercase() } else { words.concat() };
    let word = joined.trim_start_matches('@');
    if reads_as_id(word) { Name::new(&format!("user-{word}")).ok() } else { Name::new(word).ok() }
}
