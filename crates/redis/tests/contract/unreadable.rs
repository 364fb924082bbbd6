//! What can't be read is said to be so: it is neither nothing, nor a reason to panic.

use markt_domain::code::CodePurpose;
use markt_domain::ports::code_store::CodeStore as _;
use markt_domain::ports::session_store::SessionStore as _;
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::user::{SessionEpoch, UserState, UserVersion};
use markt_test_support::fixtures;
use markt_test_support::stores::redis_url;

use crate::raw::Raw;
use crate::{create, create_this, stores};

#[tokio::test]
async fn garbage_under_a_sessions_key_is_unreadable_and_can_be_deleted() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let other = create(&stores).await;
    let another: String = redis.send(["GET", &format!("session:{}", other.id)]).await;
    for garbage in ["", "garbage", "{}", "null", "[1]", &another[..another.len() - 1], &another] {
        let id = fixtures::session(&fixtures::user_id()).id;
        let _: () = redis.send(["SET", &format!("session:{id}"), garbage, "EX", "60"]).await;
        assert_unreadable(stores.sessions().find(&id).await);
        assert!(stores.sessions().delete(&id).await.unwrap());
        assert_eq!(stores.sessions().find(&id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn another_type_of_key_is_unreadable() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = fixtures::session(&fixtures::user_id());
    let user = &session.user_id;
    let key = format!("session:{}", session.id);
    let _: () = redis.send(["LPUSH", &key, "1"]).await;
    assert_unreadable(stores.sessions().find(&session.id).await);
    assert!(stores.sessions().delete(&session.id).await.unwrap());

    for wrong in [format!("user-sessions:{user}"), format!("user-state:{user}")] {
        let _: () = redis.send(["SET", &wrong, "1", "EX", "60"]).await;
        assert_unreadable(stores.sessions().create(&session, UserVersion(1)).await);
        assert!(!redis.exists(&key).await, "half a session was written");
        let state = UserState { epoch: SessionEpoch(1), version: UserVersion(1) };
        assert_unreadable(stores.sessions().delete_before_epoch(user, state).await);
        assert_unreadable(stores.sessions().user_changed(user, UserVersion(2)).await);
        let _: () = redis.send(["DEL", &wrong, &format!("user-state:{user}")]).await;
    }

    let code = format!("code:verify_email:{user}");
    let _: () = redis.send(["SET", &code, "1", "EX", "60"]).await;
    let (codes, purpose) = (stores.codes(), CodePurpose::VerifyEmail);
    assert_unreadable(codes.take_try(user, purpose, fixtures::now()).await);
    let hash = markt_domain::credentials::PasswordHash::new("$hash".into());
    assert_unreadable(codes.redeem(user, purpose, &hash).await);
    let _: () = redis.send(["DEL", &code]).await;
    let _: () = redis.send(["HSET", &code, "hash", "$hash"]).await;
    let _: () = redis.send(["EXPIRE", &code, "60"]).await;
    assert_unreadable(codes.take_try(user, purpose, fixtures::now()).await);
}

#[tokio::test]
async fn garbage_among_a_users_sessions_is_ended_with_them_and_in_no_ones_way() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let sessions = stores.sessions();
    let text = create(&stores).await;
    let list = fixtures::session(&text.user_id);
    let whole = fixtures::session(&text.user_id);
    create_this(&stores, &list).await;
    create_this(&stores, &whole).await;
    let (text_key, list_key) = (format!("session:{}", text.id), format!("session:{}", list.id));
    let _: () = redis.send(["SET", &text_key, "garbage", "EX", "60"]).await;
    let _: () = redis.send(["DEL", &list_key]).await;
    let _: () = redis.send(["LPUSH", &list_key, "1"]).await;

    sessions.user_changed(&text.user_id, UserVersion(8)).await.unwrap();
    let found = sessions.find(&whole.id).await.unwrap().unwrap();
    assert_eq!(found.user_version, UserVersion(8));
    assert_unreadable(sessions.find(&text.id).await);

    let state = UserState { epoch: SessionEpoch(1), version: UserVersion(9) };
    assert_eq!(sessions.delete_before_epoch(&text.user_id, state).await.unwrap(), 3);
    for id in [&text.id, &list.id, &whole.id] {
        assert_eq!(sessions.find(id).await.unwrap(), None);
    }
}

#[track_caller]
fn assert_unreadable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreadable, "{error:?}");
}
