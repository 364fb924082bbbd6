//! Counts the sessions of a store, for an operator to see what there is.

use std::collections::HashMap;
use std::time::Duration;

use crate::Timestamp;
use crate::ports::StoreError;
use crate::ports::device_recognizer::Device;
use crate::ports::session_directory::{IndexPage, PageError};
use crate::role::Role;
use crate::selector::Selector;
use crate::session::{Session, Transport};
use crate::use_cases::walk_sessions::{OnProgress, PAGE_SIZE, WalkSessions};

/// What expires within this time does so soon.
pub const SOON: Duration = Duration::from_secs(24 * 60 * 60);

/// Counts sessions.
pub struct CountSessions {
    /// What goes through all of them.
    pub walk: WalkSessions,
}

/// What a store holds.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// How many sessions have not expired.
    pub active: u64,
    /// How many have, and are there still.
    pub expired: u64,
    /// How many records in the place of sessions can't be read.
    pub unreadable: u64,
    /// The active ones by device.
    pub by_device: HashMap<Device, u64>,
    /// By role.
    pub by_role: HashMap<Role, u64>,
    /// By transport.
    pub by_transport: HashMap<Transport, u64>,
    /// The one that began first.
    pub oldest: Option<Session>,
    /// How many expire within [`SOON`] unless they are used.
    pub expiring_soon: u64,
}

impl CountSessions {
    /// Counts all of them.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn census(&self, progress: OnProgress<'_>) -> Result<Census, PageError> {
        let (mut census, everything) = (Census::default(), Selector::default());
        let soon = self.walk.clock.now().plus(SOON);
        let mut walk = self.walk.begin(&everything, None);
        while let Some(batch) = walk.next().await? {
            for stored in batch {
                let device = self.walk.devices.recognize(&stored.session.client.user_agent);
                census.count(stored.session, device, soon);
            }
            progress(walk.looked_at());
        }
        Ok(Census { expired: walk.expired(), unreadable: walk.unreadable(), ..census })
    }

    /// How many bytes they take, as far as the store can tell.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn bytes(&self) -> Result<Option<u64>, StoreError> {
        self.walk.directory.bytes().await
    }

    /// How the index of users' sessions agrees with the sessions, added up; nothing if the store has none that could be
    /// wrong.
    ///
    /// # Errors
    /// If the store can't be reached or read.
    pub async fn check_index(&self, progress: OnProgress<'_>) -> Result<Option<IndexPage>, PageError> {
        let (mut sum, mut cursor) = (IndexPage::default(), None);
        loop {
            let page = self.walk.directory.index_page(cursor.as_ref(), PAGE_SIZE).await?;
            let Some(page) = page else { return Ok(None) };
            sum.entries += page.entries;
            sum.ended += page.ended;
            sum.dangling += page.dangling;
            sum.missing += page.missing;
            sum.unreadable += page.unreadable;
            progress(sum.entries);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(Some(sum));
            }
        }
    }
}

impl Census {
    fn count(&mut self, session: Session, device: Device, soon: Timestamp) {
        self.active += 1;
        *self.by_device.entry(device).or_default() += 1;
        *self.by_role.entry(session.current_role).or_default() += 1;
        *self.by_transport.entry(session.transport).or_default() += 1;
        self.expiring_soon += u64::from(session.is_expired(soon));
        if self.oldest.as_ref().is_none_or(|oldest| session.created_at < oldest.created_at) {
            self.oldest = Some(session);
        }
    }
}
