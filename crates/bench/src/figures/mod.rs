//! The figures of the benchmark, a file for each kind.

pub(crate) mod commands;
pub(crate) mod flood;
pub(crate) mod gateway;
pub(crate) mod login;
pub(crate) mod memory;
pub(crate) mod profile;
pub(crate) mod revocation;
