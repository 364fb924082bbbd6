//! What can't be read is said to be so: it is neither nothing, nor a reason to panic.

use std::num::NonZeroU32;
use std::time::Duration;

use markt_domain::code::CodePurpose;
use markt_domain::ports::code_store::CodeStore as _;
use markt_domain::ports::session_store::{Creation, Revision, SessionStore as _};
use markt_domain::ports::{StoreError, StoreErrorKind};
use markt_domain::session::Ending;
use markt_domain::user::UserVersion;
use markt_test_support::fixtures;
use markt_test_support::stores::redis_url;

use crate::raw::Raw;
use crate::{MANY, create, create_this, epoch, index_key, session_key, stores};

#[tokio::test]
async fn garbage_under_a_sessions_key_is_unreadable_and_can_be_deleted() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let other = create(&stores).await;
    let another: String = redis.send(["GET", &format!("session:{}", other.id)]).await;
    for garbage in ["", "garbage", "{}", "null", "[1]", &another[..another.len() - 1], &another] {
        let id = fixtures::session(&fixtures::user_id()).id;
        let _: () = redis.send(["SET", &format!("session:{id}"), garbage, "EX", "60"]).await;
        assert_unreadable(stores.sessions().find(&id).await);
        assert_eq!(stores.sessions().ending(&id).await.unwrap(), None);
        assert!(stores.sessions().delete(&id, Ending::LoggedOut).await.unwrap());
        assert_eq!(stores.sessions().find(&id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_no_session_is_not_written_to() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = fixtures::session(&fixtures::user_id());
    let successor = fixtures::session(&session.user_id);
    let key = session_key(&session);
    let (sessions, now) = (stores.sessions(), session.last_activity);
    let write_all = async || {
        assert_unreadable(sessions.touch(&session.id, now, now).await);
        assert_unreadable(sessions.update(&session, Revision(0)).await);
        assert_unreadable(sessions.rotate(&session.id, Revision(0), &successor, now).await);
        assert!(!redis.exists(&session_key(&successor)).await);
        assert!(!redis.exists(&index_key(&session.user_id)).await);
    };
    for garbage in ["", "garbage", "{}", "null"] {
        let _: () = redis.send(["SET", &key, garbage, "EX", "60"]).await;
        write_all().await;
        let after: String = redis.send(["GET", &key]).await;
        assert_eq!(after, garbage);
    }
    let _: () = redis.send(["DEL", &key]).await;
    let _: () = redis.send(["LPUSH", &key, "1"]).await;
    write_all().await;
    let _: () = redis.send(["DEL", &key]).await;
    // With an index that is none, nothing of a session changes either.
    create_this(&stores, &session).await;
    let before: String = redis.send(["GET", &key]).await;
    let _: () = redis.send(["SET", &index_key(&session.user_id), "1", "EX", "60"]).await;
    let later = now.plus(Duration::from_secs(60));
    assert_unreadable(sessions.touch(&session.id, later, later).await);
    assert_unreadable(sessions.update(&session, Revision(0)).await);
    assert_unreadable(sessions.rotate(&session.id, Revision(0), &successor, later).await);
    assert_unreadable(sessions.list(&session.user_id).await);
    let after: String = redis.send(["GET", &key]).await;
    assert_eq!(after, before);
    assert!(!redis.exists(&session_key(&successor)).await);
}

#[tokio::test]
async fn another_type_of_key_is_unreadable() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let session = fixtures::session(&fixtures::user_id());
    let user = &session.user_id;
    let key = format!("session:{}", session.id);
    let _: () = redis.send(["LPUSH", &key, "1"]).await;
    assert_unreadable(stores.sessions().find(&session.id).await);
    assert!(stores.sessions().delete(&session.id, Ending::LoggedOut).await.unwrap());

    for wrong in [format!("user-sessions:{user}"), format!("user-state:{user}")] {
        let _: () = redis.send(["SET", &wrong, "1", "EX", "60"]).await;
        assert_unreadable(stores.sessions().create(&session, UserVersion(1), MANY, &[]).await);
        assert!(!redis.exists(&key).await, "half a session was written");
        let state = epoch(1);
        assert_unreadable(stores.sessions().delete_before_epoch(user, state, None, Ending::LoggedOut).await);
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

    let listed = sessions.list(&text.user_id).await.unwrap();
    assert_eq!(listed, [found]);

    let state = epoch(1);
    assert_eq!(sessions.delete_before_epoch(&text.user_id, state, None, Ending::LoggedOut).await.unwrap(), 3);
    for id in [&text.id, &list.id, &whole.id] {
        assert_eq!(sessions.find(id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_cant_be_read_gives_way_first() {
    let (stores, redis) = (stores(&redis_url()).await, Raw::connect(&redis_url()).await);
    let (oldest, sessions) = (create(&stores).await, stores.sessions());
    let broken = fixtures::session(&oldest.user_id);
    create_this(&stores, &broken).await;
    let _: () = redis.send(["SET", &session_key(&broken), "garbage", "EX", "60"]).await;
    let newest = fixtures::session(&oldest.user_id);
    let two = NonZeroU32::new(2).unwrap();
    let creation = sessions.create(&newest, UserVersion(3), two, &[]).await.unwrap();
    assert_eq!(creation, Creation::Created { evicted: vec![broken.id] });
    assert!(sessions.find(&oldest.id).await.unwrap().is_some());
}

#[track_caller]
fn assert_unreadable<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unreadable, "{error:?}");
}
