//! The routes, one file each: extract, call one use case, render.

pub mod check_username;
pub mod email_verification;
pub mod login;
pub mod logout;
pub mod profile;
pub mod register;
pub mod status;

mod new_session;
