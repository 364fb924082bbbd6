//! A reverse proxy of a test's own: nginx, Caddy and their like.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::programs::{free_port, on_path};
use crate::stores::own_process::OwnProcess;

/// Much more than any of them needs to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running gateway, which dies with this value.
pub struct Gateway {
    /// Ends with this; before the folder.
    _process: OwnProcess,
    folder: TempDir,
    port: u16,
}

impl Gateway {
    /// Starts this program, with the files and arguments that `prepare` gives for its folder and its port; waits until it
    /// takes connections.
    ///
    /// # Panics
    /// If the program isn't there, or doesn't come up.
    pub async fn start(
        program: &str,
        prepare: impl FnOnce(&Path, u16) -> (Vec<(&'static str, String)>, Vec<OsString>),
    ) -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port().unwrap());
        let (files, arguments) = prepare(folder.path(), port);
        for (name, contents) in files {
            std::fs::write(folder.path().join(name), contents).unwrap();
        }
        let program = on_path(program).unwrap_or_else(|| panic!("{program} isn't installed"));
        let command = [vec![program.into_os_string()], arguments].concat();
        let process = OwnProcess::start(folder.path(), None, &command);
        let gateway = Self { _process: process, folder, port };
        gateway.wait().await;
        gateway
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    async fn wait(&self) {
        let (address, started) = (SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), Instant::now());
        while TcpStream::connect(address).is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(started.elapsed() < PATIENCE, "the gateway doesn't start: {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
