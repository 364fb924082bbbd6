use std::time::Duration;

use markt_test_support::entropy::MachineEntropy;

use super::*;

const CHEAP: Cost = Cost {
    memory_kib: 64,
    iterations: 1,
    parallelism: 1,
    max_concurrent: NonZeroUsize::new(2).unwrap(),
    max_queued: 8,
    upgrade: true,
};

fn hasher(cost: Cost) -> Hasher {
    Hasher::new(cost, Arc::new(MachineEntropy)).unwrap()
}

fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

fn stored(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

#[tokio::test]
async fn a_hash_is_a_phc_string_of_argon2id_that_fits_the_column() {
    let cost = Cost { memory_kib: 19456, iterations: 2, ..CHEAP };
    let hash = hasher(cost).hash(&password("Password123")).await.unwrap();
    assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
    assert!(hash.expose().len() <= 128);
}

#[tokio::test]
async fn a_password_is_right_only_to_the_letter() {
    let hasher = hasher(CHEAP);
    let hash = hasher.hash(&password("Password123")).await.unwrap();
    assert_eq!(hasher.verify(&password("Password123"), Some(&hash)).await.unwrap(), Verdict::Right);
    for other in ["password123", "Password123 ", "Password12", ""] {
        assert_eq!(hasher.verify(&password(other), Some(&hash)).await.unwrap(), Verdict::Wrong);
    }
    assert_eq!(hasher.verify(&password("Password123"), None).await.unwrap(), Verdict::Wrong);
}

#[tokio::test]
async fn a_hash_of_another_cost_is_outdated() {
    let hash = hasher(Cost { iterations: 2, ..CHEAP }).hash(&password("Password123")).await.unwrap();
    let verdict = hasher(CHEAP).verify(&password("Password123"), Some(&hash)).await.unwrap();
    assert_eq!(verdict, Verdict::RightButOutdated);
    let keeps = hasher(Cost { upgrade: false, ..CHEAP });
    assert_eq!(keeps.verify(&password("Password123"), Some(&hash)).await.unwrap(), Verdict::Right);
}

/// Made by passlib 1.7.4 (`pbkdf2_sha256.hash`), for the password "password".
const PASSLIB: &str = "$pbkdf2-sha256$29000$lpLS2ntPSUlpLaU0plQKIQ$K9e.VRvfXraYglT/47fm5luYPuwyOohFEBAMGDDm9vQ";

#[tokio::test]
async fn a_hash_of_passlib_is_right_and_outdated() {
    let hasher = hasher(CHEAP);
    let verdict = hasher.verify(&password("password"), Some(&stored(PASSLIB))).await.unwrap();
    assert_eq!(verdict, Verdict::RightButOutdated);
    let verdict = hasher.verify(&password("Password"), Some(&stored(PASSLIB))).await.unwrap();
    assert_eq!(verdict, Verdict::Wrong);
}

/// Made by argon2-cffi 25.1.0 (`PasswordHasher().hash`), for the password "password".
const ARGON2_CFFI: &str =
    "$argon2id$v=19$m=65536,t=3,p=4$+yPKllQ2jr/JUerWz7ZOIA$Nw4qQArfPTTefjwpr7LErkS9nvMBGnsNJJrmco6kCd8";

#[tokio::test]
async fn a_hash_of_argon2_cffi_is_right_and_outdated() {
    let hasher = hasher(CHEAP);
    for (text, expected) in [("password", Verdict::RightButOutdated), ("Password", Verdict::Wrong)] {
        assert_eq!(hasher.verify(&password(text), Some(&stored(ARGON2_CFFI))).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_hash_that_was_cut_off_fits_no_password() {
    let hasher = hasher(CHEAP);
    let whole = hasher.hash(&password("password")).await.unwrap();
    let cut = |hash: &str| (1..hash.len()).map(|length| stored(&hash[..length])).collect::<Vec<_>>();
    for hash in cut(PASSLIB).into_iter().chain(cut(whole.expose())) {
        let verdict = hasher.verify(&password("password"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::Wrong, "{}", hash.expose());
    }
}

#[tokio::test]
async fn a_stored_hash_cannot_ask_for_absurd_costs() {
    let hasher = hasher(CHEAP);
    for hash in [
        "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
        "$argon2id$v=19$m=1024,t=4294967295,p=1$c2FsdHNhbHQ$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
        "$pbkdf2-sha256$4294967295$0ZrzXitFSGltTQnBWOsdew$Y11AchqV4b0sUisdZd0Xr97KWoymNE0LNNrnEgY4H9M",
    ] {
        let (password, hash) = (password("password"), stored(hash));
        let verdict = hasher.verify(&password, Some(&hash));
        let verdict = tokio::time::timeout(Duration::from_secs(5), verdict).await.unwrap().unwrap();
        assert_eq!(verdict, Verdict::Wrong);
    }
}

#[tokio::test]
async fn what_the_queue_cannot_hold_is_refused_at_once() {
    let cost = Cost { memory_kib: 4096, max_concurrent: NonZeroUsize::MIN, max_queued: 2, ..CHEAP };
    let hasher = Arc::new(hasher(cost));
    let flood: Vec<_> = (0..64)
        .map(|_| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move { hasher.hash(&password("Password123")).await })
        })
        .collect();
    let mut refused = 0;
    let mut made = 0;
    for task in flood {
        match task.await.unwrap() {
            Ok(_) => made += 1,
            Err(HashingError::Overloaded) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(made >= 2 && refused > 0, "{made} made, {refused} refused");
    assert!(hasher.hash(&password("Password123")).await.is_ok(), "the queue is empty again");
}
