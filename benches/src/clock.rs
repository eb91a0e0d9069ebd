//! Measuring time on a machine that others use too.

use std::time::Instant;

/// How long `work` takes, in seconds, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let out = work();
    (begun.elapsed().as_secs_f64(), out)
}

/// How long `work`, which keeps to this thread, has the processor, in seconds, and what it gives.
/// Others who take the processor away meanwhile are not counted, where the system tells.
pub fn timed_thread<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = thread_seconds();
    let (wall, out) = timed(work);
    let seconds = thread_seconds().zip(begun).map(|(end, begun)| end - begun);
    (seconds.unwrap_or(wall), out)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every system tells")]
fn thread_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

#[cfg(not(unix))]
const fn thread_seconds() -> Option<f64> {
    None
}

/// Processor time of all threads of this process so far, in seconds; where the system does not
/// tell, time on the wall.
#[must_use]
pub fn process_seconds() -> f64 {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
    #[cfg(not(unix))]
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0.0, |time| time.as_secs_f64())
}

/// How long `work` takes, in seconds; what it gives is dropped off the clock.
pub fn seconds<T>(work: impl FnOnce() -> T) -> f64 {
    timed(work).0
}

/// The middle of `samples`, the lower of two.
///
/// # Panics
/// When there are none.
#[must_use]
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[(samples.len() - 1) / 2]
}

/// Medians of `runs` measurements of both, taken by turns so that a busy minute of the machine
/// hits both.
pub fn by_turns(
    runs: usize,
    mut ours: impl FnMut() -> f64,
    mut limit: impl FnMut() -> f64,
) -> (f64, f64) {
    let (ours, limit) = (0..runs).map(|_| (ours(), limit())).unzip();
    (median(ours), median(limit))
}

/// The median of `runs` measurements.
pub fn repeated(runs: usize, ours: impl FnMut() -> f64) -> f64 {
    median(std::iter::repeat_with(ours).take(runs).collect())
}
