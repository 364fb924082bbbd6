//! What every [`UserStore`] promises.
//!
//! ```ignore
//! user_store_contract!(over_sqlite, SqliteFixture::start());
//! ```
//!
//! makes a test of each promise in a module `over_sqlite`, in the way of
//! [`session_store`](crate::contracts::session_store).

mod accounts;
mod changes;
mod creation;
mod logins;
mod lookup;
mod passwords;
mod races;
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use markt_domain::ports::user_store::UserStore;

pub use accounts::*;
pub use changes::*;
pub use creation::*;
pub use logins::*;
pub use lookup::*;
pub use passwords::*;
pub use races::*;

/// A store to be tested. It is the test's own, and begins without users. What must stay alive for it to work (a
/// temporary database) is held by the fixture, and goes with it.
#[async_trait]
pub trait UserStoreFixture: Send + Sync {
    /// The store under test; the same one each time.
    fn store(&self) -> Arc<dyn UserStore>;

    /// A new category that sellers can sell in. Its number is no less than that of any before.
    async fn new_category(&self) -> i32;
}

/// Makes a test of each promise of a user store: `user_store_contract!(module_name, future_of_fixture)`.
///
/// See [`contracts::user_store`](crate::contracts::user_store).
#[macro_export]
macro_rules! user_store_contract {
    ($name:ident, $make:expr) => {
        $crate::contract_tests! { user_store, $name, $make, [
            a_store_is_empty_until_a_user_is_made,
            an_unknown_user_is_not_found,
            a_user_is_found_by_the_address_in_any_case,
            a_user_comes_with_the_hash_of_the_password,
            an_address_that_is_only_like_anothers_finds_nobody,
            a_username_is_taken_in_any_case,
            a_username_that_is_only_like_anothers_is_free,
            a_created_buyer_is_found_whole,
            a_created_seller_is_found_whole,
            a_user_can_be_both_buyer_and_seller,
            what_is_left_out_stays_absent,
            an_address_without_any_part_is_an_address,
            what_create_returns_is_what_is_found,
            odd_texts_come_back_as_they_were,
            a_taken_address_is_refused_in_any_case_and_nothing_written,
            a_taken_username_is_refused_in_any_case_and_nothing_written,
            a_taken_id_is_refused_and_its_user_left_alone,
            unknown_categories_are_named_and_nothing_written,
            shops_of_the_same_name_have_slugs_of_their_own,
            a_shop_has_a_slug_whatever_its_name,
            a_login_is_written_down,
            a_network_is_known_once_its_user_has_logged_in_from_it,
            a_network_is_known_of_who_has_registered_from_it,
            networks_of_ipv6_are_known_by_their_first_half,
            the_last_networks_are_known_and_older_ones_forgotten,
            a_password_is_found_by_its_users_id,
            a_hash_is_replaced_if_it_is_still_the_old_one,
            a_changed_password_begins_an_epoch_that_one_session_outlives,
            a_password_that_is_another_by_now_is_not_changed,
            a_reset_password_ends_every_session_and_proves_the_address,
            a_proven_address_is_written_down,
            what_a_change_of_the_user_names_is_changed,
            a_change_of_nothing_changes_nothing,
            a_user_is_made_active_and_inactive,
            a_new_session_epoch_follows_the_last,
            the_session_that_outlives_an_epoch_is_the_one_that_was_named_last,
            the_session_that_outlived_an_epoch_can_be_forgotten,
            each_change_counts_the_version_up_by_one,
            changes_of_an_unknown_user_change_nothing,
            changes_of_one_user_leave_the_others,
            a_seller_becomes_a_buyer_too,
            a_buyer_becomes_a_seller_too,
            an_account_that_is_there_is_not_made_again,
            without_a_user_there_is_no_account,
            an_account_that_is_not_there_cant_be_changed,
            what_a_change_of_a_buyer_names_is_changed,
            what_a_change_of_a_seller_names_is_changed,
            a_sellers_categories_are_replaced,
            with_unknown_categories_no_account_is_made_or_changed,
            of_many_users_with_one_address_one_is_made,
            of_many_users_with_one_username_one_is_made,
            of_many_users_with_one_id_one_is_made,
            of_many_shops_with_one_name_all_are_made,
            of_many_replacements_of_one_hash_one_happens,
            of_many_accounts_of_one_user_one_is_made,
            of_many_changes_of_one_password_one_happens,
            concurrent_changes_lose_no_version,
            of_many_logins_from_here_and_there_none_is_lost,
            concurrent_epochs_are_all_different,
        ] }
    };
}
