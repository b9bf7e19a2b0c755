//! The machine that figures were made on. Deliberately absent: its name and its paths.

use std::fs;

/// Cores, memory and kernel in a line.
pub(crate) fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|total| total.trim_end_matches(" kB").parse::<u64>().ok())
        .map_or(0, |kilobytes| (kilobytes + (1 << 19)) >> 20);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // What a vendor appends to the version is the machine's affair.
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores ({model}), {memory} GiB, Linux {kernel}")
}

/// Processes that wanted a core over the last minute.
pub(crate) fn load() -> f64 {
    let all = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = all.split(' ').next().and_then(|first| first.parse().ok());
    first.unwrap_or(f64::NAN)
}

/// Bytes of this process in memory.
pub(crate) fn resident() -> u64 {
    bytes_of("self", "VmRSS")
}

/// Bytes of a process in memory.
pub(crate) fn resident_of(pid: u32) -> u64 {
    bytes_of(&pid.to_string(), "VmRSS")
}

/// The most bytes of a process in memory since its peak was forgotten.
pub(crate) fn peak_of(pid: u32) -> u64 {
    bytes_of(&pid.to_string(), "VmHWM")
}

/// Lets the peak of a process begin at what is in memory now.
pub(crate) fn forget_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("Linux forgets a peak");
}

/// What a process has worked so far, in hundredths of a second.
pub(crate) fn ticks_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there");
    let (_, fields) = stat.rsplit_once(") ").expect("its name stands in brackets");
    let spent = fields.split(' ').skip(11).take(2);
    spent.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

fn bytes_of(process: &str, name: &str) -> u64 {
    let status = format!("/proc/{process}/status");
    let kilobytes = field(&status, name).expect("Linux says what is resident");
    let number = kilobytes.trim_end_matches(" kB").parse::<u64>();
    number.expect("a number of kilobytes") << 10
}

fn field(file: &str, name: &str) -> Option<String> {
    let all = fs::read_to_string(file).ok()?;
    let line = all.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
