//! Forward authentication through real gateways, by the very files of `docs/guides/forward-auth`.

/// Makes a test of each function for each gateway. nginx and Caddy are Debian's; the others have to be there already,
/// so they are tried on request: `cargo test --test api -- --ignored gateways`.
macro_rules! through_each_gateway {
    ($($name:ident),+ $(,)?) => {
        mod nginx {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Kind::Nginx).await;
            })+
        }
        mod caddy {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(super::Kind::Caddy).await;
            })+
        }
        mod traefik {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "Debian has no Traefik"]
            async fn $name() {
                super::$name(super::Kind::Traefik).await;
            })+
        }
        mod envoy {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "Debian has no Envoy"]
            async fn $name() {
                super::$name(super::Kind::Envoy).await;
            })+
        }
    };
}

mod fixture;
mod letting_in;
mod refusing;
