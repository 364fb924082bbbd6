//! `markt-auth serve`

#[cfg(unix)]
use std::task::Poll;

use futures_util::{Stream, stream};

use super::Outcome;
use super::output::say;
use crate::application::Application;
use crate::config::Config;
use crate::config::values::{Environment, Value as _};
use crate::demo;
use crate::wiring::Surroundings;

/// Serves until the process is told to end.
pub async fn serve(config: &Config, surroundings: &Surroundings, with_demo: bool) -> Outcome {
    if with_demo && config.env == Environment::Production {
        return Err("--demo: not in production, where everybody would know the accounts' password".into());
    }
    warn_of_keys_without_effect(config);
    let application = Application::build(config, surroundings, with_demo).await?;
    let address = application.address()?;
    tracing::info!(
        %address,
        admin_address = %application.admin_address()?,
        env = config.env.as_str(),
        users = %config.database_url,
        sessions = %config.redis_url.as_ref().unwrap_or(&config.database_url),
        "serving"
    );
    if with_demo {
        say(demo::tour(address, config.has_account_page()))?;
    }
    application.run(told_to_end()?).await;
    tracing::info!("ended");
    Ok(())
}

fn warn_of_keys_without_effect(config: &Config) {
    let mode = config.auth.mode;
    let set = config.shown.iter().filter(|shown| shown.origin != "default");
    for shown in set.filter(|shown| mode.ignores(&shown.key)) {
        let value = shown.value.clone().shown();
        tracing::warn!(key = shown.key, value, "auth.mode" = mode.as_str(), "has no effect in this mode");
    }
}

/// An item for each SIGINT (Ctrl-C) and SIGTERM.
#[cfg(unix)]
fn told_to_end() -> std::io::Result<impl Stream<Item = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(stream::poll_fn(move |context| {
        // Both are asked, or the one that isn't would wake nobody.
        let told = [interrupt.poll_recv(context), terminate.poll_recv(context)];
        if told.iter().any(Poll::is_ready) { Poll::Ready(Some(())) } else { Poll::Pending }
    }))
}

/// An item for each Ctrl-C.
#[cfg(not(unix))]
fn told_to_end() -> std::io::Result<impl Stream<Item = ()>> {
    Ok(stream::unfold((), |()| async { tokio::signal::ctrl_c().await.ok().map(|()| ((), ())) }))
}
