//! The account over HTTP, for programs in other processes. HTTP/1.1 as far as Lambda's runtimes, the AWS
//! SDKs and Python use it: one thread per connection, bodies with a length, connections kept alive.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{FakeAws, Fate, request::Call};

/// One request, whole.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether it is the first on its connection.
    pub is_first: bool,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        let found = self.headers.iter().find(same);
        found.map(|(_, value)| value.as_str())
    }
}

/// The result of a request: a response, or a connection that closes.
pub type Reply = Option<Answer>;

/// An answer, whole.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Answer {
            status,
            headers: vec![],
            body: body.into(),
        }
    }
}

/// Executes a call for the service at `host`. Returns the name of the operation, and `None` for an answer
/// if a fault closes the connection.
pub fn execute(fake: &FakeAws, host: &str, request: &Request) -> (String, Reply) {
    let mut real = HttpRequest::new(SdkBody::from(request.body.clone()));
    let is_valid = real.set_method(&request.method).is_ok()
        && real
            .set_uri(format!("https://{host}{}", request.target))
            .is_ok();
    if !is_valid {
        return (String::new(), None);
    }
    for (name, value) in &request.headers {
        real.headers_mut().insert(name.clone(), value.clone());
    }
    let call = match Call::decode(&real) {
        Ok(call) => call,
        Err(reason) => {
            fake.complain(&reason);
            return (reason, Some(Answer::new(400, [])));
        }
    };
    let index = fake.number("function", &call);
    let Fate::Answered(answered) = fake.meet("function", index, &call) else {
        return (call.operation, None);
    };
    let mut answer = Answer::new(answered.status, answered.body);
    let headers = answered.headers.into_iter();
    answer.headers = headers
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    (call.operation, Some(answer))
}

/// Serves on a port of loopback that the system chooses, and answers which.
pub fn serve(
    tls: Option<Arc<ServerConfig>>,
    handle: impl Fn(Request) -> Reply + Send + Sync + 'static,
) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let handle = Arc::new(handle);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, handle) = (tls.clone(), Arc::clone(&handle));
            // A connection that breaks is the function's end, or its own affair.
            std::thread::spawn(move || accept(stream, tls, &*handle).ok());
        }
    });
    Ok(port)
}

fn accept(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    handle: &dyn Fn(Request) -> Reply,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => converse(stream, handle),
        Some(tls) => {
            let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
            converse(StreamOwned::new(connection, stream), handle)
        }
    }
}

fn converse(stream: impl Read + Write, handle: &dyn Fn(Request) -> Reply) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut is_first = true;
    while let Some(request) = read(&mut stream, is_first)? {
        is_first = false;
        let Some(answer) = handle(request) else {
            break;
        };
        write(stream.get_mut(), &answer)?;
    }
    Ok(())
}

/// The next request, or `None` at the connection's end.
fn read(stream: &mut impl BufRead, is_first: bool) -> io::Result<Option<Request>> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_ascii_whitespace().map(ToOwned::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(malformed());
    };
    let mut request = Request {
        method,
        target,
        headers: vec![],
        body: vec![],
        is_first,
    };
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        request.headers.push((name.into(), value.trim().into()));
    }
    if request.header("transfer-encoding").is_some() {
        return Err(malformed());
    }
    let length = request.header("content-length").unwrap_or("0");
    request.body = vec![0; length.parse().map_err(|_| malformed())?];
    stream.read_exact(&mut request.body)?;
    Ok(Some(request))
}

fn write(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let length = answer.body.len();
    let mut whole = format!(
        "HTTP/1.1 {} -\r\ncontent-length: {length}\r\n",
        answer.status
    );
    for (name, value) in &answer.headers {
        whole.extend([name, ": ", value, "\r\n"]);
    }
    whole.push_str("\r\n");
    // At once, so that it is one packet and one record of TLS.
    stream.write_all(&[whole.as_bytes(), &answer.body].concat())?;
    stream.flush()
}
