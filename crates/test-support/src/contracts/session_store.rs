//! What every [`SessionStore`] promises.
//!
//! ```ignore
//! session_store_contract!(over_redis, RedisFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_redis`. The second argument is an expression that yields a future of
//! a [`SessionStoreFixture`]; it names what is in scope where the macro stands, and is evaluated anew for each test.
//! The tests run side by side: what they share (a Redis, a database) they use with users and sessions of their own.
//! The calling crate needs `tokio`.

mod creation;
mod deletion;
mod endings;
mod epochs;
mod eviction;
mod keeping;
mod listing;
mod model;
mod replacement;
mod rotation;
mod rotation_races;
mod sequences;
mod support;
mod touching;
mod updating;
mod user_versions;

use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::ports::session_store::SessionStore;
use markt_domain::session::SessionFamily;
use markt_domain::user::{SessionEpoch, UserId, UserState, UserVersion};

pub use creation::*;
pub use deletion::*;
pub use endings::*;
pub use epochs::*;
pub use eviction::*;
pub use keeping::*;
pub use listing::*;
pub use replacement::*;
pub use rotation::*;
pub use rotation_races::*;
pub use sequences::*;
pub use touching::*;
pub use updating::*;
pub use user_versions::*;

pub(crate) use support::{created_session, found, new_session, rotate};

use crate::fixtures;

/// A store to be tested, and what writes its users' counters.
///
/// The counters of a user belong to the user store; a session store is told of them. The fixture plays the user
/// store's part: it counts, and the suite tells the session store. An adapter that keeps sessions beside the users
/// (SQL) drives its real user store here; for any other, [`UserCounters`] will do. What must stay alive for the store
/// to work (a temporary database) is held by the fixture, and goes with it.
#[async_trait]
pub trait SessionStoreFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn SessionStore>;

    /// A new user that sessions can be made for, and the user's counters, whatever they begin with.
    async fn new_user(&self) -> (UserId, UserState);

    /// Begins a new session epoch, which the session of the family `keep` outlives, in the place where the user's counters are kept
    /// (`begin_session_epoch`), and returns the counters after it. Doesn't tell the session store.
    async fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState;

    /// Changes the user in the place where users are kept (`record_login`, say), and returns the version after it.
    /// Doesn't tell the session store.
    async fn change_user(&self, user: &UserId) -> UserVersion;
}

/// Makes a test of each promise of a session store: `session_store_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::session_store`](crate::contracts::session_store).
#[macro_export]
macro_rules! session_store_contract {
    ($name:ident, $make:expr $(, $how:ident)?) => {
        $crate::contract_tests! { session_store, $name, $make, [
            a_created_session_is_found_whole,
            every_kind_of_session_is_found_as_it_was_created,
            an_unknown_session_is_not_found,
            a_taken_id_is_refused_and_the_session_with_it_left_alone,
            an_id_is_taken_for_other_users_too,
            a_session_that_has_ended_already_is_created_without_ado_and_never_comes_alive,
            of_many_creations_of_one_id_one_succeeds,
            a_deleted_session_is_gone,
            what_is_not_there_cant_be_deleted,
            a_deleted_sessions_id_is_free_again,
            deleting_a_session_leaves_the_others,
            concurrent_creations_and_deletions_lose_no_session,
            ending_an_epoch_ends_all_the_users_sessions_of_before_and_counts_them,
            ending_an_epoch_of_a_user_without_sessions_ends_none,
            ending_an_epoch_leaves_other_users_sessions,
            ending_an_epoch_leaves_the_sessions_of_the_new_one,
            an_epoch_ended_twice_is_ended_once,
            a_session_of_an_ended_epoch_cant_be_created,
            an_earlier_epochs_end_that_is_told_late_ends_nothing_more_and_forgives_nothing,
            ending_an_epoch_brings_the_users_version_with_it,
            no_session_created_while_its_epoch_ends_survives_it,
            a_kept_session_outlives_its_epoch_and_no_other_does,
            a_kept_session_ends_with_the_next_epoch,
            a_session_is_kept_however_often_it_was_rotated,
            neither_an_unknown_session_nor_a_strangers_is_kept,
            a_session_that_has_ended_isnt_kept,
            a_session_kept_twice_is_kept,
            a_change_from_before_an_epoch_cant_undo_that_a_session_was_kept,
            a_kept_session_is_there_all_the_time,
            a_session_deleted_while_it_is_kept_stays_gone,
            a_created_session_brings_its_users_version,
            a_change_of_the_user_shows_in_all_the_users_sessions,
            a_change_of_the_user_shows_in_sessions_created_later_with_an_older_copy,
            a_change_of_the_user_that_is_told_late_takes_nothing_back,
            a_change_of_the_user_leaves_sessions_of_others,
            a_change_of_the_user_changes_nothing_else_and_revives_nothing,
            a_change_of_the_user_shows_in_sessions_created_meanwhile,
            a_change_of_the_user_shows_in_sessions_changed_meanwhile,
            a_touch_moves_the_last_activity_and_the_idle_end_and_nothing_else,
            a_touch_that_comes_late_takes_nothing_back,
            a_touch_never_revives_a_session,
            an_id_that_was_rotated_away_doesnt_slide,
            a_session_that_is_used_outlives_its_first_end,
            a_touch_is_a_change_that_an_update_has_to_know_of,
            of_many_touches_at_once_the_latest_counts,
            a_session_touched_while_it_is_deleted_stays_gone,
            an_update_replaces_the_session_whole,
            an_update_of_another_revision_is_a_conflict_and_changes_nothing,
            an_update_never_revives_a_session,
            an_id_that_was_rotated_away_isnt_updated,
            an_update_leaves_the_users_version,
            of_a_hundred_updates_at_once_none_is_lost,
            a_session_updated_while_it_is_deleted_stays_gone,
            a_rotated_session_is_found_by_both_its_ids,
            an_id_that_was_rotated_away_isnt_rotated_again,
            only_the_present_revision_is_rotated,
            former_ids_lead_to_the_last_successor_by_however_many_steps,
            a_rotated_session_ends_under_all_its_ids,
            a_rotated_session_is_listed_and_counted_once,
            a_change_of_the_user_shows_through_former_ids,
            a_successors_id_that_is_taken_is_a_conflict,
            an_id_that_was_rotated_away_is_taken,
            an_id_isnt_honoured_beyond_its_grace,
            an_id_without_a_grace_is_gone_at_once,
            of_many_rotations_at_once_one_succeeds,
            rotations_of_rotated_sessions_at_once_leave_one_session,
            a_session_rotated_while_it_is_deleted_is_gone_under_both_ids,
            a_session_rotated_while_its_epoch_ends_is_gone_under_both_ids,
            a_session_rotated_while_it_outlives_its_epoch_is_kept,
            how_a_session_ended_is_told,
            how_an_epoch_ended_is_told_of_all_its_sessions,
            what_has_not_ended_has_no_ending,
            the_first_ending_counts,
            what_cant_be_deleted_leaves_no_ending,
            an_id_that_is_used_again_has_no_ending,
            a_session_that_has_ended_already_can_only_have_expired,
            a_session_that_runs_out_expires,
            an_id_that_a_session_is_rotated_to_has_no_ending,
            a_new_session_takes_the_place_of_those_that_it_replaces,
            a_session_that_isnt_created_replaces_none,
            what_is_replaced_does_not_push_others_out,
            of_many_logins_with_one_old_session_as_many_stay_as_allowed,
            a_user_has_no_more_sessions_than_allowed_and_the_first_give_way,
            a_new_session_never_gives_way_itself,
            a_lower_limit_takes_effect_with_the_next_session,
            neither_use_nor_rotation_makes_a_session_younger,
            other_users_sessions_dont_give_way,
            a_session_that_isnt_created_pushes_none_out,
            sessions_that_expired_push_none_out,
            of_many_logins_at_once_as_many_stay_as_allowed,
            a_users_sessions_are_listed_whole_and_nobody_elses,
            all_of_many_sessions_are_listed,
            what_ended_is_listed_no_more,
            any_sequence_of_operations_agrees_with_the_model,
        ] $(, $how)? }
    };
}

/// The users' counters for a fixture whose store doesn't keep the users: in memory, one user as good as another.
#[derive(Debug, Default)]
pub struct UserCounters(std::sync::Mutex<std::collections::HashMap<UserId, UserState>>);

impl UserCounters {
    /// A new user. The counters begin with different numbers, so that no adapter can mix them up unnoticed.
    #[must_use]
    pub fn new_user(&self) -> (UserId, UserState) {
        let (user, state) =
            (fixtures::user_id(), UserState { epoch: SessionEpoch(7), version: UserVersion(95), kept: None });
        self.0.lock().unwrap().insert(user.clone(), state);
        (user, state)
    }

    /// Counts the epoch up, and the version, as the end of an epoch is a change too; and notes the session that
    /// outlives it.
    #[must_use]
    pub fn begin_epoch(&self, user: &UserId, keep: Option<SessionFamily>) -> UserState {
        self.count(user, |state| {
            state.kept = keep;
            state.epoch.0 += 1;
            state.version.0 += 1;
        })
    }

    /// Counts the version up.
    #[must_use]
    pub fn change_user(&self, user: &UserId) -> UserVersion {
        self.count(user, |state| state.version.0 += 1).version
    }

    fn count(&self, user: &UserId, up: impl FnOnce(&mut UserState)) -> UserState {
        let mut users = self.0.lock().unwrap();
        let state = users.get_mut(user).expect("a user of this fixture");
        up(state);
        *state
    }
}
