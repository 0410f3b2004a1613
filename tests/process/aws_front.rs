//! An HTTP front on the AWS of `tests/fake-aws`: all services and git at one address, as
//! `AWS_ENDPOINT_URL` has it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use crate::http::{self, ClosedPort, Reply, Request, Server};
use fake_aws::FakeAws;
use fake_aws::Fate;
use fake_aws::http::{decode, in_machine_time};
use fake_aws::{ApiResponse, AwsError, gitlab};

const GIT: &str = "git-codecommit.eu-central-1.amazonaws.com";
const RESPONSES: &str = "cloudformation-custom-resource-response-eucentral1.s3.amazonaws.com";

/// The caller's name in the account.
pub const CALLER: &str = "process";

/// How AWS is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Accepts every call, and responds to none.
    Hanging,
    /// Answers after this long.
    Slow(Duration),
    /// Closes every connection.
    Resetting,
    /// Fails, and its clock has the last second of the year 9999.
    InTheLastSecond,
    /// Finds that the session's token has expired.
    PastTheSession,
    /// Its clock is ahead of this machine's by this many seconds, and it rejects a signature that
    /// is more than five minutes off.
    Ahead(i64),
}

/// One account, reachable.
#[derive(Clone)]
pub struct Front {
    pub fake: FakeAws,
    pub server: Server,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    /// The results of the next calls, which do not reach AWS.
    script: Vec<Reply>,
    calls: Vec<Request>,
}

impl Front {
    /// An account with the user `mirror` and the repository `infra`.
    pub fn start() -> Self {
        Self::over_http(one_account())
    }

    pub fn over_http(fake: FakeAws) -> Self {
        Self::served("http", fake, http::serve)
    }

    /// This account over TLS, with a certificate of [`http::AUTHORITY`], and the GitLab beside it at
    /// the same address.
    pub fn over_tls(fake: FakeAws) -> Self {
        Self::served("https", fake, http::serve_over_tls)
    }

    /// The same at a port without a listener so far.
    pub fn start_at(port: ClosedPort) -> Self {
        Self::served("http", one_account(), |handle| port.serve(handle))
    }

    fn served(scheme: &'static str, fake: FakeAws, serve: impl FnOnce(Handle) -> Server) -> Self {
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Well,
            script: vec![],
            calls: vec![],
        }));
        let (served, seen) = (fake.clone(), Arc::clone(&state));
        let handle = Box::new(move |request: Request| {
            let mood = {
                let mut state = seen.lock().expect("no panic under this lock");
                state.calls.push(request.clone());
                if !state.script.is_empty() {
                    return state.script.remove(0);
                }
                state.mood
            };
            in_a_mood(mood, &served, &request, scheme)
        });
        Front {
            fake,
            server: serve(handle),
            scheme,
            state,
        }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.server.address)
    }

    /// Gives the next calls these results, one by one.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state().script.extend(replies);
    }

    pub fn mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Every call that arrived so far.
    pub fn calls(&self) -> Vec<Request> {
        self.state().calls.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic under this lock")
    }
}

pub fn one_account() -> FakeAws {
    let fake = FakeAws::new();
    fake.user("mirror");
    fake.repository("infra");
    fake
}

type Handle = Box<dyn Fn(Request) -> Reply + Send + Sync>;

fn in_a_mood(mood: Mood, fake: &FakeAws, request: &Request, scheme: &str) -> Reply {
    match mood {
        Mood::Well => answer(fake, request, scheme, 0),
        Mood::Hanging => Reply::Hang,
        Mood::Resetting => Reply::Reset,
        Mood::InTheLastSecond => dated(Reply::status(503), "Fri, 31 Dec 9999 23:59:59 GMT"),
        Mood::Slow(time) => {
            let answer = answer(fake, request, scheme, 0);
            Reply::Late(time, Box::new(answer))
        }
        // https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
        Mood::PastTheSession => {
            let message = "The security token included in the request is expired";
            refused(request, "ExpiredToken", message)
        }
        Mood::Ahead(seconds) => {
            let now = now_and(seconds);
            let reply = match signed_at(request) {
                Some(signed) if signed.secs().abs_diff(now.secs()) > 300 => {
                    refused(request, "SignatureDoesNotMatch", "Signature expired")
                }
                _ => answer(fake, request, scheme, seconds),
            };
            dated(reply, &now.fmt(Format::HttpDate).expect("a date"))
        }
    }
}

/// The reply with this header of its time.
fn dated(mut reply: Reply, date: &str) -> Reply {
    if let Reply::Answer(answer) = &mut reply {
        let header = ("date".to_owned(), date.to_owned());
        answer.headers.push(header);
    }
    reply
}

/// This machine's time and so many seconds.
fn now_and(seconds: i64) -> DateTime {
    DateTime::from_secs(DateTime::from(SystemTime::now()).secs() + seconds)
}

/// The time of the signature by the caller's clock: `X-Amz-Date: 20261120T075500Z`.
fn signed_at(request: &Request) -> Option<DateTime> {
    let date = request.header("x-amz-date")?;
    let (day, time) = (date.get(..8)?, date.get(9..15)?);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &day[..4],
        &day[4..6],
        &day[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    DateTime::from_str(&text, Format::DateTime).ok()
}

/// A rejection before the service evaluates the call.
fn refused(request: &Request, code: &'static str, message: &str) -> Reply {
    match decode(&host(request), request) {
        Ok(call) => {
            let error = AwsError::new(403, code, message);
            Reply::Answer(ApiResponse::error(call.service, &error).into())
        }
        Err(_) => Reply::status(403),
    }
}

fn answer(fake: &FakeAws, request: &Request, scheme: &str, ahead: i64) -> Reply {
    let call = match decode(&host(request), request) {
        Ok(call) => call,
        Err(why) => {
            fake.complain(&why);
            return Reply::status(400);
        }
    };
    let index = fake.number(CALLER, &call);
    match fake.meet(CALLER, index, &call) {
        Fate::Answered(mut answer) => {
            // The address at which the caller has found all this.
            let own = format!("{scheme}://{}", request.header("host").unwrap_or_default());
            let body = answer.body.replace(&format!("https://{GIT}"), &own);
            answer.body = in_machine_time(fake, &body, ahead);
            Reply::Answer(answer.into())
        }
        Fate::Broken => Reply::Reset,
        Fate::Silent | Fate::Fatal => Reply::Hang,
    }
}

/// The real host of the service that the request is for.
fn host(request: &Request) -> String {
    let scope = request.header("authorization").unwrap_or_default();
    // …/20261120/us-east-1/iam/aws4_request
    let service = scope.split('/').nth(3).filter(|_| scope.starts_with("AWS4"));
    match service {
        Some("iam") => "iam.amazonaws.com".to_owned(),
        Some(service) => format!("{service}.eu-central-1.amazonaws.com"),
        None if request.target.starts_with("/api/") => gitlab::HOST.to_owned(),
        None if request.method == "PUT" => RESPONSES.to_owned(),
        None => GIT.to_owned(),
    }
}
