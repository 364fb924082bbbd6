//! The process itself, under the names that Prometheus' own clients give these figures.

use prometheus_client::registry::Registry;

use super::Readings;

/// Shows which version this is and, on Linux, what the process takes.
pub fn register_process(metrics: &mut Registry) {
    // Not OpenMetrics' own kind for this: whoever reads the older format doesn't know it.
    let version = Readings::gauges("markt_build_info", "Which version this is", "version");
    version.with(env!("CARGO_PKG_VERSION"), || 1.0).register(metrics);
    #[cfg(target_os = "linux")]
    linux::register(metrics);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;

    use prometheus_client::registry::Registry;
    use rustix::param::{clock_ticks_per_second, page_size};
    use rustix::process::{Resource, getrlimit};

    use crate::metrics::{count, gauge, large_number};

    pub(super) fn register(metrics: &mut Registry) {
        count(metrics, "process_cpu_seconds", "Time on the processors, of user and kernel", || ticks(&[11, 12]));
        gauge(metrics, "process_resident_memory_bytes", "Memory that is resident", resident_memory);
        gauge(metrics, "process_open_fds", "Open files", open_files);
        gauge(metrics, "process_max_fds", "Files that may be open", file_limit);
        let started = started_at();
        gauge(metrics, "process_start_time_seconds", "When the process began, in seconds since 1970", move || started);
    }

    /// These fields of `/proc/self/stat`, counted from behind the program's name, together in seconds.
    fn ticks(fields: &[usize]) -> f64 {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The name stands in brackets, and may hold anything.
        let behind_the_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let numbers: Vec<&str> = behind_the_name.split_ascii_whitespace().collect();
        let ticks = fields.iter().filter_map(|field| numbers.get(*field)?.parse::<f64>().ok());
        ticks.sum::<f64>() / large_number(clock_ticks_per_second())
    }

    fn resident_memory() -> f64 {
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages = statm.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse::<f64>().ok());
        pages.unwrap_or_default() * large_number(u64::try_from(page_size()).unwrap_or_default())
    }

    fn open_files() -> f64 {
        fs::read_dir("/proc/self/fd")
            .map_or(0.0, |files| large_number(u64::try_from(files.count()).unwrap_or_default()))
    }

    fn file_limit() -> f64 {
        getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, large_number)
    }

    fn started_at() -> f64 {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let booted = stat.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse::<f64>().ok());
        booted.unwrap_or_default() + ticks(&[19])
    }
}
