//! A server on one local port that answers each request as its test decides. Each connection serves
//! one request.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the server does with a request.
pub enum Answer {
    /// Sends a response with a length.
    Send { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// Sends these bytes as they are.
    Raw(Vec<u8>),
    /// Closes the connection without a response.
    Close,
    /// Closes the connection after a part of the body.
    CloseInBody { status: u16 },
    /// Responds after this time.
    Late(Duration),
}

impl Answer {
    pub fn text(status: u16, body: &str) -> Self {
        Self::Send { status, headers: Vec::new(), body: body.into() }
    }

    pub fn with(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self::Send { status, headers, body: body.to_owned() }
    }

    fn write(self, stream: &mut TcpStream) -> std::io::Result<()> {
        match self {
            Self::Send { status, headers, body } => {
                let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head += &format!("{name}: {value}\r\n");
                }
                stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
                stream.write_all(&body)
            }
            Self::Raw(bytes) => stream.write_all(&bytes),
            Self::Close => Ok(()),
            Self::CloseInBody { status } => stream.write_all(
                format!("HTTP/1.1 {status} X\r\nContent-Length: 1000\r\n\r\n{{\"part\":")
                    .as_bytes(),
            ),
            Self::Late(pause) => {
                std::thread::sleep(pause);
                Self::text(200, "late").write(stream)
            }
        }
    }
}

type Handler = dyn Fn(&Received, usize) -> Answer + Send + Sync;

pub struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Starts a server. `handler` receives each request and the number of earlier ones.
    pub fn start(handler: impl Fn(&Received, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (received, connections) = (Arc::default(), Arc::default());
        let server = Self { address, received, connections };
        let (received, connections) =
            (Arc::clone(&server.received), Arc::clone(&server.connections));
        let handler: Arc<Handler> = Arc::new(handler);
        // The thread ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (received, handler) = (Arc::clone(&received), Arc::clone(&handler));
                // A client may close the connection at any time.
                std::thread::spawn(move || drop(serve(stream.unwrap(), &received, &*handler)));
            }
        });
        server
    }

    /// Starts a server with one answer for every request.
    pub fn always(answer: impl Fn() -> Answer + Send + Sync + 'static) -> Self {
        Self::start(move |_, _| answer())
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Number of connections, including those without a request.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(
    mut stream: TcpStream,
    received: &Mutex<Vec<Received>>,
    handler: &Handler,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..length]);
        // A TLS handshake, to which the server responds in plain text.
        if bytes.first() == Some(&0x16) {
            return Answer::text(400, "no TLS").write(&mut stream);
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if length == 0 {
            return Ok(());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let (method, target) =
        (first.next().unwrap_or_default().to_owned(), first.next().unwrap_or_default().to_owned());
    let mut request = Received { method, target, headers, body: bytes[head + 4..].to_owned() };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut rest = vec![0; length - request.body.len()];
    stream.read_exact(&mut rest)?;
    request.body.extend(rest);
    let earlier = {
        let mut received = received.lock().unwrap();
        received.push(request.clone());
        received.len() - 1
    };
    handler(&request, earlier).write(&mut stream)?;
    stream.shutdown(Shutdown::Both)
}
