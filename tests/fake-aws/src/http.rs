//! The account over HTTP, for programs in other processes. HTTP/1.1 as far as Lambda's runtimes,
//! the AWS SDKs and Python use it: one thread per connection, bodies with a length, connections
//! kept alive.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::{DateTime, body::SdkBody, date_time::Format};

use crate::{ApiResponse, FakeAws, Fate, request::Call};

/// One request, whole.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        let same = |(given, _): &&(String, String)| given.eq_ignore_ascii_case(name);
        let found = self.headers.iter().find(same);
        found.map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// The result of a request: a response, or a connection that closes.
pub type Reply = Option<Answer>;

/// An answer, whole.
#[derive(Clone, Debug)]
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

    /// An event in the form in which Lambda's Runtime API hands it to a function.
    pub fn of_runtime_api(
        request_id: String,
        deadline: Duration,
        function: &str,
        event: impl Into<Vec<u8>>,
    ) -> Self {
        let deadline = deadline.as_millis().to_string();
        let headers = [
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", deadline),
            ("Lambda-Runtime-Invoked-Function-Arn", function.to_owned()),
            ("Content-Type", "application/json".to_owned()),
        ];
        Answer {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Self::new(200, event)
        }
    }
}

impl From<ApiResponse> for Answer {
    fn from(response: ApiResponse) -> Self {
        let headers = response.headers.into_iter();
        Answer {
            headers: headers.map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Self::new(response.status, response.body)
        }
    }
}

/// The call for the service at `host`. An error is the reason why no service would accept it.
pub fn decode(host: &str, request: &Request) -> Result<Call, String> {
    let mut real = HttpRequest::new(SdkBody::from(request.body.clone()));
    real.set_method(&request.method).map_err(|error| error.to_string())?;
    real.set_uri(format!("https://{host}{}", request.target))
        .map_err(|error| error.to_string())?;
    for (name, value) in &request.headers {
        real.headers_mut().insert(name.clone(), value.clone());
    }
    Call::decode(&real)
}

/// Executes a call for the service at `host`. Returns the name of the operation, and `None` for an
/// answer if a fault closes the connection.
pub fn execute(fake: &FakeAws, host: &str, request: &Request) -> (String, Reply) {
    let call = match decode(host, request) {
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
    (call.operation, Some(answered.into()))
}

/// IAM's dates in `body` by the machine's clock, `ahead` seconds ahead: the account's clock starts
/// on a fixed day.
pub fn in_machine_time(fake: &FakeAws, body: &str, ahead: i64) -> String {
    let mut parts = body.split("<CreateDate>");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (date, rest) = part.split_once('<').expect("an end of the date");
        let date = DateTime::from_str(date, Format::DateTime).expect("IAM's date");
        let date = SystemTime::try_from(date).expect("after 1970");
        let age = fake.now().duration_since(date).unwrap_or_default();
        let real = DateTime::from(SystemTime::now() - age);
        let real = DateTime::from_secs(real.secs() + ahead).fmt(Format::DateTime);
        text.extend(["<CreateDate>", &real.expect("a date"), "<", rest]);
    }
    text
}

/// Serves on a port of loopback that the system chooses, and answers which.
pub fn serve(handle: impl Fn(Request) -> Reply + Send + Sync + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let handle = Arc::new(handle);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = Arc::clone(&handle);
            // A connection that breaks is the function's end, or its own affair.
            std::thread::spawn(move || converse(stream, &*handle).ok());
        }
    });
    Ok(port)
}

fn converse(stream: TcpStream, handle: &dyn Fn(Request) -> Reply) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream)? {
        let Some(answer) = handle(request) else {
            break;
        };
        write(stream.get_mut(), &answer)?;
    }
    Ok(())
}

/// The next request, or `None` at the connection's end.
pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Request>> {
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

/// Writes an answer.
pub fn write(stream: &mut impl Write, answer: &Answer) -> io::Result<()> {
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
