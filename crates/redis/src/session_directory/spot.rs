//! Where a walk through all keys is.

use markt_domain::ports::session_directory::Cursor;

use crate::servers::{Shard, Topology};

/// How much of a server's id tells it from the one that was there before.
const ID_DIGITS: usize = 8;

/// A place among the keys of one of the servers.
///
/// Written as Redis' own cursor, and on a cluster as `<first slot>.<the server's id>.<its cursor>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    /// The server's number.
    pub(super) shard: usize,
    /// Redis' own cursor, which says nothing to another server.
    pub(super) cursor: u64,
}

impl Spot {
    /// Before the first key.
    pub(super) const fn first() -> Self {
        Self { shard: 0, cursor: 0 }
    }

    /// Nothing if it is none. If another server has the keys by now, it begins with them anew; if they were shared out
    /// otherwise, with those of the server that has the slot.
    pub(super) fn read(cursor: &Cursor, topology: &Topology) -> Option<Self> {
        let parts: Vec<&str> = cursor.as_str().split('.').collect();
        match (topology.are_many(), &parts[..]) {
            (false, [cursor]) => Some(Self { shard: 0, cursor: cursor.parse().ok()? }),
            (true, [slot, id, cursor]) => {
                let (slot, cursor): (u16, u64) = (slot.parse().ok()?, cursor.parse().ok()?);
                let shards = topology.shards();
                let shard = shards.iter().rposition(|shard| shard.first_slot() <= slot)?;
                let is_the_same = shards[shard].first_slot() == slot && short(&shards[shard]) == *id;
                Some(Self { shard, cursor: if is_the_same { cursor } else { 0 } })
            }
            _ => None,
        }
    }

    /// What comes after the keys that were found here, if Redis says so of its own; nothing after the last.
    pub(super) fn after(self, next: u64, topology: &Topology) -> Option<Self> {
        match next {
            0 if self.shard + 1 < topology.shards().len() => Some(Self { shard: self.shard + 1, cursor: 0 }),
            0 => None,
            cursor => Some(Self { cursor, ..self }),
        }
    }

    pub(super) fn to_cursor(self, topology: &Topology) -> Cursor {
        match topology.shards().get(self.shard).filter(|_| topology.are_many()) {
            Some(shard) => Cursor::new(format!("{}.{}.{}", shard.first_slot(), short(shard), self.cursor)),
            None => Cursor::new(self.cursor.to_string()),
        }
    }
}

fn short(shard: &Shard) -> &str {
    shard.seen.id.get(..ID_DIGITS).unwrap_or(&shard.seen.id)
}
