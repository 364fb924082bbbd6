//! Whatever is sent, the service never fails by itself, and what it answers is JSON.

use crate::answer::Answer;
use crate::errors::{ROUTES, WITH_BODY};
use crate::raw::{exchange, request};
use crate::server::{Deployment, Server};

crate::on_both_deployments!(
    odd_targets_and_headers_are_no_ones_failure,
    odd_bodies_are_no_ones_failure,
    what_is_hardly_http_is_no_ones_failure,
);

/// Numbers that look random and are the same in every run (Knuth's MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[track_caller]
fn assert_no_failure(sent: &[u8], answer: Option<Answer>) {
    let sent = String::from_utf8_lossy(&sent[..sent.len().min(500)]);
    let answer = answer.unwrap_or_else(|| panic!("no answer to {sent}"));
    assert!(answer.status.as_u16() < 500, "{sent}\n{answer:?}");
    // What isn't HTTP, or too long to be read, doesn't come as far as the service.
    let refused_below = answer.text.is_empty() && matches!(answer.status.as_u16(), 400 | 414 | 431);
    if answer.status.is_client_error() && !refused_below {
        let error_type = answer.json()["error_type"].as_str().unwrap().to_owned();
        answer.assert_error(answer.status.as_u16(), &error_type);
    }
}

async fn odd_targets_and_headers_are_no_ones_failure(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let secret = server.secret_of("buyer1@markt.com").await;
    // One that some of these requests may well end.
    let another = server.secret_of("seller1@markt.com").await;
    let long = "x".repeat(60_000);
    let targets = [
        "?%00%ff%zz%".to_owned(),
        "?username=%ED%A0%80&everywhere=%F0%9F%98%80".to_owned(),
        "?username=a&username=b&username[]=c&everywhere=true&everywhere=maybe".to_owned(),
        "?=&&&==;;;?#".replace('#', ""),
        format!("?username={long}"),
        format!("?{}", "username=ann&".repeat(4000)),
        "/%2e%2e/%00".to_owned(),
        "/../../..".to_owned(),
        "%2F%ff".to_owned(),
    ];
    let mut headers: Vec<Vec<u8>> = vec![
        b"Cookie: ;;;=;=;markt_session;markt_session=;;  markt_session=\xff\xfe".to_vec(),
        b"Cookie: markt_session=\"x\"; markt_session=a=b=c; \x80\x81".to_vec(),
        b"Authorization: Bearer".to_vec(),
        b"Authorization: Bearer \xc3\x28".to_vec(),
        b"Authorization:".to_vec(),
        b"Origin: \xff\xff\r\nSec-Fetch-Site: \xfe".to_vec(),
        b"Origin: null\r\nOrigin: http://localhost:3000".to_vec(),
        b"Content-Type: \xff/json\r\nX-Request-Id: \xff".to_vec(),
        b"User-Agent: \xff\xfe\x80 \xf0\x9f\x98\x80".to_vec(),
        b"X-Forwarded-For: \xff, ,,;\r\nForwarded: for=\";\"".to_vec(),
        b"X-Session-Transport: \xff".to_vec(),
        b"Expect: 100-continue".to_vec(),
        format!("Cookie: markt_session={another}; markt_session={}", "é".repeat(43)).into_bytes(),
    ];
    headers.push([b"User-Agent: ", "😀".repeat(2000).as_bytes()].concat());
    headers.push([b"Cookie: ", "markt_session=x; ".repeat(500).as_bytes()].concat());
    for (method, path) in ROUTES {
        for target in std::iter::once(&String::new()).chain(&targets) {
            let line = format!("{method} /api/v1{path}{target} HTTP/1.1");
            let bytes = request(&[&line, "Host: localhost", "Content-Length: 0"], b"");
            assert_no_failure(&bytes, exchange(&server, &bytes).await);
        }
        for header in &headers {
            let mut bytes =
                format!("{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n").into_bytes();
            if !header.starts_with(b"Content-Type") {
                bytes.extend(b"Content-Type: application/json\r\n");
            }
            bytes.extend(header);
            bytes.extend(b"\r\n\r\n{}");
            assert_no_failure(&bytes, exchange(&server, &bytes).await);
        }
    }
    server.assert_alive(&secret, "buyer1").await;
}

async fn odd_bodies_are_no_ones_failure(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let values = [
        "null",
        "true",
        "-0",
        "1e308",
        "1e999",
        "-1e-400",
        "18446744073709551616",
        "0.1",
        "\"\"",
        "\" \"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"buyer\"",
        "\"seller\"",
        "\"ann@example.com\"",
        "\"Password123\"",
        "\"123456\"",
        "[]",
        "[1,2]",
        "{}",
        "{\"a\":{\"b\":[null]}}",
        "{\"buyername\":\"\\u202e\\ufeff\"}",
        "{\"shop_name\":\"\\u0301\\u200b\",\"description\":\"'\\\"\\\\\",\"category_ids\":[0,-1,2147483647]}",
        "{\"buyername\":\"x\",\"shipping_address\":{\"n\":1e308,\"\":\"\"}}",
        "{\"longitude\":-0.0,\"city\":\"\"}",
    ];
    let fields = [
        "email",
        "username",
        "password",
        "account_type",
        "phone_number",
        "address",
        "buyer_data",
        "seller_data",
        "remember",
        "verification_code",
        "code",
        "current_password",
        "new_password",
        "profile_picture",
        "buyername",
        "shipping_address",
        "shop_name",
        "description",
        "policies",
        "category_ids",
        "",
    ];
    let mut numbers = Numbers(20_260_115);
    for round in 0..600 {
        let mut pairs = Vec::new();
        for field in fields {
            if numbers.below(3) > 0 {
                pairs.push(format!("\"{field}\":{}", values[numbers.below(values.len())]));
            }
        }
        let mut body = format!("{{{}}}", pairs.join(",")).into_bytes();
        if numbers.below(4) == 0 {
            let place = numbers.below(body.len());
            body[place] = u8::try_from(numbers.below(256)).unwrap();
        }
        let (method, path) = WITH_BODY[round % WITH_BODY.len()];
        // A session of its own each time: what succeeds may well end it.
        let client = server.with_bearer(&server.secret_of("both1@markt.com").await);
        let answer = client.send_bytes(method, path, body.clone()).await;
        assert_no_failure(&body, Some(answer));
    }
    // What is valid but for one field's value comes further in.
    for name in ["buyername", "shipping_address"] {
        for (n, value) in values.iter().enumerate() {
            let email = format!("{name}{n}@example.com");
            let other = if name == "buyername" { "" } else { "\"buyername\":\"Ann\"," };
            let body = format!(
                "{{\"email\":\"{email}\",\"username\":\"{}_{n}\",\"password\":\"Password123\",\"account_type\":\"buyer\",\
                 \"buyer_data\":{{{other}\"{name}\":{value}}}}}",
                &name[..5]
            );
            let answer = server.without_cookies().post_bytes("/users/register", body.clone()).await;
            assert_no_failure(body.as_bytes(), Some(answer));
        }
    }
    server.logged_in("buyer1@markt.com").await;
}

async fn what_is_hardly_http_is_no_ones_failure(deployment: Deployment) {
    let server = Server::start(deployment).await;
    let login = "POST /api/v1/users/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let heads = [
        "GET /api/v1/status HTTP/1.0\r\n\r\n".to_owned(),
        "GET /api/v1/status HTTP/1.1\r\n\r\n".to_owned(),
        "GET http://elsewhere.example/api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "BREW /api/v1/users/login HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "get /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "GET //api//v1//status HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
        "POST /api/v1/users/login HTTP/1.1\r\nOrigin: http://[::1\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "GARBAGE\r\n\r\n".to_owned(),
        "GET /api/v1/status HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(),
        format!("{login}Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        format!("{login}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\nTrailer: x\r\n\r\n"),
        format!("{login}Content-Length: -1\r\n\r\n{{}}"),
        format!("{login}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}"),
        format!("{login}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        format!("GET /api/v1/status?{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(70_000)),
        format!("GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X-A: b\r\n".repeat(200)),
    ];
    for head in heads {
        assert_no_failure(head.as_bytes(), exchange(&server, head.as_bytes()).await);
    }
    server.logged_in("buyer1@markt.com").await;
}
