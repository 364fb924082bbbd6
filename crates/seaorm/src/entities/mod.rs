//! The tables, as far as this service uses them. The Markt tables may have further columns: none is ever selected that
//! doesn't stand here.

pub(crate) mod addresses;
pub(crate) mod audit;
pub(crate) mod buyers;
pub(crate) mod categories;
pub(crate) mod codes;
pub(crate) mod ended_sessions;
pub(crate) mod known_networks;
pub(crate) mod limits;
pub(crate) mod seller_categories;
pub(crate) mod sellers;
pub(crate) mod session_aliases;
pub(crate) mod sessions;
pub(crate) mod spent_tokens;
pub(crate) mod user_states;
pub(crate) mod users;
