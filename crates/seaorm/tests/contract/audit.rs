//! The audit trail beside nodes of another version.

use markt_domain::audit::{AuditEntry, AuditEvent, AuditRecord};
use markt_domain::ports::audit_log::Position;
use markt_test_support::contracts::audit_trail::AuditTrailFixture as _;
use markt_test_support::fixtures;

use crate::fixture::Fixture;

#[tokio::test]
async fn what_only_a_later_version_knows_is_a_hole_in_its_place() {
    for fixture in Fixture::both().await {
        let (trail, at) = (fixture.trail(), fixtures::now());
        let entry = |key, event| AuditEntry { key, at, request_id: None, record: AuditRecord::new(event) };
        let entries = [1, 2, 3].map(|key| entry(key, AuditEvent::LoggedOut));
        trail.append(&entries).await.unwrap();
        fixture.server.raw().await.execute("UPDATE auth_audit SET event = 'abducted' WHERE id >= 2").await;
        let read = trail.after(Position::default(), 2).await.unwrap();
        let hole = entry(2, AuditEvent::RecordsLost);
        assert_eq!(read, [(Position(1), entries[0].clone()), (Position(2), hole)]);
        assert_eq!(trail.last().await.unwrap(), Position(3));
    }
}
