//! An HTTP/1.1 server for the process's peers, with the faults of a network.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fake_aws::http;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub use fake_aws::http::{Answer, Request};

/// A server on this machine whose certificate has an unknown CA.
const CERTIFICATE: &str = include_str!("../../src/clients/http/tests/server.pem");
const KEY: &str = include_str!("../../src/clients/http/tests/server-key.pem");
/// The file that holds that authority's own certificate.
pub const AUTHORITY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/clients/http/tests/authority.pem"
);

/// The result of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    Answer(Answer),
    /// The connection is closed without an answer.
    Reset,
    /// The connection is closed in the middle of an answer.
    CutOff,
    /// A response whose body does not end.
    Endless,
    /// A response after this time.
    Late(Duration, Box<Reply>),
    /// The connection stays open, and nothing comes.
    Hang,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Reply::Answer(Answer::new(status, []))
    }
}

/// A server on loopback, which runs until the test process ends.
#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    open: Vec<Arc<Connection>>,
    ever: usize,
}

struct Connection {
    stream: TcpStream,
    is_lost: AtomicBool,
}

impl Server {
    /// Closes every connection, as after an idle time.
    pub fn close_connections(&self) {
        for connection in &self.locked().open {
            connection.close();
        }
    }

    /// Drops all data on the existing connections without an error on either side,
    /// like a gateway that has lost its state.
    pub fn lose_connections(&self) {
        for connection in &self.locked().open {
            connection.is_lost.store(true, Ordering::SeqCst);
        }
    }

    /// How many connections there ever were.
    pub fn connections(&self) -> usize {
        self.locked().ever
    }

    fn locked(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().expect("no panic under this lock")
    }

    /// Runs `talk` for each connection, and then closes it.
    fn accept(
        &self,
        stream: TcpStream,
        talk: impl FnOnce(TcpStream, &AtomicBool) + Send + 'static,
    ) {
        let connection = Arc::new(Connection {
            stream: stream.try_clone().expect("a second handle"),
            is_lost: AtomicBool::new(false),
        });
        let mut connections = self.locked();
        connections.ever += 1;
        connections.open.push(Arc::clone(&connection));
        drop(connections);
        let server = self.clone();
        std::thread::spawn(move || {
            talk(stream, &connection.is_lost);
            connection.close();
            let mut connections = server.locked();
            connections.open.retain(|other| !Arc::ptr_eq(other, &connection));
        });
    }
}

impl Connection {
    fn close(&self) {
        // The other side may have been quicker.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// A proxy for `CONNECT` on loopback, which runs until the test process ends.
pub struct Proxy {
    pub address: SocketAddr,
    opened: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = listen();
        let address = listener.local_addr().expect("an address");
        let opened = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&opened);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || tunnel(client, &seen));
            }
        });
        Proxy { address, opened }
    }

    /// The head of each request so far, without what a tunnel carried.
    pub fn opened(&self) -> Vec<String> {
        self.opened.lock().expect("no panic under this lock").clone()
    }
}

/// A client may close the connection at any time, which is not a fault here.
fn tunnel(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("no panic under this lock").push(head);
    let Ok(mut server) = TcpStream::connect(target) else {
        return;
    };
    let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
    let (Ok(mut from_client), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

/// Serves on a port of loopback that the system chooses.
pub fn serve(handle: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Server {
    serve_at(listen(), None, handle)
}

/// The same over TLS 1.2 and 1.3, as AWS has them.
pub fn serve_over_tls(handle: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Server {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.expect("a certificate")], key);
    serve_at(listen(), Some(Arc::new(tls.expect("a server"))), handle)
}

fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn serve_at(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    handle: impl Fn(Request) -> Reply + Send + Sync + 'static,
) -> Server {
    let server = Server {
        address: listener.local_addr().expect("an address"),
        connections: Arc::default(),
    };
    let handle = Arc::new(handle);
    let accepting = server.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (handle, tls) = (Arc::clone(&handle), tls.clone());
            accepting.accept(stream, move |stream, is_lost| match tls {
                None => converse(stream, is_lost, &*handle),
                Some(tls) => {
                    let connection = ServerConnection::new(tls).expect("a connection");
                    converse(StreamOwned::new(connection, stream), is_lost, &*handle);
                }
            });
        }
    });
    server
}

/// A loopback port without a listener, which no other process gets.
pub struct ClosedPort(tokio::net::TcpSocket);

impl ClosedPort {
    pub fn new() -> Self {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        let any = "127.0.0.1:0".parse().expect("an address");
        socket.bind(any).expect("a free port");
        ClosedPort(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    /// Starts a listener there.
    pub fn serve(self, handle: impl Fn(Request) -> Reply + Send + Sync + 'static) -> Server {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(async move {
            let listener = self.0.listen(128).expect("a listener");
            listener.into_std().expect("the same listener")
        });
        listener.set_nonblocking(false).expect("a blocking one");
        serve_at(listener, None, handle)
    }
}

/// A port that accepts every connection and sends nothing, not even a TLS handshake.
pub fn silence() -> SocketAddr {
    let listener = listen();
    let address = listener.local_addr().expect("an address");
    // The system accepts connections until the test process ends.
    std::mem::forget(listener);
    address
}

fn converse(stream: impl Read + Write, is_lost: &AtomicBool, handle: &dyn Fn(Request) -> Reply) {
    let mut reader = BufReader::new(stream);
    while let Ok(Some(request)) = http::read(&mut reader) {
        if is_lost.load(Ordering::SeqCst) {
            continue;
        }
        let mut reply = handle(request);
        while let Reply::Late(time, later) = reply {
            std::thread::sleep(time);
            reply = *later;
        }
        let to = reader.get_mut();
        match reply {
            Reply::Answer(answer) => {
                if http::write(to, &answer).is_err() {
                    return;
                }
            }
            Reply::CutOff => {
                let _ = to.write_all(b"HTTP/1.1 200 -\r\ncontent-length: 1000\r\n\r\n{\"a\": ");
                return;
            }
            Reply::Endless => {
                let _ = to.write_all(b"HTTP/1.1 200 -\r\n\r\n");
                while to.write_all(&[b' '; 8_192]).is_ok() {}
                return;
            }
            Reply::Hang => {
                // Until the other side closes.
                let _ = reader.read_to_end(&mut vec![]);
                return;
            }
            Reply::Reset | Reply::Late(..) => return,
        }
    }
}
