//! What the service does, one use case a file: structs over ports, with a method that does it. Steps that several of
//! them share have a file, too.

pub mod adopt_session;
pub mod authenticate;
pub mod change_password;
pub mod check_username;
pub mod confirm_password;
pub mod count_sessions;
pub mod create_user;
pub mod devices;
pub mod edit_profile;
pub mod end_others;
pub mod exchange_token;
pub mod follow_sessions;
pub mod holder;
pub mod inspect_sessions;
pub mod issue_session;
pub mod log_in;
pub mod log_out;
pub mod mailed_codes;
pub mod reauthenticate;
pub mod refresh_tokens;
pub mod register;
pub mod reset_password;
pub mod revoke_sessions;
pub mod rotate_session;
pub mod set_active;
pub mod switch_role;
pub mod throttle;
pub mod verify_email;
pub mod walk_sessions;
