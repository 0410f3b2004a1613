//! An HTTP front on the AWS of `tests/support`: all services and git at one address, as
//! `AWS_ENDPOINT_URL` has it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;

use crate::http::{self, Reply, Request};
use crate::support::World;
use crate::support::request::Call;
use crate::support::wire::Fate;

const GIT: &str = "https://git-codecommit.eu-central-1.amazonaws.com";

/// How AWS is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Takes every call, and answers none.
    Hanging,
    /// Answers after this long.
    Slow(Duration),
    /// Closes every connection.
    Resetting,
    /// Fails, and believes that it is the last second of the year 9999.
    InTheLastSecond,
}

/// One account, reachable.
#[derive(Clone)]
pub struct Front {
    pub world: World,
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    calls: Vec<Request>,
}

impl Front {
    /// An account with the user `mirror` and the repository `infra`.
    pub fn start() -> Self {
        let world = World::new();
        world.user("mirror");
        world.repository("infra");
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Well,
            calls: vec![],
        }));
        let (served, seen) = (world.clone(), Arc::clone(&state));
        let own = Arc::new(Mutex::new(None));
        let own_address = Arc::clone(&own);
        let address = http::serve(move |request| {
            let mood = {
                let mut state = seen.lock().expect("no panic under this lock");
                state.calls.push(request.clone());
                state.mood
            };
            match mood {
                Mood::Well => {}
                Mood::Hanging => return Reply::Hang,
                Mood::Resetting => return Reply::Reset,
                Mood::InTheLastSecond => {
                    let date = "Fri, 31 Dec 9999 23:59:59 GMT".to_owned();
                    return Reply::Answer {
                        status: 503,
                        headers: vec![("date".to_owned(), date)],
                        body: vec![],
                    };
                }
                Mood::Slow(time) => std::thread::sleep(time),
            }
            let own: SocketAddr = own.lock().expect("an address").expect("set below");
            answer(&served, &request, own)
        });
        *own_address.lock().expect("nobody calls yet") = Some(address);
        Front {
            world,
            address,
            state,
        }
    }

    pub fn mood(&self, mood: Mood) {
        self.state.lock().expect("no panic under this lock").mood = mood;
    }

    /// Every call that arrived so far.
    pub fn calls(&self) -> Vec<Request> {
        self.state
            .lock()
            .expect("no panic under this lock")
            .calls
            .clone()
    }
}

fn answer(world: &World, request: &Request, own: SocketAddr) -> Reply {
    let mut real = HttpRequest::new(SdkBody::from(request.body.clone()));
    let uri = format!("{}{}", host(request), request.target);
    let is_sound = real.set_method(&request.method).is_ok() && real.set_uri(uri).is_ok();
    for (name, value) in &request.headers {
        real.headers_mut().insert(name.clone(), value.clone());
    }
    let call = match Call::decode(&real) {
        Ok(call) if is_sound => call,
        other => {
            world.complain(&format!("{other:?}"));
            return Reply::status(400);
        }
    };
    let index = world.number("process", &call);
    match world.meet("process", index, &call) {
        Fate::Answered(answer) => Reply::Answer {
            status: answer.status,
            headers: answer
                .headers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            body: localised(&answer.body, own, world).into_bytes(),
        },
        Fate::Broken => Reply::Reset,
        Fate::Silent | Fate::Fatal => Reply::Hang,
    }
}

/// The real host of the service that the request is for.
fn host(request: &Request) -> String {
    let scope = request.header("authorization").unwrap_or_default();
    // …/20261120/us-east-1/iam/aws4_request
    let service = scope
        .split('/')
        .nth(3)
        .filter(|_| scope.starts_with("AWS4"));
    match service {
        Some("iam") => "https://iam.amazonaws.com".to_owned(),
        Some(service) => format!("https://{service}.eu-central-1.amazonaws.com"),
        None => GIT.to_owned(),
    }
}

/// The account's times and addresses, as the process has to see them: the account's own clock
/// starts on a fixed day, the process goes by the machine's.
fn localised(body: &str, own: SocketAddr, world: &World) -> String {
    let body = body.replace(GIT, &format!("http://{own}"));
    let mut parts = body.split("<CreateDate>");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (date, rest) = part.split_once('<').expect("an end of the date");
        let date = DateTime::from_str(date, Format::DateTime).expect("IAM's date");
        let age = world.now().duration_since(UNIX + since_1970(date));
        let real = DateTime::from(SystemTime::now() - age.unwrap_or_default());
        let real = DateTime::from_secs(real.secs()).fmt(Format::DateTime);
        text.extend(["<CreateDate>", &real.expect("a date"), "<", rest]);
    }
    text
}

const UNIX: SystemTime = SystemTime::UNIX_EPOCH;

fn since_1970(date: DateTime) -> Duration {
    Duration::from_secs(date.secs().try_into().expect("after 1970"))
}
