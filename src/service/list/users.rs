//! Lists users with their open work.

use serde::Serialize;

use crate::domain::state::State;
use crate::domain::task_counts::TaskCounts;
use crate::domain::time::AsOf;
use crate::exchange::view::record::UserView;
use crate::service::{Service, ServiceError};

/// The live users.
#[derive(Clone, Debug, Serialize)]
pub struct UserList {
    pub users: Vec<UserView>,
}

impl Service {
    pub async fn list_users(&self, as_of: Option<AsOf>) -> Result<UserList, ServiceError> {
        let (state, counts) = self.task_counts(as_of).await?;
        Ok(select(&state, &counts))
    }
}

fn select(state: &State, counts: &TaskCounts) -> UserList {
    let listed = state.users().filter(|user| user.deleted_at.is_none());
    UserList { users: listed.map(|user| UserView::of(user, counts.user(user.id))).collect() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::any_record::AnyRecord;
    use crate::domain::id::{EntityId, ProjectId, UserId};
    use crate::domain::record::Record;
    use crate::domain::task::TaskStatus;
    use crate::domain::time::Minutes;
    use crate::domain::user::User;
    use crate::domain::value::Name;
    use uuid::Uuid;

    #[test]
    fn live_users_are_listed_with_their_open_work() {
        let mut state = State::default();
        let id = |number| UserId::of(Uuid::from_u128(number));
        let user = |number, handle: &str| User {
            handle: Name::new(handle).unwrap(),
            ..User::empty(id(number))
        };
        let deleted_at = chrono::DateTime::from_timestamp(0, 0);
        for user in [user(1, "ana"), User { deleted_at, ..user(2, "bob") }] {
            state.put(AnyRecord::User(Arc::new(user)));
        }
        let mut counts = TaskCounts::default();
        let project = ProjectId::of(Uuid::from_u128(9));
        counts.add(project, Some(id(1)), TaskStatus::Pending, Some(Minutes::new(90)));
        let listed = select(&state, &counts).users;
        let [ana] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!(ana.user.handle.as_str(), "ana");
        assert_eq!((ana.open_tasks, ana.open_minutes), (1, Minutes::new(90)));
    }
}
