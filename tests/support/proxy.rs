//! A proxy on loopback between a log and an object store, which does to requests what networks do.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Carried out and answered.
    Passed,
    /// The connection ends before anything is done.
    Refused,
    /// Not carried out, answered with this status.
    Status(u16),
    /// Carried out, and the connection ends instead of an answer.
    Unanswered,
    /// Carried out twice, answered by the second answer.
    Repeated,
    /// The connection ends, and the request arrives this much later.
    Late(Duration),
    /// Carried out and answered this much later.
    Slow(Duration),
    /// Carried out without its condition: a store that cannot fence.
    Unconditional,
}

/// Decides by the count of requests so far and the head of this one.
type Judge = Box<dyn Fn(u64, &str) -> Fate + Send>;

/// A proxy; it takes no more connections when dropped.
pub struct Proxy {
    pub url: String,
    judge: Arc<Mutex<Judge>>,
    ended: Arc<AtomicBool>,
    address: String,
}

impl Proxy {
    /// Stands before `url`, which is `http://host:port` and perhaps a path.
    pub fn before(url: &str) -> Proxy {
        let rest = url.strip_prefix("http://").unwrap();
        let (server, path) =
            rest.split_once('/').map_or((rest, String::new()), |(s, p)| (s, format!("/{p}")));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let judge: Arc<Mutex<Judge>> = Arc::new(Mutex::new(Box::new(|_, _| Fate::Passed)));
        let (ended, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let proxy = Proxy {
            url: format!("http://{address}{path}"),
            judge: judge.clone(),
            ended: ended.clone(),
            address: address.clone(),
        };
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (server, judge, count) = (server.clone(), judge.clone(), count.clone());
                let Ok(client) = client else { continue };
                // A connection that breaks is what this is for.
                thread::spawn(move || drop(serve(client, &server, &judge, &count)));
            }
        });
        proxy
    }

    /// From now on requests meet what `judge` says.
    pub fn judge(&self, judge: impl Fn(u64, &str) -> Fate + Send + 'static) {
        *self.judge.lock().unwrap() = Box::new(judge);
    }

    /// From now on all requests meet this.
    pub fn all(&self, fate: Fate) {
        self.judge(move |_, _| fate);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(&self.address));
    }
}

fn serve(mut client: TcpStream, server: &str, judge: &Mutex<Judge>, count: &AtomicU64) -> io::Result<()> {
    let (head, body) = request(&mut client)?;
    let number = count.fetch_add(1, Ordering::Relaxed);
    let fate = (judge.lock().unwrap())(number, &head);
    let forward = |head: &str| -> io::Result<Vec<u8>> {
        let mut upstream = TcpStream::connect(server)?;
        upstream.write_all(head.as_bytes())?;
        upstream.write_all(&body)?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer)?;
        Ok(answer)
    };
    let answer = match fate {
        Fate::Passed => forward(&head)?,
        Fate::Refused => return client.shutdown(Shutdown::Both),
        Fate::Status(status) => {
            let text =
                format!("HTTP/1.1 {status} On Purpose\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            text.into_bytes()
        }
        Fate::Unanswered => {
            forward(&head)?;
            return client.shutdown(Shutdown::Both);
        }
        Fate::Repeated => {
            forward(&head)?;
            forward(&head)?
        }
        Fate::Late(time) => {
            client.shutdown(Shutdown::Both)?;
            thread::sleep(time);
            return forward(&head).map(drop);
        }
        Fate::Slow(time) => {
            thread::sleep(time);
            forward(&head)?
        }
        Fate::Unconditional => {
            let lines = head.split_inclusive("\r\n");
            let kept: String = lines.filter(|line| !line.to_ascii_lowercase().starts_with("if-")).collect();
            forward(&kept)?
        }
    };
    client.write_all(&answer)?;
    client.shutdown(Shutdown::Write)
}

/// Reads one request; its head asks for the connection to be closed behind the answer.
fn request(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 << 10];
    let split = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        let n = client.read(&mut piece)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..n]);
    };
    let text = String::from_utf8_lossy(&bytes[..split]).into_owned();
    let mut head = String::new();
    let mut len = 0;
    for line in text.split("\r\n") {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") {
            head += line;
            head += "\r\n";
        }
    }
    head += "Connection: close\r\n\r\n";
    let mut body = bytes.split_off(split + 4);
    while body.len() < len {
        let n = client.read(&mut piece)?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        body.extend_from_slice(&piece[..n]);
    }
    Ok((head, body))
}

/// What a bad network does to a request, by chance.
pub fn bad_network(chance: u64) -> impl Fn(u64, &str) -> Fate + Send + 'static {
    move |number, head| {
        let draw =
            (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ chance).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32;
        // A read that is answered late is only late.
        let write = head.starts_with("PUT");
        match draw % 12 {
            0 => Fate::Refused,
            1 => Fate::Status(if (draw / 12).is_multiple_of(2) { 503 } else { 500 }),
            2 if write => Fate::Unanswered,
            3 if write => Fate::Repeated,
            4 if write => Fate::Late(Duration::from_millis(draw % 300)),
            5 => Fate::Slow(Duration::from_millis(draw % 100)),
            _ => Fate::Passed,
        }
    }
}
