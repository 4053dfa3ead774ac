//! Maps the owners named in a description to users.

use std::collections::BTreeMap;

use crate::domain::id::{EntityId, UserId};
use crate::domain::state::State;
use crate::domain::user::{User, reads_as_id};
use crate::domain::value::Name;
use crate::planning::plan::Node;
use crate::planning::replan::context::Context;

/// Values of an owner field that name nobody.
const NOBODY: &[&str] =
    &["tbd", "tba", "n/a", "na", "none", "nobody", "unassigned", "unknown", "open", "-", "?"];

/// The users that a plan names.
#[derive(Debug, Default)]
pub struct Owners {
    /// Users by lowercase name, as written in the description.
    ids: BTreeMap<String, UserId>,
    /// Users that do not exist yet, in the order of the description.
    pub new: Vec<NewUser>,
}

#[derive(Debug)]
pub struct NewUser {
    pub id: UserId,
    pub handle: Name,
    /// Name as written, if it differs from the handle.
    pub name: Option<Name>,
}

impl Owners {
    /// Finds the users that the plan names, and names the missing ones.
    pub fn of(context: &Context<'_>) -> Self {
        let mut owners = Self::default();
        for node in &context.plan().nodes {
            let Some(owner) =
                node.owner.as_deref().map(str::trim).filter(|owner| is_somebody(owner))
            else {
                continue;
            };
            let key = owner.to_lowercase();
            if owners.ids.contains_key(&key) {
                continue;
            }
            let Some(handle) = handle(owner) else { continue };
            let id = match known_user(context.state, owner, &handle) {
                Some(id) => id,
                None => owners.new_user(context, owner, handle),
            };
            owners.ids.insert(key, id);
        }
        owners
    }

    pub fn of_row(&self, node: &Node) -> Option<UserId> {
        self.ids.get(&node.owner.as_deref()?.trim().to_lowercase()).copied()
    }

    fn new_user(&mut self, context: &Context<'_>, owner: &str, handle: Name) -> UserId {
        let name = format!("user {}", handle.as_str().to_lowercase());
        let id = UserId::of(context.new_id(&name));
        if self.ids.values().all(|known| *known != id) {
            let name = Name::new(owner).ok().filter(|name| name.as_str() != handle.as_str());
            self.new.push(NewUser { id, handle, name });
        }
        id
    }
}

fn known_user(state: &State, owner: &str, handle: &Name) -> Option<UserId> {
    let is_them =
        |text: &str| text.eq_ignore_ascii_case(owner) || text.eq_ignore_ascii_case(handle.as_str());
    let named = |user: &&User| {
        is_them(user.handle.as_str())
            || user.name.as_ref().is_some_and(|name| is_them(name.as_str()))
    };
    let users = || state.users().map(AsRef::as_ref);
    let living = users().filter(|user| user.deleted_at.is_none()).find(named).map(|user| user.id);
    // A merged user stands for the user it was merged into.
    living.or_else(|| {
        let merged = users().filter(|user| user.merged_into.is_some()).find(named)?;
        let acting = state.acting_user(merged.id);
        state.user(acting).filter(|user| user.deleted_at.is_none()).map(|user| user.id)
    })
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
