//! A TCP relay that makes a long way of loopback: a line of delay in each direction, at a rate where one
//! is given, and a count of all bytes that passed.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Bytes of one read where there is no rate.
const CHUNK_BYTES: usize = 256 << 10;
/// At a rate a read takes no more than goes out in a part of a second.
const CHUNKS_A_SECOND: u64 = 1_000;
/// What a router holds at least, in time.
const LEAST_QUEUE: Duration = Duration::from_millis(1);
/// Bytes of a packet: a read takes no less.
const PACKET_BYTES: usize = 1448;

/// Bytes and when they arrive at the other end.
type Due = (Instant, Vec<u8>);

/// What the way is like.
#[derive(Clone, Copy, Debug, Default)]
pub struct Way {
    /// How long each byte takes, in each direction.
    pub one_way: Duration,
    /// Bytes a second in each direction, of all connections together.
    pub bytes_per_second: Option<u64>,
    /// Whether a connection takes a round trip to come up, as TCP's does. Who connects does not see it:
    /// its first bytes are late by as much.
    pub handshakes: bool,
}

/// What passed, of all connections.
#[derive(Debug, Default)]
pub struct Passed {
    /// Bytes from those who connect.
    pub up: AtomicU64,
    /// Bytes to them.
    pub down: AtomicU64,
    /// Times that one who connects spoke for the first time, or again after it had heard something.
    pub turns: AtomicU64,
    /// Connections.
    pub connections: AtomicU64,
}

/// Relays to `target` (`http://host:port`) with a delay of `one_way` in each direction for as long
/// as the process lives; returns the URL to speak to.
///
/// # Errors
/// When loopback has no port.
pub fn start(target: &str, one_way: Duration) -> io::Result<String> {
    let way = Way { one_way, ..Way::default() };
    start_way(target.trim_start_matches("http://"), way).map(|(at, _)| format!("http://{at}"))
}

/// Relays to `target` (`host:port`) over such a way for as long as the process lives; returns the address
/// to connect to, and what passes.
///
/// # Errors
/// When loopback has no port.
pub fn start_way(target: &str, way: Way) -> io::Result<(String, Arc<Passed>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (at, target) = (listener.local_addr()?.to_string(), target.to_owned());
    let passed = Arc::<Passed>::default();
    let (up, down) = (Link::new(way), Link::new(way));
    let counted = Arc::clone(&passed);
    thread::spawn(move || {
        for near in listener.incoming() {
            let links = (Arc::clone(&up), Arc::clone(&down));
            let joined = near.and_then(|near| join(near, &target, links, &counted));
            if let Err(error) = joined {
                eprintln!("relay: {error}");
            }
        }
    });
    Ok((at, passed))
}

/// One direction of a way.
struct Link {
    way: Way,
    /// When all that was taken up to now has gone out.
    free: Mutex<Instant>,
}

impl Link {
    fn new(way: Way) -> Arc<Self> {
        Arc::new(Self { way, free: Mutex::new(Instant::now()) })
    }

    fn chunk_bytes(&self) -> usize {
        let rate = self.way.bytes_per_second.unwrap_or(u64::MAX);
        let bytes = usize::try_from(rate / CHUNKS_A_SECOND).unwrap_or(usize::MAX);
        bytes.clamp(PACKET_BYTES, CHUNK_BYTES)
    }

    /// When bytes that come at `now` have gone out.
    fn out(&self, now: Instant, bytes: usize) -> Instant {
        let Some(rate) = self.way.bytes_per_second else { return now };
        let takes = Duration::from_secs_f64(bytes as f64 / rate as f64);
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (*free).max(now) + takes;
        *free
    }

    /// As a router does, it holds what goes out within a round trip: the sender feels the rate.
    fn wait(&self, out: Instant) {
        let queue = (2 * self.way.one_way).max(LEAST_QUEUE);
        thread::sleep(out.saturating_duration_since(Instant::now() + queue));
    }
}

/// One direction of a connection.
struct Line {
    link: Arc<Link>,
    passed: Arc<Passed>,
    up: bool,
    /// Whether the side that connected has heard something since it spoke; at first as if it had.
    heard: Arc<AtomicBool>,
    /// Nothing was on its way before.
    not_before: Instant,
}

fn join(
    near: TcpStream,
    target: &str,
    (up, down): (Arc<Link>, Arc<Link>),
    passed: &Arc<Passed>,
) -> io::Result<()> {
    near.set_nodelay(true)?;
    passed.connections.fetch_add(1, Relaxed);
    let (way, accepted, target) = (up.way, Instant::now(), target.to_owned());
    let handshake = if way.handshakes { 2 * way.one_way } else { Duration::ZERO };
    let not_before = accepted + handshake;
    let heard = Arc::new(AtomicBool::new(true));
    let (up, down) = [(up, true), (down, false)]
        .map(|(link, up)| {
            let (passed, heard) = (Arc::clone(passed), Arc::clone(&heard));
            Line { link, passed, up, heard, not_before }
        })
        .into();
    let (sender, receiver) = channel();
    let from = near.try_clone()?;
    thread::spawn(move || read(from, &sender, &up));
    // The last packet of the handshake has to arrive before the other side knows of it.
    let arrives = if way.handshakes { not_before + way.one_way } else { accepted };
    thread::spawn(move || {
        thread::sleep(arrives.saturating_duration_since(Instant::now()));
        if let Err(error) = join_far(near, &target, receiver, down) {
            eprintln!("relay: {error}");
        }
    });
    Ok(())
}

fn join_far(near: TcpStream, target: &str, up: Receiver<Due>, down: Line) -> io::Result<()> {
    let far = TcpStream::connect(target).inspect_err(|_| {
        // The half that is read from is another handle, which would keep it open.
        let _ = near.shutdown(Shutdown::Both);
    })?;
    far.set_nodelay(true)?;
    let to = far.try_clone()?;
    thread::spawn(move || write(to, &up, None));
    let (sender, receiver) = channel();
    let heard = Arc::clone(&down.heard);
    thread::spawn(move || read(far, &sender, &down));
    write(near, &receiver, Some(&heard));
    Ok(())
}

/// Reading never waits for writing, so that any number of bytes are on their way at once.
fn read(mut from: TcpStream, to: &Sender<Due>, line: &Line) {
    let mut buffer = vec![0; line.link.chunk_bytes()];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        line.count(n);
        let out = line.link.out(Instant::now().max(line.not_before), n);
        if to.send((out + line.link.way.one_way, buffer[..n].to_vec())).is_err() {
            return;
        }
        line.link.wait(out);
    }
    let out = line.link.out(Instant::now().max(line.not_before), 0);
    let _ = to.send((out + line.link.way.one_way, Vec::new()));
}

impl Line {
    fn count(&self, bytes: usize) {
        let counter = if self.up { &self.passed.up } else { &self.passed.down };
        counter.fetch_add(bytes as u64, Relaxed);
        if self.up && self.heard.swap(false, Relaxed) {
            self.passed.turns.fetch_add(1, Relaxed);
        }
    }
}

fn write(mut to: TcpStream, from: &Receiver<Due>, heard: Option<&AtomicBool>) {
    for (due, bytes) in from {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
        if let Some(heard) = heard {
            heard.store(true, Relaxed);
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_takes_two_delays_however_much_is_on_its_way() {
        let echo = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let target = format!("http://{}", echo.local_addr().expect("bound"));
        thread::spawn(move || {
            let (mut peer, _) = echo.accept().expect("the relay connects");
            let mut back = peer.try_clone().expect("a second handle");
            io::copy(&mut peer, &mut back).expect("an echo");
            back.shutdown(Shutdown::Write)
        });
        let delay = Duration::from_millis(50);
        let url = start(&target, delay).expect("loopback");
        let mut here = TcpStream::connect(url.trim_start_matches("http://")).expect("the relay");
        let (begun, sent) = (Instant::now(), vec![7; 1 << 20]);
        let mut there = here.try_clone().expect("a second handle");
        let whole = sent.clone();
        thread::spawn(move || {
            there.write_all(&whole).expect("the relay reads");
            there.shutdown(Shutdown::Write)
        });
        let mut got = Vec::new();
        here.read_to_end(&mut got).expect("the echo");
        assert_eq!(got, sent);
        assert!((2 * delay..20 * delay).contains(&begun.elapsed()));
    }

    /// Reads a line and answers with so many bytes, once for each connection.
    fn answering(bytes: usize) -> String {
        let server = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let target = server.local_addr().expect("bound").to_string();
        thread::spawn(move || {
            for peer in server.incoming() {
                let mut peer = peer.expect("the relay connects");
                peer.read_exact(&mut [0; 4]).expect("four bytes");
                peer.write_all(&vec![1; bytes]).expect("the relay reads");
            }
        });
        target
    }

    fn ask(at: &str, bytes: usize) -> Duration {
        let begun = Instant::now();
        let mut here = TcpStream::connect(at).expect("the relay");
        here.write_all(b"ask\n").expect("the relay reads");
        let mut got = Vec::new();
        here.read_to_end(&mut got).expect("the answer");
        assert_eq!(got.len(), bytes);
        begun.elapsed()
    }

    #[test]
    fn a_rate_takes_its_time_and_all_is_counted() {
        const BYTES: usize = 200_000;
        let one_way = Duration::from_millis(20);
        let way = Way { one_way, bytes_per_second: Some(1_000_000), handshakes: true };
        let (at, passed) = start_way(&answering(BYTES), way).expect("loopback");
        let took = ask(&at, BYTES) + ask(&at, BYTES);
        let least = 2 * (4 * one_way + Duration::from_millis(200));
        assert!((least..20 * least).contains(&took), "{took:?}");
        let counted = [&passed.up, &passed.down, &passed.turns, &passed.connections];
        assert_eq!(counted.map(|counter| counter.load(Relaxed)), [8, 2 * BYTES as u64, 2, 2]);
    }
}
