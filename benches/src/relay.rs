//! A TCP relay that makes a long way of loopback: a line of delay in each direction, without a
//! limit on the rate.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// Bytes of one read.
const CHUNK_BYTES: usize = 256 << 10;

/// Bytes and when they arrive at the other end.
type Due = (Instant, Vec<u8>);

/// Relays to `target` (`http://host:port`) with a delay of `one_way` in each direction for as long
/// as the process lives; returns the URL to speak to.
///
/// # Errors
/// When loopback has no port.
pub fn start(target: &str, one_way: Duration) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let target = target.trim_start_matches("http://").to_owned();
    thread::spawn(move || {
        for near in listener.incoming() {
            let joined = near.and_then(|near| join(near, &target, one_way));
            if let Err(error) = joined {
                eprintln!("relay: {error}");
            }
        }
    });
    Ok(url)
}

fn join(near: TcpStream, target: &str, one_way: Duration) -> io::Result<()> {
    let far = TcpStream::connect(target)?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    line(near.try_clone()?, far.try_clone()?, one_way);
    line(far, near, one_way);
    Ok(())
}

/// Reading never waits for writing, so that any number of bytes are on their way at once.
fn line(mut from: TcpStream, to: TcpStream, delay: Duration) {
    let (sender, receiver) = channel();
    thread::spawn(move || read(&mut from, &sender, delay));
    thread::spawn(move || write(to, &receiver));
}

fn read(from: &mut TcpStream, to: &Sender<Due>, delay: Duration) {
    let mut buffer = vec![0; CHUNK_BYTES];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if to.send((Instant::now() + delay, buffer[..n].to_vec())).is_err() {
            return;
        }
    }
    let _ = to.send((Instant::now() + delay, Vec::new()));
}

fn write(mut to: TcpStream, from: &Receiver<Due>) {
    for (due, bytes) in from {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
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
}
