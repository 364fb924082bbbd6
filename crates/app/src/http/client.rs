//! Who is at the other end: the peer, or whom a trusted proxy speaks for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::header::{FORWARDED, USER_AGENT};
use http::request::Parts;
use ipnet::IpNet;
use markt_domain::client::Client;

/// The client of a request.
pub fn client(parts: &Parts, trusted_proxies: &[IpNet]) -> Client {
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| peer.ip().to_canonical());
    let user_agent = parts.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client::new(address(peer, &parts.headers, trusted_proxies), &user_agent.unwrap_or_default())
}

/// The right-most address that is not a trusted proxy's, if the peer is one; the peer's otherwise. What stands to the
/// left of it anybody could have written. A proxy that names something that is no address ends the search: beyond it,
/// nothing is known.
fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    if !trusted(&peer) {
        return peer;
    }
    let mut nearest = peer;
    for hop in hops(headers).iter().rev() {
        let Some(address) = hop.as_deref().and_then(parse_node) else { return nearest };
        nearest = address;
        if !trusted(&address) {
            break;
        }
    }
    nearest
}

/// The nodes that proxies name, the nearest one last: those of `Forwarded` (RFC 7239), if there is such a header, else
/// those of `X-Forwarded-For`.
fn hops(headers: &HeaderMap) -> Vec<Option<String>> {
    let lines = |name: &str| -> Vec<String> {
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    let forwarded = lines(FORWARDED.as_str());
    if forwarded.is_empty() {
        let elements = lines("x-forwarded-for").join(",");
        return elements.split(',').map(|element| Some(element.trim().to_owned())).collect();
    }
    let forwarded = forwarded.join(",");
    split_unquoted(&forwarded, ',').into_iter().map(for_parameter).collect()
}

fn for_parameter(element: &str) -> Option<String> {
    split_unquoted(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn split_unquoted(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|character| {
        quoted ^= character == '"';
        character == separator && !quoted
    })
    .collect()
}

/// An address with or without a port; IPv6 with or without brackets.
fn parse_node(node: &str) -> Option<IpAddr> {
    let address = node.parse::<IpAddr>().ok();
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    address.or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        address(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_can_speak_for_somebody_else() {
        assert_eq!(seen("192.0.2.1", &[("x-forwarded-for", "198.51.100.7")]), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", &[("x-forwarded-for", "198.51.100.7")]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        assert_eq!(seen("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.0.0.2")]), "198.51.100.7");
        assert_eq!(
            seen("10.0.0.1", &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7")]),
            "198.51.100.7"
        );
        assert_eq!(
            seen("10.0.0.1", &[("forwarded", "for=\"1.1.1.1, for=2.2.2.2\", for=198.51.100.7")]),
            "198.51.100.7"
        );
    }

    #[test]
    fn addresses_come_with_ports_and_brackets() {
        for (node, address) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db9::7", "2001:db9::7"),
            ("[2001:db9::7]", "2001:db9::7"),
            ("[2001:db9::7]:4711", "2001:db9::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(seen("10.0.0.1", &[("x-forwarded-for", node)]), address);
            assert_eq!(seen("10.0.0.1", &[("forwarded", &format!("proto=https;For=\"{node}\""))]), address);
        }
    }

    #[test]
    fn behind_a_node_that_is_no_address_nothing_is_believed() {
        for garbage in ["unknown", "_hidden", "", "198.51.100.7.8", "[::1", "💩"] {
            assert_eq!(seen("10.0.0.1", &[("x-forwarded-for", &format!("1.1.1.1, {garbage}, 10.0.0.2"))]), "10.0.0.2");
        }
    }
}
