//! Commands to Redis, past the service.

pub use markt_test_support::stores::redis_command as redis;
