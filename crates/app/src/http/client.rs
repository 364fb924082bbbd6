//! Who is at the other end: the peer, or whom a trusted proxy speaks for.

use std::convert::Infallible;
use std::iter::{Peekable, from_fn};
use std::net::IpAddr;
use std::str::Chars;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{FORWARDED, USER_AGENT};
use http::request::Parts;
use ipnet::IpNet;
use markt_domain::client::Client;

use super::App;
use crate::serving::peer;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The client of a request, as an extractor.
pub struct RequestClient(pub Client);

impl FromRequestParts<App> for RequestClient {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self(client(parts, &app.trusted_proxies)))
    }
}

/// The client of a request.
pub fn client(parts: &Parts, trusted_proxies: &[IpNet]) -> Client {
    seen_by(peer_address(), &parts.headers, trusted_proxies)
}

/// Whether the request names an address in the place of its peer's, and the peer isn't trusted to. Often it is a proxy that
/// should be.
pub fn is_forwarded_untrusted(parts: &Parts, trusted_proxies: &[IpNet]) -> bool {
    let is_forwarded = parts.headers.contains_key(FORWARDED) || parts.headers.contains_key(X_FORWARDED_FOR);
    is_forwarded && !is_trusted(peer_address().to_canonical(), trusted_proxies)
}

fn peer_address() -> IpAddr {
    peer().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip())
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

/// The client of a request with these headers that comes from this peer.
fn seen_by(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Client {
    let user_agent = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client::new(address(peer.to_canonical(), headers, trusted_proxies), &user_agent.unwrap_or_default())
}

/// The right-most address that is not a trusted proxy's, if the peer is one; the peer's otherwise. What stands to the
/// left of it anybody could have written.
///
/// A proxy writes `Forwarded` (RFC 7239) or `X-Forwarded-For`, and most pass the other on as it came, so that who is
/// asked for an address could write it there. Which one a proxy writes can't be seen. So if both are there, both are
/// followed, and they must lead to the same address; if they don't, nothing is known but the peer. That costs who sends
/// both in vain an address of its own, and gains it nobody else's.
fn address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let trusted = |address: &IpAddr| is_trusted(*address, trusted_proxies);
    if !trusted(&peer) {
        return peer;
    }
    let follow = |name: &str, hops: fn(&str) -> Vec<Option<IpAddr>>| {
        let lines = headers.get_all(name).iter().rev();
        let hops = lines.flat_map(|line| hops(&String::from_utf8_lossy(line.as_bytes())).into_iter().rev());
        headers.contains_key(name).then(|| farthest(peer, hops, trusted))
    };
    match (follow(FORWARDED.as_str(), forwarded), follow(X_FORWARDED_FOR, x_forwarded_for)) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(address), _) | (None, Some(address)) => address,
        (None, None) => peer,
    }
}

/// Goes from the peer from hop to hop, to the first that isn't trusted. A hop that is no address ends the search, be it
/// hidden (`unknown`, `_gateway`), left out or malformed: beyond it, nothing is known.
fn farthest(peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusted: impl Fn(&IpAddr) -> bool) -> IpAddr {
    let mut reached = peer;
    for hop in hops {
        let Some(address) = hop else { break };
        reached = address;
        if !trusted(&address) {
            break;
        }
    }
    reached
}

/// The hops of one line of `X-Forwarded-For`, the nearest one last.
fn x_forwarded_for(line: &str) -> Vec<Option<IpAddr>> {
    line.split(',').map(|element| parse_node(element.trim_matches([' ', '\t']))).collect()
}

/// The hops of one line of `Forwarded`, the nearest one last. A line that breaks the grammar anywhere has none that can
/// be told: a quotation mark too many at its beginning, where anybody can write, turns what the proxy quotes (such as
/// the `Host` that it was sent) into what it says.
fn forwarded(line: &str) -> Vec<Option<IpAddr>> {
    forwarded_elements(line).unwrap_or_else(|| vec![None])
}

fn forwarded_elements(line: &str) -> Option<Vec<Option<IpAddr>>> {
    let mut elements = Vec::new();
    let mut node: Option<String> = None;
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|&next| is_space(next)).is_some() {}
        if rest.peek().is_some_and(|&next| is_token(next)) {
            let (name, value) = forwarded_pair(&mut rest)?;
            // None may come twice (section 4).
            if name.eq_ignore_ascii_case("for") && node.replace(value).is_some() {
                return None;
            }
        }
        while rest.next_if(|&next| is_space(next)).is_some() {}
        match rest.next() {
            Some(';') => {}
            Some(',') => elements.push(node.take().and_then(|node| parse_node(&node))),
            Some(_) => return None,
            None => {
                elements.push(node.and_then(|node| parse_node(&node)));
                return Some(elements);
            }
        }
    }
}

/// `for=198.51.100.7` or `for="[2001:db8::7]:4711"`. Colons and brackets have to be quoted; not all proxies do.
fn forwarded_pair(rest: &mut Peekable<Chars<'_>>) -> Option<(String, String)> {
    let name = from_fn(|| rest.next_if(|&next| is_token(next))).collect();
    rest.next_if_eq(&'=')?;
    if rest.next_if_eq(&'"').is_none() {
        let value = from_fn(|| rest.next_if(|&next| is_token(next) || ":[]".contains(next))).collect();
        return Some((name, value));
    }
    let mut value = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((name, value)),
            '\\' => value.push(rest.next()?),
            character => value.push(character),
        }
    }
}

const fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// RFC 9110, section 5.6.2.
fn is_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

/// An address with or without a port; IPv6 with or without brackets. A port may be hidden (`_a1`). An address with a zone
/// is none: it says something to the proxy alone.
fn parse_node(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let (address, port) = match node.strip_prefix('[') {
        Some(bracketed) => {
            let (address, port) = bracketed.split_once(']')?;
            (IpAddr::V6(address.parse().ok()?), port)
        }
        None => {
            let (address, port) = node.split_at(node.find(':')?);
            (IpAddr::V4(address.parse().ok()?), port)
        }
    };
    is_port(port).then(|| address.to_canonical())
}

/// Whether this is nothing, or a colon and a port.
fn is_port(text: &str) -> bool {
    let Some(port) = text.strip_prefix(':') else { return text.is_empty() };
    match port.strip_prefix('_') {
        Some(hidden) => !hidden.is_empty() && hidden.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)),
        None => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_seen(expected: &str, headers: &[(&'static str, &str)]) {
        assert_eq!(seen("10.0.0.1", headers), expected, "{headers:?}");
    }

    fn seen(peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        address(peer.parse().unwrap(), &map, &trusted).to_string()
    }

    #[test]
    fn a_peer_on_a_socket_for_both_families_has_its_ipv4_address() {
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, "curl/8.5.0".parse().unwrap());
        headers.insert(X_FORWARDED_FOR, "198.51.100.7".parse().unwrap());
        let seen = |trusted: &str| seen_by("::ffff:10.0.0.1".parse().unwrap(), &headers, &[trusted.parse().unwrap()]);
        assert_eq!(seen("10.0.0.0/8"), Client::new("198.51.100.7".parse().unwrap(), "curl/8.5.0"));
        assert_eq!(seen("192.168.0.0/16"), Client::new("10.0.0.1".parse().unwrap(), "curl/8.5.0"));
    }

    #[test]
    fn only_a_trusted_proxy_can_speak_for_somebody_else() {
        for name in ["x-forwarded-for", "forwarded"] {
            let value = if name == "forwarded" { "for=198.51.100.7" } else { "198.51.100.7" };
            assert_eq!(seen("192.0.2.1", &[(name, value)]), "192.0.2.1");
            assert_eq!(seen("10.0.0.1", &[(name, value)]), "198.51.100.7");
            assert_eq!(seen("2001:db8::1", &[(name, value)]), "198.51.100.7");
        }
        assert_seen("10.0.0.1", &[]);
    }

    #[test]
    fn the_right_most_address_that_is_not_trusted_counts() {
        assert_seen("198.51.100.7", &[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.0.0.2")]);
        assert_seen("198.51.100.7", &[("x-forwarded-for", "1.1.1.1,198.51.100.7\t,\t10.0.0.2,10.0.0.3")]);
        assert_seen("198.51.100.7", &[("forwarded", "for=1.1.1.1, for=198.51.100.7, for=10.0.0.2;proto=https")]);
        assert_seen("10.0.0.9", &[("x-forwarded-for", "10.0.0.9, 10.0.0.2")]);
    }

    #[test]
    fn a_later_line_is_nearer() {
        for (name, spoofed, written, passed_on) in [
            ("x-forwarded-for", "1.1.1.1", "198.51.100.7", "10.0.0.2"),
            ("forwarded", "for=1.1.1.1", "for=198.51.100.7", "for=10.0.0.2"),
        ] {
            assert_seen("198.51.100.7", &[(name, spoofed), (name, written)]);
            assert_seen("198.51.100.7", &[(name, spoofed), (name, written), (name, passed_on)]);
        }
    }

    #[test]
    fn the_header_that_the_proxy_does_not_write_gains_nobody_an_address() {
        let both = |forwarded, x_forwarded_for| [("forwarded", forwarded), ("x-forwarded-for", x_forwarded_for)];
        assert_seen("10.0.0.1", &both("for=1.1.1.1", "198.51.100.7"));
        assert_seen("10.0.0.1", &both("for=198.51.100.7", "1.1.1.1"));
        assert_seen("10.0.0.1", &both("for=198.51.100.7", "198.51.100.7, 1.1.1.1"));
        for unreadable in ["", "for=", "for=unknown", "for=\"1.1.1.1"] {
            assert_seen("10.0.0.1", &both(unreadable, "198.51.100.7"));
        }
        assert_seen("10.0.0.1", &both("for=198.51.100.7", ""));
    }

    #[test]
    fn a_proxy_that_writes_both_headers_is_believed() {
        let same = [("forwarded", "for=\"[2001:db9:0::7]:4711\""), ("x-forwarded-for", "1.1.1.1, 2001:db9::7")];
        assert_seen("2001:db9::7", &same);
    }

    #[test]
    fn addresses_come_with_ports_and_brackets() {
        for (node, address) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("198.51.100.7:_a.b-1", "198.51.100.7"),
            ("2001:db9::7", "2001:db9::7"),
            ("[2001:db9::7]", "2001:db9::7"),
            ("[2001:db9::7]:4711", "2001:db9::7"),
            ("[2001:DB9::7]:_x", "2001:db9::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("[::ffff:198.51.100.7]:80", "198.51.100.7"),
        ] {
            assert_seen(address, &[("x-forwarded-for", node)]);
            assert_seen(address, &[("forwarded", &format!("proto=https;For=\"{node}\""))]);
            assert_seen(address, &[("forwarded", &format!("by=_x; FOR={node} ;proto=https"))]);
        }
    }

    #[test]
    fn a_trusted_proxy_is_one_however_its_address_is_written() {
        assert_seen("198.51.100.7", &[("x-forwarded-for", "198.51.100.7, ::ffff:10.0.0.2, [2001:db8::2]:80")]);
    }

    #[test]
    fn behind_a_node_that_is_no_address_nothing_is_believed() {
        for garbage in [
            "unknown",
            "_hidden",
            "",
            "198.51.100.7.8",
            "198.51.100.7:",
            "198.51.100.7:99999",
            "198.51.100.7:+1",
            "198.51.100.7:_",
            "198.51.100.07",
            "[::1",
            "::1]",
            "[198.51.100.7]",
            "[::1]x",
            "[::1]:",
            "fe80::1%eth0",
            "[fe80::1%3]:80",
            "198.51.100.0/24",
            "💩",
        ] {
            assert_seen("10.0.0.2", &[("x-forwarded-for", &format!("1.1.1.1, {garbage}, 10.0.0.2"))]);
            assert_seen("10.0.0.2", &[("forwarded", &format!("for=1.1.1.1, for=\"{garbage}\", for=10.0.0.2"))]);
        }
        for element in ["", "by=198.51.100.7", "proto=https", ";;"] {
            assert_seen("10.0.0.2", &[("forwarded", &format!("for=1.1.1.1, {element}, for=10.0.0.2"))]);
        }
    }

    #[test]
    fn what_is_quoted_says_nothing() {
        for line in [
            r#"for="1.1.1.1, for=2.2.2.2", for=198.51.100.7"#,
            r#"for=198.51.100.7;host="a, for=1.1.1.1""#,
            r#"for=198.51.100.7;host="a;for=1.1.1.1""#,
            r#"for=198.51.100.7;host="a\", for=1.1.1.1""#,
            r#"for=198.51.100.7;host="\\""#,
            r#"for="198\.51.100.7""#,
            r#";for=198.51.100.7;;"#,
        ] {
            assert_seen("198.51.100.7", &[("forwarded", line)]);
        }
    }

    #[test]
    fn a_line_that_breaks_the_grammar_says_nothing() {
        for line in [
            // A mark too many on the left, and a Host with a comma.
            r#"for=", for=198.51.100.7;host="a, for=1.1.1.1"#,
            r#"for=", for=198.51.100.7;host="a, for=1.1.1.1""#,
            r#"for=", for=198.51.100.7;host=", for=1.1.1.1;x=""#,
            r#"for="1.1.1.1"#,
            r#"for="1.1.1.1\"#,
            r#"for="1.1.1.1\""#,
            r#"for="1.1.1.1"1"#,
            r#"for=1.1.1.1""#,
            r#"for"1.1.1.1""#,
            "for=1.1.1.1;for=1.1.1.1",
            "for=2.2.2.2;FOR=1.1.1.1",
            "for =1.1.1.1",
            "for= 1.1.1.1",
            "for=1.1.1.1 2.2.2.2",
            "for",
            "1.1.1.1",
            "=1.1.1.1",
            "för=1.1.1.1",
        ] {
            assert_seen("10.0.0.1", &[("forwarded", line)]);
            assert_seen("10.0.0.1", &[("forwarded", "for=1.1.1.1"), ("forwarded", line)]);
            assert_seen("10.0.0.2", &[("forwarded", line), ("forwarded", "for=10.0.0.2")]);
            assert_seen("198.51.100.7", &[("forwarded", line), ("forwarded", "for=198.51.100.7")]);
        }
    }

    #[test]
    fn a_header_full_of_hops_is_gone_through() {
        let many = "10.0.0.2,".repeat(900) + "10.0.0.2";
        assert_seen("198.51.100.7", &[("x-forwarded-for", &format!("1.1.1.1,198.51.100.7,{many}"))]);
        let many = "for=10.0.0.2,".repeat(600) + "for=10.0.0.2";
        assert_seen("198.51.100.7", &[("forwarded", &format!("for=198.51.100.7,{many}"))]);
        assert_seen("10.0.0.1", &[("x-forwarded-for", &",".repeat(8192)), ("forwarded", &"\"".repeat(8192))]);
    }
}
