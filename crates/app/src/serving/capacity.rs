//! How many connections there may be.

/// On the admin listener, whose clients are few; apart from the public one's, so that no crowd there hides the service's
/// health.
pub const ADMIN_CONNECTIONS: usize = 64;

/// On the public listener, however many files the system allows: what bounds their memory.
const MOST: usize = 10_000;

/// Files that the public listener's connections leave for all else: stores, mail, the admin listener.
const RESERVED: usize = ADMIN_CONNECTIONS + 136;

/// On the public listener: 10,000, or what the system's limit on open files leaves for it, if that is less.
#[must_use]
pub fn public_connections() -> usize {
    open_files().map_or(MOST, within)
}

fn within(open_files: usize) -> usize {
    open_files.saturating_sub(RESERVED).max(open_files / 2).clamp(1, MOST)
}

/// How many files the process may have open; none if there is no limit.
#[cfg(unix)]
fn open_files() -> Option<usize> {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Nofile).current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn open_files() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_all_else() {
        for (open_files, connections) in
            [(1024, 824), (1_048_576, MOST), (usize::MAX, MOST), (256, 128), (1, 1), (0, 1)]
        {
            assert_eq!(within(open_files), connections, "{open_files}");
        }
    }
}
