//! What the machine offers, as far as defaults depend on it: memory and cores.

use std::fs;
use std::path::Path;

/// Memory taken by one reservation of one line, with its key and its place in the tables. The
/// figure is measured by `benches/`; a little is added for lines beyond the first.
pub const RESERVATION_BYTES: u64 = 320;

/// Taken where the machine does not say how much memory it has.
const MEMORY_UNKNOWN_BYTES: u64 = 1 << 30;

/// The memory this process may use: the machine's, or less where a control group limits it.
pub fn memory_bytes() -> u64 {
    let total = fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| meminfo_total(&text));
    let limit = fs::read_to_string("/proc/self/cgroup")
        .ok()
        .and_then(|text| group_limit(&text, Path::new("/sys/fs/cgroup")));
    match (total, limit) {
        (Some(total), Some(limit)) => total.min(limit),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => MEMORY_UNKNOWN_BYTES,
    }
}

/// How many reservations a quarter of that memory holds.
pub fn reservations_max() -> u64 {
    (memory_bytes() / 4 / RESERVATION_BYTES).max(1)
}

/// Cores this process may use.
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

fn meminfo_total(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1_024)
}

/// The least limit of the group that `/proc/self/cgroup` names and of the groups above it.
fn group_limit(membership: &str, root: &Path) -> Option<u64> {
    membership
        .lines()
        .filter_map(|line| group_limit_of_line(line, root))
        .min()
}

fn group_limit_of_line(line: &str, root: &Path) -> Option<u64> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, file) = match controllers {
        "" => (root.to_owned(), "memory.max"),
        "memory" => (root.join("memory"), "memory.limit_in_bytes"),
        _ => return None,
    };
    let leaf = root.join(path.trim_start_matches('/'));
    leaf.ancestors()
        .take_while(|group| group.starts_with(&root))
        .filter_map(|group| {
            fs::read_to_string(group.join(file))
                .ok()?
                .trim()
                .parse()
                .ok()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_the_groups_above_counts() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let leaf = root.path().join("pods/one");
        fs::create_dir_all(&leaf).expect("the directory is ours");
        fs::write(leaf.join("memory.max"), "max\n").expect("the directory is ours");
        fs::write(root.path().join("pods/memory.max"), "1048576\n").expect("the directory is ours");
        assert_eq!(group_limit("0::/pods/one\n", root.path()), Some(1_048_576));
        assert_eq!(group_limit("0::/\n", root.path()), None);
    }

    #[test]
    fn the_total_is_read_in_kibibytes() {
        assert_eq!(
            meminfo_total("MemTotal:       1000 kB\nMemFree: 1 kB\n"),
            Some(1_024_000)
        );
        assert_eq!(meminfo_total("nothing here"), None);
    }
}
