//! Tells who is calling: the two ways to know, and both at once, behind one port
//! ([`Authenticator`](crate::ports::authenticator::Authenticator)).

pub mod by_either;
pub mod by_session;
pub mod by_token;
