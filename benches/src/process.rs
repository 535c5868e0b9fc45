//! What a process takes: memory and processor time, as Linux tells.

use std::fs;

/// A tick of `/proc/PID/stat`, in milliseconds.
const TICK: f64 = 10.0;

/// What a process has in memory.
pub(crate) fn resident_kib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN)
}

/// The process itself, or the one child that does the work.
pub(crate) fn worker(process: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().next().and_then(|child| child.parse().ok()).unwrap_or(process)
}

/// The processor time that a process has used, in milliseconds.
pub(crate) fn processor_ms(process: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the program's name, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * TICK
}
