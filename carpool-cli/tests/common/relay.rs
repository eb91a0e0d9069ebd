//! A relay that cuts what it carries.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// Relays to `url` until `bytes` have come back from there; then every connection is cut, and all
/// later ones at once. Returns the relay's URL.
pub fn cut_after(url: &str, bytes: usize) -> String {
    let to = url.strip_prefix("http://").expect("an http URL").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let here = format!("http://{}", listener.local_addr().expect("an address"));
    let left = Arc::new(AtomicUsize::new(bytes));
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let left = Arc::clone(&left);
            let Ok(far) = TcpStream::connect(&to) else { continue };
            thread::spawn(move || relay(&near, &far, &left));
        }
    });
    here
}

fn relay(near: &TcpStream, far: &TcpStream, left: &AtomicUsize) {
    thread::scope(|scope| {
        scope.spawn(|| carry(near, far, None));
        carry(far, near, Some(left));
        let _ = near.shutdown(Shutdown::Both);
        let _ = far.shutdown(Shutdown::Both);
    });
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, left: Option<&AtomicUsize>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let take = left.map_or(read, |left| {
            let before = left.fetch_update(SeqCst, SeqCst, |n| Some(n.saturating_sub(read)));
            before.unwrap_or(0).min(read)
        });
        if to.write_all(&buffer[..take]).is_err() || take < read {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
