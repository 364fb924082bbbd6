//! What the service does, one use case a file: structs over ports, with a method that does it.

pub mod authenticate;
pub mod check_username;
pub mod issue_session;
pub mod log_in;
pub mod log_out;
pub mod register;
pub mod verify_email;
