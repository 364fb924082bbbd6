//! The audit trail beside nodes of another version.

use markt_domain::audit::{AuditEntry, AuditEvent, AuditRecord};
use markt_domain::ports::audit_log::Position;
use markt_test_support::contracts::audit_trail::AuditTrailFixture as _;
use markt_test_support::fixtures;

use crate::fixture::Fixture;

#[tokio::test]
async fn what_only_a_later_version_knows_is_passed_over() {
    for fixture in Fixture::both().await {
        let trail = fixture.trail();
        let entry = |key| {
            let record = AuditRecord::new(AuditEvent::LoggedOut);
            AuditEntry { key, at: fixtures::now(), request_id: None, record }
        };
        let entries = [1, 2, 3].map(entry);
        trail.append(&entries).await.unwrap();
        fixture.server.raw().await.execute("UPDATE auth_audit SET event = 'abducted' WHERE id = 2").await;
        let read = trail.after(Position::default(), 2).await.unwrap();
        assert_eq!(read, [(Position(1), entries[0].clone()), (Position(3), entries[2].clone())]);
    }
}
