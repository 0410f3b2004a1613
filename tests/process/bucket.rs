//! The bucket behind `ResponseURL`, as S3 behaves towards a presigned address.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::Value;

use crate::http::{self, Reply, Request, Server};

/// The signature of every address: nothing that the process shows may hold it.
pub const SIGNATURE: &str = "5f7d1a9be0c34482a6d0c1c7e1f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4";
/// The key that the address is signed with, likewise.
pub const CREDENTIAL: &str = "ASIASENTINELOFADDRESS";

/// One bucket.
#[derive(Clone)]
pub struct Bucket {
    pub server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The results of the next PUTs. Later ones are accepted.
    script: Vec<Reply>,
    always: Option<Reply>,
    attempts: Vec<(Request, Instant)>,
    accepted: Vec<Value>,
}

impl Bucket {
    pub fn start() -> Self {
        let state = Arc::<Mutex<State>>::default();
        let serving = Arc::clone(&state);
        let server = http::serve(move |request| {
            let mut state = serving.lock().expect("no panic under this lock");
            state.attempts.push((request.clone(), Instant::now()));
            if let Some(reply) = &state.always {
                return reply.clone();
            }
            if !state.script.is_empty() {
                return state.script.remove(0);
            }
            // The signature covers an empty content type.
            let kind = request.header("content-type").unwrap_or_default();
            if request.method != "PUT" || !kind.is_empty() || !request.target.contains(SIGNATURE) {
                return Reply::status(403);
            }
            let body = serde_json::from_slice(&request.body).expect("the answer is JSON");
            state.accepted.push(body);
            Reply::status(200)
        });
        Bucket { server, state }
    }

    /// An address that CloudFormation signs now.
    pub fn url(&self) -> String {
        url(self.server.address, SystemTime::now())
    }

    /// Gives the next PUTs these results, one by one.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state().script.extend(replies);
    }

    /// Gives every PUT this result from now on, or ends that.
    pub fn always(&self, reply: Option<Reply>) {
        self.state().always = reply;
    }

    /// The answers that arrived since the last call.
    pub fn accepted(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().accepted)
    }

    /// Every PUT that was tried since the last call, and when.
    pub fn attempts(&self) -> Vec<(Request, Instant)> {
        std::mem::take(&mut self.state().attempts)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address of a bucket at `address`.
pub fn url(address: SocketAddr, signed: SystemTime) -> String {
    let whole = DateTime::from_secs(DateTime::from(signed).secs());
    let date = whole.fmt(Format::DateTime).expect("a date").replace(['-', ':'], "");
    let day = &date[..8];
    format!(
        "http://{address}/arn%3Aaws%3Acloudformation%3Aeu-central-1%3A123456789012%3Astack/s/1\
         %7CCredential%7Cpath-of-the-answer?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date={date}\
         &X-Amz-SignedHeaders=host&X-Amz-Expires=7200\
         &X-Amz-Credential={CREDENTIAL}%2F{day}%2Feu-central-1%2Fs3%2Faws4_request\
         &X-Amz-Signature={SIGNATURE}"
    )
}
