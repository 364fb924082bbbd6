//! URLs of Redis that can't be used, at the start.

use crate::process::{assert_failed, run};
use crate::server::Deployment;
use crate::setup::Setup;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_url_that_lacks_something_stops_the_start_which_says_what_and_shows_one_that_has_it() {
    let sentinel = "redis-sentinel://host:26379?node=host2:26379&sentinelServiceName=mymaster";
    for (url, what, example) in [
        ("redis-sentinel://:hunter2@h:26379", "sentinelServiceName", sentinel),
        ("redis-sentinel://:hunter2@h:26379/mymaster", "sentinelServiceName", sentinel),
        ("rediss-sentinel://h?sentinelServiceName=", "sentinelServiceName", sentinel),
        ("redis-sentinel://:hunter2@h:26379/mymaster?sentinelServiceName=m", "number of a database", "/0"),
        ("redis-sentinel://h,h2:26379?sentinelServiceName=m", "one host", sentinel),
        ("redis-sentinel://h:26379,h2:26379?sentinelServiceName=m&sentinelPassword=hunter2", "port", sentinel),
        ("redis://:hunter2@h:99999", "port", "redis://host:6379"),
        ("redis://:hunter2@h/first", "number of a database", "redis://host:6379/0"),
        ("redis-cluster://:hunter2@h?node=h2", "host:port", "redis-cluster://host:6379?node=host2:6379"),
    ] {
        let setup = Setup::of(Deployment::Embedded).await.with("MARKT_REDIS_URL", url);
        let output = run(&setup, &["serve"]).await;
        assert_failed(&output, 1, what);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(example), "{url}: {said}");
        assert!(!said.contains("hunter2"), "{url}: {said}");
    }
}
