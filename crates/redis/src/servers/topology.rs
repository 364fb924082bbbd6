//! The servers that are connected to, and which keys belong to which.

use fred::types::config::Server;
use fred::util::redis_keyslot;

use super::view::{SLOTS, Seen};
use crate::connection::Node;
use crate::keys::Keys;

/// Who is in the place of the owner where there is none.
const NOBODY: u16 = u16::MAX;

/// A server, and what belongs to it.
pub(crate) struct Shard {
    /// The connections to it.
    pub(crate) node: Node,
    pub(crate) seen: Seen,
}

impl Shard {
    /// The least of its slots.
    pub(crate) fn first_slot(&self) -> u16 {
        self.seen.slots.first().map_or(NOBODY, |(first, _)| *first)
    }

    /// A tag that belongs to it; none if all of its slots are without one, and so without sessions.
    pub(crate) fn tag(&self) -> Option<String> {
        Keys::tags().find(|tag| {
            let slot = redis_keyslot(tag.as_bytes());
            self.seen.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
        })
    }
}

/// All of them at a time.
pub(crate) struct Topology {
    shards: Vec<Shard>,
    /// The number of the shard that each slot belongs to; nothing where all belongs to one.
    owners: Option<Box<[u16]>>,
}

impl Topology {
    /// In the order of their first slots.
    pub(crate) fn new(mut shards: Vec<Shard>, is_cluster: bool) -> Self {
        shards.sort_by_key(Shard::first_slot);
        let owners = is_cluster.then(|| {
            let mut owners = vec![NOBODY; SLOTS].into_boxed_slice();
            for (number, shard) in (0..NOBODY).zip(&shards) {
                for &(first, last) in &shard.seen.slots {
                    owners[usize::from(first)..=usize::from(last)].fill(number);
                }
            }
            owners
        });
        Self { shards, owners }
    }

    /// Whether these are the servers of a cluster.
    pub(crate) fn are_many(&self) -> bool {
        self.owners.is_some()
    }

    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The number of the shard that this key belongs to; nothing while nobody has it who can be reached.
    pub(crate) fn number_of(&self, key: &[u8]) -> Option<usize> {
        let number = match &self.owners {
            None => 0,
            Some(owners) => usize::from(owners[usize::from(redis_keyslot(key)) % SLOTS]),
        };
        (number < self.shards.len()).then_some(number)
    }

    /// Whether these are connections to one of the servers still.
    pub(crate) fn has(&self, node: &Node) -> bool {
        self.shards.iter().any(|shard| shard.node.is(node))
    }

    /// The connections to this server.
    pub(crate) fn node_at(&self, server: &Server) -> Option<&Node> {
        self.shards.iter().find(|shard| shard.seen.server == *server).map(|shard| &shard.node)
    }
}
