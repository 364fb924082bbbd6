//! Which servers there are, and which keys belong to which, as Sentinels or the servers of a cluster tell it.

use std::collections::BTreeMap;

use fred::types::config::Server;

/// How many slots a cluster divides the keys into.
pub(crate) const SLOTS: usize = 16_384;

/// A server that keys belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Where it is.
    pub(crate) server: Server,
    /// What it is called in its cluster.
    pub(crate) id: String,
    /// Its slots, from the first to the last of each range.
    pub(crate) slots: Vec<(u16, u16)>,
}

/// What somebody says of who has which keys.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) seen: Seen,
    /// Of several who are said to have the same, the one of the greatest epoch has it.
    pub(crate) epoch: u64,
}

/// What `CLUSTER NODES` says; `asked` is who says it, and `by_name` whether servers are known by their names.
pub(crate) fn claims_of_cluster(table: &str, asked: &Server, by_name: bool) -> Vec<Claim> {
    table.lines().filter_map(|line| claim_of_node(line, asked, by_name)).collect()
}

/// Reads `id ip:port@bus,name flags primary ping pong epoch link slots…`.
fn claim_of_node(line: &str, asked: &Server, by_name: bool) -> Option<Claim> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [id, address, flags, _, _, _, epoch, _, slots @ ..] = &words[..] else { return None };
    if !flags.split(',').any(|flag| flag == "master") {
        return None;
    }
    let (address, name) = address.split_once(',').unwrap_or((address, ""));
    let name = name.split(',').next().filter(|name| by_name && !name.is_empty());
    let (host, port) = address.split('@').next()?.rsplit_once(':')?;
    let host = match name.unwrap_or(host) {
        // It doesn't know where it is itself.
        "" => asked.host.to_string(),
        host => host.to_owned(),
    };
    let slots: Vec<_> = slots.iter().filter_map(|range| slot_range(range)).collect();
    let seen = Seen { server: Server::new(host, port.parse().ok()?), id: (*id).to_owned(), slots };
    (!seen.slots.is_empty()).then(|| epoch.parse().ok().map(|epoch| Claim { seen, epoch })).flatten()
}

/// Reads `0-5460` or `5461`, and nothing of `[5461->-id]`, which is on its way.
fn slot_range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && usize::from(last) < SLOTS).then_some((first, last))
}

/// What `SENTINEL MASTER` says, as names and values in turns.
pub(crate) fn claim_of_sentinel(words: &[String]) -> Option<Claim> {
    let fields: BTreeMap<&str, &str> = words.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let server = Server::new((*fields.get("ip")?).to_owned(), fields.get("port")?.parse().ok()?);
    let seen = Seen { server, id: String::new(), slots: all_slots() };
    Some(Claim { seen, epoch: fields.get("config-epoch")?.parse().ok()? })
}

/// The slots of who has all keys.
pub(crate) fn all_slots() -> Vec<(u16, u16)> {
    vec![(0, u16::try_from(SLOTS - 1).unwrap_or(u16::MAX))]
}

/// Who has which keys, if all this is said: for each slot, who claims it by the greatest epoch. In the order of their
/// first slots.
pub(crate) fn agree(mut claims: Vec<Claim>) -> Vec<Seen> {
    claims.sort_by_key(|claim| claim.epoch);
    let mut owners: Vec<Option<usize>> = vec![None; SLOTS];
    for (number, claim) in claims.iter().enumerate() {
        for &(first, last) in &claim.seen.slots {
            owners[usize::from(first)..=usize::from(last)].fill(Some(number));
        }
    }
    let mut all: Vec<Seen> = Vec::new();
    for (slot, owner) in (0_u16..).zip(owners) {
        let Some(owner) = owner.map(|owner| &claims[owner].seen) else { continue };
        let number = all.iter().position(|seen| seen.server == owner.server).unwrap_or_else(|| {
            all.push(Seen { slots: Vec::new(), ..owner.clone() });
            all.len() - 1
        });
        match all[number].slots.last_mut() {
            Some((_, last)) if *last + 1 == slot => *last = slot,
            _ => all[number].slots.push((slot, slot)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
        07c3 127.0.0.1:30004@31004,host4 slave 67ed 0 1426238317239 4 connected\n\
        67ed 127.0.0.1:30002@31002,host2 master - 0 1426238316232 2 connected 5461-10922 [93->-292f]\n\
        292f 127.0.0.1:30003@31003,host3,shard-id=x master,fail - 0 1426238318243 3 disconnected 10923-16383\n\
        e7d1 :30001@31001 myself,master - 0 0 1 connected 0-92 94-5460\n\
        aaaa 127.0.0.1:30009@31009 master - 0 0 9 connected\n";

    fn server(port: u16) -> Server {
        Server::new("127.0.0.1".to_owned(), port)
    }

    #[test]
    fn who_has_which_slots_is_read_from_what_a_node_says() {
        let all = agree(claims_of_cluster(TABLE, &server(30001), false));
        let seen: Vec<_> = all.iter().map(|seen| (seen.server.port, seen.slots.clone())).collect();
        let expected =
            [(30001, vec![(0, 92), (94, 5460)]), (30002, vec![(5461, 10922)]), (30003, vec![(10923, 16383)])];
        assert_eq!(seen, expected);
        assert!(all.iter().all(|seen| &*seen.server.host == "127.0.0.1"));
        let names = claims_of_cluster(TABLE, &server(30001), true).into_iter().map(|claim| claim.seen.server.host);
        assert_eq!(names.map(|name| name.to_string()).collect::<Vec<_>>(), ["host2", "host3", "127.0.0.1"]);
        assert!(claims_of_cluster("", &server(1), false).is_empty());
    }

    #[test]
    fn who_was_elected_last_has_what_several_claim() {
        let claim = |port, epoch, slots| {
            let seen = Seen { server: server(port), id: port.to_string(), slots };
            Claim { seen, epoch }
        };
        let claims = vec![claim(2, 7, vec![(10, 19)]), claim(1, 3, vec![(0, 29)]), claim(3, 1, vec![(15, 40)])];
        let all = agree(claims);
        let seen: Vec<_> = all.iter().map(|seen| (seen.server.port, seen.slots.clone())).collect();
        assert_eq!(seen, [(1, vec![(0, 9), (20, 29)]), (2, vec![(10, 19)]), (3, vec![(30, 40)])]);
    }

    #[test]
    fn the_primary_is_read_from_what_a_sentinel_says() {
        let words = ["name", "m", "ip", "10.0.0.7", "port", "6379", "config-epoch", "4", "flags", "master"];
        let words = words.map(ToOwned::to_owned);
        let claim = claim_of_sentinel(&words).unwrap();
        assert_eq!((claim.seen.server.to_string(), claim.epoch), ("10.0.0.7:6379".to_owned(), 4));
        assert_eq!(claim.seen.slots, [(0, 16383)]);
        assert!(claim_of_sentinel(&words[..6]).is_none());
    }
}
