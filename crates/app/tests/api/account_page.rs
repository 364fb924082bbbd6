//! The account page, as it is served. What it does in a browser is tested by `cargo xtask e2e`.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Method, StatusCode};

use crate::answer::Answer;
use crate::server::{Deployment, Server};
use crate::setup::Setup;
use crate::tokens::by_tokens;

const PAGE: &str = "/account";

async fn server() -> Server {
    Server::start(Deployment::Embedded).await
}

async fn fetch(server: &Server, path: &str) -> Answer {
    Answer::of(server.client().request_at_root(Method::GET, path)).await
}

/// The texts that stand in double or single quotes behind this.
fn quoted_behind<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    let after = text.split(mark).skip(1);
    after.filter_map(|rest| rest.strip_prefix(['"', '\''])?.split(['"', '\'']).next()).collect()
}

/// The page and all that it and its files refer to, by path.
async fn files(server: &Server) -> BTreeMap<String, Answer> {
    let base: reqwest::Url = format!("http://service{PAGE}").parse().unwrap();
    let mut files = BTreeMap::new();
    let mut to_come = vec![base];
    while let Some(url) = to_come.pop() {
        assert_eq!(url.host_str(), Some("service"), "{url}");
        if files.contains_key(url.path()) {
            continue;
        }
        let answer = fetch(server, url.path()).await;
        let marks = match url.path() {
            PAGE => &["src=", "href="][..],
            path if path.starts_with(PAGE) => &["from "],
            _ => &[],
        };
        for reference in marks.iter().flat_map(|mark| quoted_behind(&answer.text, mark)) {
            // Below whatever path a proxy puts it.
            assert!(!reference.starts_with('/'), "{reference}");
            to_come.push(url.join(reference).unwrap());
        }
        files.insert(url.path().to_owned(), answer);
    }
    files
}

/// Those of them that are the page's own.
async fn own_files(server: &Server) -> BTreeMap<String, Answer> {
    let mut files = files(server).await;
    files.retain(|path, _| path.starts_with(PAGE));
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_served_with_all_that_it_refers_to() {
    let files = files(&server().await).await;
    let paths: BTreeSet<&str> = files.keys().map(String::as_str).collect();
    let expected = [
        PAGE,
        "/account/account.css",
        "/account/account.js",
        "/account/api.js",
        "/account/devices.js",
        "/account/forms.js",
        "/account/icon.svg",
        "/swagger-ui/",
    ];
    assert_eq!(paths, BTreeSet::from(expected));
    for (path, answer) in &files {
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let expected = match path.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html",
        };
        assert!(answer.header("content-type").starts_with(expected), "{path}: {}", answer.header("content-type"));
        assert!(!answer.sets_cookie(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stands_in_the_page_that_its_policy_forbids() {
    let files = own_files(&server().await).await;
    let page = &files[PAGE].text;
    assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
    let attributes = page.split_whitespace().filter_map(|word| Some(word.split_once('=')?.0));
    for attribute in attributes {
        assert!(attribute != "style" && !attribute.starts_with("on"), "{attribute}");
    }
    for tag in ["<style", "<base", "<iframe", "<object", "<embed", "javascript:", "data:", " action=", " formaction="] {
        assert!(!page.contains(tag), "{tag}");
    }
    let scripts = files.iter().filter(|(path, _)| path.ends_with(".js"));
    for (path, script) in scripts {
        for way in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", ".style", "http:/"]
        {
            assert!(!script.text.contains(way), "{path}: {way}");
        }
    }
    assert!(!files["/account/account.css"].text.contains("url("));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_to_run_nothing_else_and_to_keep_nothing_without_asking() {
    for (path, answer) in own_files(&server().await).await {
        let policy = answer.header("content-security-policy");
        let directives: BTreeSet<&str> = policy.split("; ").collect();
        let expected = [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ];
        assert_eq!(directives, BTreeSet::from(expected), "{path}");
        for (header, value) in [
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(header), value, "{path}: {header}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_file_already_is_told_so_and_nobody_else() {
    let server = server().await;
    let files = own_files(&server).await;
    let tags: BTreeSet<&str> = files.values().map(|answer| answer.header("etag")).collect();
    assert_eq!(tags.len(), files.len(), "{tags:?}");
    for (path, file) in &files {
        let tag = file.header("etag");
        assert!(tag.len() > 10 && tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        let asked = async |known: &str| {
            let request = server.client().request_at_root(Method::GET, path).header("if-none-match", known);
            Answer::of(request).await
        };
        for known in
            [tag, "*", &format!("W/{tag}"), &format!("\"other\", {tag}"), &format!("\"a\",W/\"b\" ,{tag},\"c\"")]
        {
            let answer = asked(known).await;
            assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}: {known}");
            for header in ["etag", "cache-control", "content-security-policy", "vary"] {
                assert_eq!(answer.header(header), file.header(header), "{path}: {header}");
            }
        }
        for unknown in ["", "\"other\"", tag.trim_matches('"'), &format!("{tag}\"x\"")] {
            let answer = asked(unknown).await;
            assert_eq!((answer.status, &answer.text), (StatusCode::OK, &file.text), "{path}: {unknown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_are_there_to_be_read_alone() {
    let server = server().await;
    for (path, file) in own_files(&server).await {
        let head = Answer::of(server.client().request_at_root(Method::HEAD, &path)).await;
        assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""), "{path}");
        for header in ["content-type", "content-length", "etag", "cache-control", "content-security-policy"] {
            assert_eq!(head.header(header), file.header(header), "{path}: {header}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = Answer::of(server.client().request_at_root(method, &path)).await;
            answer.assert_error(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "GET,HEAD", "{path}");
        }
    }
    fetch(&server, "/account/nothing.js").await.assert_error(404, "not_found");
    fetch(&server, "/account/mod.rs").await.assert_error(404, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_can_be_switched_off() {
    let server = Setup::of(Deployment::Embedded).await.with("MARKT_HTTP__ACCOUNT_PAGE", "false").start().await;
    let files = own_files(&self::server().await).await;
    assert!(files.len() > 5, "{files:?}");
    for path in files.keys() {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let answer = Answer::of(server.client().request_at_root(method.clone(), path)).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            if method != Method::HEAD {
                answer.assert_error(404, "not_found");
            }
        }
    }
    assert_eq!(server.client().get("/status").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_a_page_where_sessions_are_made_and_none_where_tokens_are() {
    let dual = by_tokens(Deployment::Embedded).await.with("MARKT_AUTH__MODE", "dual").start().await;
    assert_eq!(own_files(&dual).await.len(), own_files(&server().await).await.len());
    let server = by_tokens(Deployment::Embedded).await.start().await;
    for path in [PAGE, "/account/account.js", "/account/account.css"] {
        let answer = fetch(&server, path).await;
        answer.assert_error(404, "not_found");
        assert!(answer.json()["message"].as_str().unwrap().contains("auth.mode = jwt"), "{answer:?}");
    }
}
