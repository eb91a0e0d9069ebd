//! Progress bars, and totals that are found out while the work goes on already.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::output::size;

/// What a progress bar shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// What is counted beside bytes; empty where nothing is.
    pub(crate) what: &'static str,
    /// How many of them are done.
    pub(crate) done: u64,
    /// Bytes done.
    pub(crate) bytes: u64,
    /// Where the end is, by which the time left is told.
    pub(crate) total: Total,
}

/// How much there will be as far as is known; 0 where nothing is, or not yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Total {
    /// Of what is counted.
    Items(u64),
    /// Of bytes.
    Bytes(u64),
}

impl Reading {
    /// How far, and how far it goes. One unit throughout, whether the end is known yet or not: the
    /// bar measures the speed from the beginning.
    fn position(&self) -> (u64, u64) {
        let (at, end) = match self.total {
            Total::Items(end) => (self.done, end),
            Total::Bytes(end) => (self.bytes, end),
        };
        (at, if end == 0 { 0 } else { end.max(at) })
    }

    fn message(&self, spent: Duration) -> String {
        let millis = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = self.bytes.saturating_mul(1000) / millis;
        if self.what.is_empty() {
            return format!("{}, {}/s", size(self.bytes), size(rate));
        }
        let of = match self.total {
            Total::Items(end) if end > 0 => format!("/{}", end.max(self.done)),
            Total::Items(_) | Total::Bytes(_) => String::new(),
        };
        format!("{}{of} {}, {}, {}/s", self.done, self.what, size(self.bytes), size(rate))
    }
}

/// One of several things that go on at once.
pub(crate) struct Line {
    /// What tells it from the others.
    pub(crate) name: String,
    pub(crate) look: Box<dyn FnMut() -> Reading + Send>,
    /// It has ended: its line stays as it is.
    pub(crate) over: Arc<AtomicBool>,
}

/// Progress bars, if there are any; they go away when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Meter {
    /// A bar that shows what `look` says.
    pub(crate) fn begin(mut look: impl FnMut() -> Reading + Send + 'static) -> Self {
        Self::run(move |stop| draw(&mut look, stop))
    }

    /// A bar for each line, beginning with its name.
    pub(crate) fn begin_several(lines: Vec<Line>) -> Self {
        Self::run(move |stop| draw_several(lines, stop))
    }

    fn run(draw: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = thread::spawn(move || draw(&seen));
        Self { running: Some((stop, thread)) }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            stop.store(true, Relaxed);
            let _ = thread.join();
        }
    }
}

const TICK: Duration = Duration::from_millis(100);

fn draw(look: &mut impl FnMut() -> Reading, stop: &AtomicBool) {
    let bar = ProgressBar::new(0).with_style(style("{spinner} {msg}"));
    let begun = Instant::now();
    while !stop.load(Relaxed) {
        show(&bar, &look(), begun.elapsed());
        thread::sleep(TICK);
    }
    bar.finish_and_clear();
}

fn draw_several(mut lines: Vec<Line>, stop: &AtomicBool) {
    let (all, begun) = (MultiProgress::new(), Instant::now());
    let widest = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
    let bar = |line: &Line| {
        let bar = all.add(ProgressBar::new(0)).with_style(style("{prefix} {spinner} {msg}"));
        bar.with_prefix(format!("{:widest$}", line.name))
    };
    let bars: Vec<ProgressBar> = lines.iter().map(bar).collect();
    while !stop.load(Relaxed) {
        for (line, bar) in lines.iter_mut().zip(&bars) {
            show_line(bar, line, begun.elapsed());
        }
        thread::sleep(TICK);
    }
    let _ = all.clear();
}

fn show_line(bar: &ProgressBar, line: &mut Line, spent: Duration) {
    if bar.is_finished() {
        return;
    }
    show_as(bar, &(line.look)(), spent, "{prefix} {wide_bar} {msg} {eta} left");
    if line.over.load(Relaxed) {
        bar.abandon();
    }
}

fn show(bar: &ProgressBar, reading: &Reading, spent: Duration) {
    show_as(bar, reading, spent, "{wide_bar} {msg} {eta} left");
}

fn show_as(bar: &ProgressBar, reading: &Reading, spent: Duration, with_end: &str) {
    let (at, end) = reading.position();
    if end > 0 && bar.length() == Some(0) {
        bar.set_style(style(with_end));
    }
    bar.set_length(end);
    bar.set_position(at);
    bar.set_message(reading.message(spent));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A total that is found out on a thread of its own, for a bar that begins without it.
#[derive(Debug)]
pub(crate) struct Forecast {
    wanted: bool,
    total: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Forecast {
    /// A forecast that, unless it is `wanted`, never begins.
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, total: Arc::default(), stop: Arc::default() }
    }

    /// Has `find` look for the total; it is to give up once the flag is set, which happens when
    /// this is dropped. Nobody waits for it.
    pub(crate) fn begin(&self, find: impl FnOnce(&AtomicBool) -> Option<u64> + Send + 'static) {
        if !self.wanted {
            return;
        }
        let (total, stop) = (Arc::clone(&self.total), Arc::clone(&self.stop));
        let look = move || total.store(find(&stop).unwrap_or(0), Relaxed);
        // A system without another thread to give has a bar without an end.
        drop(thread::Builder::new().spawn(look));
    }

    /// The total; 0 as long as it is not known.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }
}

impl Drop for Forecast {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::{
        io,
        sync::{Mutex, mpsc::channel},
    };

    /// A terminal that remembers what was written last.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn bar(&self) -> ProgressBar {
            let target = ProgressDrawTarget::term_like(Box::new(self.clone()));
            ProgressBar::with_draw_target(Some(0), target).with_style(style("{spinner} {msg}"))
        }

        fn after(&self, bar: &ProgressBar, reading: &Reading) -> String {
            show(bar, reading, Duration::from_secs(2));
            self.0.lock().unwrap().clear();
            bar.force_draw();
            self.0.lock().unwrap().clone()
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, line: &str) -> io::Result<()> {
            self.write_str(line)
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    const HALF: Reading =
        Reading { what: "blocks", done: 30, bytes: 4 << 20, total: Total::Bytes(0) };

    #[test]
    fn the_time_left_is_shown_once_the_end_is_known() {
        let screen = Screen::default();
        let bar = screen.bar();
        let before = screen.after(&bar, &HALF);
        assert!(before.contains("30 blocks, 4.00 MiB, 2.00 MiB/s"), "{before:?}");
        assert!(!before.contains("left"), "{before:?}");
        let after = screen.after(&bar, &Reading { total: Total::Bytes(8 << 20), ..HALF });
        assert!(after.contains("30 blocks, 4.00 MiB, 2.00 MiB/s"), "{after:?}");
        assert!(after.contains(" left"), "{after:?}");
        assert_eq!((bar.position(), bar.length()), (4 << 20, Some(8 << 20)));
    }

    #[test]
    fn a_line_of_several_says_whose_it_is_and_stays_when_it_is_over() {
        let screen = Screen::default();
        let bar = screen.bar().with_style(style("{prefix} {spinner} {msg}")).with_prefix("host:1");
        let over = Arc::<AtomicBool>::default();
        let mut readings = 0;
        let look = Box::new(move || {
            readings += 1;
            Reading { done: readings, ..HALF }
        });
        let mut line = Line { name: "host:1".into(), look, over: Arc::clone(&over) };
        show_line(&bar, &mut line, Duration::from_secs(2));
        bar.force_draw();
        let shown = screen.0.lock().unwrap().clone();
        assert!(shown.contains("host:1") && shown.contains("1 blocks"), "{shown:?}");
        over.store(true, Relaxed);
        show_line(&bar, &mut line, Duration::from_secs(2));
        show_line(&bar, &mut line, Duration::from_secs(4));
        assert_eq!((bar.is_finished(), (line.look)().done), (true, 3), "it was looked at twice");
    }

    #[test]
    fn the_unit_is_the_same_before_and_after() {
        assert_eq!(HALF.position(), (4 << 20, 0));
        assert_eq!(Reading { total: Total::Items(0), ..HALF }.position(), (30, 0));
        assert_eq!(Reading { total: Total::Items(60), ..HALF }.position(), (30, 60));
    }

    #[test]
    fn more_than_was_foreseen_moves_the_end() {
        assert_eq!(Reading { total: Total::Bytes(9), ..HALF }.position(), (4 << 20, 4 << 20));
        let reading = Reading { total: Total::Items(9), ..HALF };
        assert!(reading.message(Duration::from_secs(1)).starts_with("30/30 blocks"));
    }

    #[test]
    fn a_forecast_stops_when_it_is_dropped_and_begins_only_if_wanted() {
        let (ended_to, ended) = channel();
        let forecast = Forecast::new(true);
        forecast.begin(move |stop| {
            while !stop.load(Relaxed) {
                thread::yield_now();
            }
            ended_to.send(()).ok().and(None)
        });
        assert_eq!(forecast.total(), 0);
        drop(forecast);
        ended.recv_timeout(Duration::from_secs(20)).unwrap();
        Forecast::new(false).begin(|_| unreachable!("nobody looks"));
    }

    #[test]
    fn a_forecast_comes_to_be_known() {
        let forecast = Forecast::new(true);
        forecast.begin(|_| Some(7));
        let begun = Instant::now();
        while forecast.total() == 0 && begun.elapsed() < Duration::from_secs(20) {
            thread::yield_now();
        }
        assert_eq!(forecast.total(), 7);
    }
}
