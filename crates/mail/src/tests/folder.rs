//! Mail into a folder.

use std::path::Path;

use markt_domain::ports::mailer::Mailer as _;

use super::{clock, code, mail};
use crate::{Outbox, Transport};

fn outbox(folder: &Path) -> Outbox {
    let transport = Transport::folder(folder.join("outbox")).unwrap();
    Outbox::open("Markt <no-reply@example.com>", transport, clock()).unwrap()
}

#[tokio::test]
async fn what_was_posted_is_written_before_the_outbox_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    for _ in 0..20 {
        outbox.post(mail());
    }
    outbox.close().await;
    let files: Vec<_> = std::fs::read_dir(folder.path().join("outbox")).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 20);
    assert!(files.iter().all(|file| file.path().extension().is_some_and(|extension| extension == "eml")));
    let text = std::fs::read_to_string(files[0].path()).unwrap();
    for part in ["To: ann@example.com", "From: Markt <no-reply@example.com>", "Hello ann_lee", code().expose()] {
        assert!(text.contains(part), "{part} is missing from {text}");
    }
}

#[tokio::test]
async fn a_closed_outbox_takes_nothing_and_does_not_panic() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = outbox(folder.path());
    outbox.close().await;
    outbox.post(mail());
    outbox.close().await;
    assert_eq!(std::fs::read_dir(folder.path().join("outbox")).unwrap().count(), 0);
}
