//! The API's own pages, served from the binary.

use reqwest::{Method, StatusCode};

use crate::answer::Answer;
use crate::server::{Deployment, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_are_served_with_all_that_they_need_and_show_our_document() {
    let server = Server::start(Deployment::Embedded).await;
    let fetch = async |path: &str| Answer::of(server.client().request_at_root(Method::GET, path)).await;
    for path in ["/swagger-ui", "/swagger-ui/", "/swagger-ui/index.html"] {
        let page = fetch(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}: {}", page.header("content-type"));
        assert!(page.text.contains("swagger-ui"), "{page:?}");
    }
    let page = fetch("/swagger-ui/").await;
    let attributes = page
        .text
        .split(['"', '\''])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".png"));
    let assets: Vec<&str> = attributes.map(|asset| asset.trim_start_matches("./")).collect();
    assert!(assets.len() >= 4, "{assets:?}");
    for asset in &assets {
        // Nothing comes from elsewhere: the page's own policy would forbid it.
        assert!(!asset.contains("//"), "{asset}");
        let answer = fetch(&format!("/swagger-ui/{asset}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{asset}");
        assert!(!answer.text.is_empty(), "{asset}");
        let content_type = answer.header("content-type");
        let fits = match asset.rsplit('.').next() {
            Some("js") => content_type.contains("javascript"),
            Some("css") => content_type.starts_with("text/css"),
            _ => content_type.starts_with("image/png"),
        };
        assert!(fits, "{asset}: {content_type}");
    }
    let initializer = assets.iter().find(|asset| asset.contains("initializer")).unwrap();
    let script = fetch(&format!("/swagger-ui/{initializer}")).await.text;
    assert!(script.contains("\"/api/v1/openapi.json\""), "{script}");
    assert!(!script.contains("petstore"), "{script}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_run_scripts_of_their_own_only() {
    let server = Server::start(Deployment::Embedded).await;
    let page = Answer::of(server.client().request_at_root(Method::GET, "/swagger-ui/")).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'self'") && !policy.contains("script-src"), "{policy}");
    // Such a policy lets no script run that stands in the page itself.
    let inline =
        page.text.split("<script").skip(1).filter(|script| !script.split('>').next().unwrap().contains("src="));
    assert_eq!(inline.count(), 0, "{}", page.text);
    let missing = Answer::of(server.client().request_at_root(Method::GET, "/swagger-ui/nothing.js")).await;
    missing.assert_error(404, "not_found");
}
