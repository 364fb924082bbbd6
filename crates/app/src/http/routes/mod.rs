//! The routes, one file each: extract, call one use case, render.

pub mod check_username;
pub mod devices;
pub mod email_verification;
pub mod login;
pub mod logout;
pub mod password;
pub mod password_reset;
pub mod profile;
pub mod reauthenticate;
pub mod register;
pub mod session;
pub mod status;
pub mod switch_role;
pub mod tokens;
pub mod verify;

mod account_data;
mod new_session;
