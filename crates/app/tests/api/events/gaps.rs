//! What can't be told is said to be so.

use std::time::Duration;

use serde_json::json;

use super::{Follower, alone};
use crate::on_both_deployments;
use crate::server::{Deployment, Server, public_id};

const EMAIL: &str = "buyer1@markt.com";

on_both_deployments!(
    an_unknown_place_is_a_gap_and_the_stream_goes_on_from_now,
    a_place_that_is_forgotten_is_a_gap,
    a_place_at_the_very_beginning_is_known_until_something_is_forgotten,
    records_that_were_lost_are_a_gap,
);

async fn end_one(server: &Server) -> String {
    let secret = server.secret_of(EMAIL).await;
    server.with_cookie(&secret).post_nothing("/users/logout").await.assert_status(204);
    public_id(&secret)
}

/// Makes sure that this place is a gap, and that the stream goes on nevertheless.
async fn assert_gap(server: &Server, last_id: &str) {
    let mut follower = Follower::of(server, Some(last_id)).await;
    let gap = follower.next().await;
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &"unknown_id".into()), "{last_id}");
    assert_ne!(gap.id, last_id);
    let ended = end_one(server).await;
    follower.next_of("session_ended", &ended).await;
    assert_ne!(follower.last_id, gap.id);
}

async fn an_unknown_place_is_a_gap_and_the_stream_goes_on_from_now(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let ended = end_one(&server).await;
    follower.next_of("session_ended", &ended).await;
    let (position, key) = follower.last_id.split_once('-').unwrap();
    // Of another trail, of one that went further, and of none.
    let other_key = format!("{position}-{}", key.chars().rev().collect::<String>());
    for last_id in [other_key, format!("999999-{key}"), "nonsense".to_owned(), format!("-1-{key}")] {
        assert_gap(&server, &last_id).await;
    }
    let metrics = reqwest::get(format!("{}/metrics", server.admin_url)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("\nmarkt_event_gaps_total 4\n"), "{metrics}");
}

async fn a_place_that_is_forgotten_is_a_gap(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let ended = end_one(&server).await;
    follower.next_of("session_ended", &ended).await;
    let place = follower.last_id.clone();
    let other = end_one(&server).await;
    follower.next_of("session_ended", &other).await;
    Follower::of(&server, Some(&place)).await.next_of("session_ended", &other).await;
    server.setup.execute_sql("DELETE FROM auth_audit").await;
    assert_gap(&server, &place).await;
}

async fn a_place_at_the_very_beginning_is_known_until_something_is_forgotten(deployment: Deployment) {
    let server = alone(deployment).await;
    server.setup.execute_sql("DELETE FROM auth_audit").await;
    let begin = Follower::of(&server, None).await.last_id.clone();
    let ended = end_one(&server).await;
    Follower::of(&server, Some(&begin)).await.next_of("session_ended", &ended).await;
    server.setup.execute_sql("DELETE FROM auth_audit WHERE id = 1").await;
    assert_gap(&server, &begin).await;
}

async fn records_that_were_lost_are_a_gap(deployment: Deployment) {
    let server = alone(deployment).await;
    let mut follower = Follower::of(&server, None).await;
    let refusing = match deployment {
        Deployment::Embedded => {
            "CREATE TRIGGER refuse BEFORE INSERT ON auth_audit WHEN NEW.event = 'logged_out'
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Deployment::Full => "ALTER TABLE auth_audit ADD CONSTRAINT refuse CHECK (event <> 'logged_out') NOT VALID",
    };
    server.setup.execute_sql(refusing).await;
    end_one(&server).await;
    let gap = tokio::time::timeout(Duration::from_secs(20), follower.next()).await.unwrap();
    assert_eq!((gap.name.as_str(), &gap.data["reason"]), ("gap", &json!("records_lost")));
}
