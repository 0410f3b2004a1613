//! The process under test, with everything around it.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::aws_front::Front;
use crate::bucket::Bucket;
use crate::lambda::{Invocation, Lambda, PATIENCE};

/// What Lambda would hand to the function, and nobody may see.
pub const SECRET_KEY: &str = "SentinelSecretKeyOfTheFunctionsRole123456";
/// Likewise.
pub const SESSION_TOKEN: &str = "SentinelSessionTokenOfTheFunctionsRole1234567890";

/// The binary under test: `CFN_GITOPS_BINARY`, or the one that Cargo has built for this test.
pub fn binary() -> PathBuf {
    std::env::var_os("CFN_GITOPS_BINARY").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_cfn-gitops")),
        PathBuf::from,
    )
}

/// One running copy of the function, as in Lambda's sandbox.
pub struct Function {
    child: Child,
    pub lambda: Lambda,
    pub bucket: Bucket,
    pub aws: Front,
    output: Arc<Mutex<String>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// How a function is to be started.
pub struct Setup {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    endpoint: Option<SocketAddr>,
    disk_is_full: bool,
}

impl Setup {
    pub fn new() -> Self {
        Self::of(&binary())
    }

    pub fn of(binary: &Path) -> Self {
        Setup {
            binary: binary.to_owned(),
            environment: vec![],
            endpoint: None,
            disk_is_full: false,
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets another address stand for AWS.
    pub fn aws_at(mut self, endpoint: SocketAddr) -> Self {
        self.endpoint = Some(endpoint);
        self
    }

    /// Nothing that the process writes can be written.
    pub fn writing_in_vain(mut self) -> Self {
        self.disk_is_full = true;
        self
    }

    pub fn start(self) -> Function {
        let writes_to = || {
            if !self.disk_is_full {
                return Stdio::piped();
            }
            let full = std::fs::File::options().write(true).open("/dev/full");
            full.expect("/dev/full").into()
        };
        let (lambda, runtime_api) = Lambda::start();
        let aws = Front::start();
        let endpoint = self.endpoint.unwrap_or(aws.address);
        let mut child = Command::new(&self.binary)
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "cfn-gitops")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cfn-gitops")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ENDPOINT_URL", format!("http://{endpoint}"))
            .env("AWS_ACCESS_KEY_ID", "ASIAFUNCTION")
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_SESSION_TOKEN", SESSION_TOKEN)
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(writes_to())
            .stderr(writes_to())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let output = Arc::<Mutex<String>>::default();
        let out = child.stdout.take().map(|out| collect(out, &output));
        let err = child.stderr.take().map(|err| collect(err, &output));
        let readers = out.into_iter().chain(err).collect();
        Function {
            child,
            lambda,
            bucket: Bucket::start(),
            aws,
            output,
            readers,
        }
    }
}

impl Function {
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// A request of CloudFormation's, signed now.
    pub fn request(&self, kind: &str, properties: &Value) -> Value {
        let mut request = json!({
            "RequestType": kind,
            "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:cfn-gitops",
            "ResponseURL": self.bucket.url(),
            "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/s/1",
            "RequestId": format!("request-{kind}"),
            "LogicalResourceId": "Credential",
            "ResourceType": "Custom::MirrorCredential",
            "ResourceProperties": properties,
        });
        if kind != "Create" {
            request["PhysicalResourceId"] = json!("codecommit-mirror/mirror");
        }
        request
    }

    /// The same about the pipeline of the project `shop`.
    pub fn pipeline_request(&self, kind: &str, properties: &Value) -> Value {
        let mut request = self.request(kind, properties);
        request["ResourceType"] = json!("Custom::GitOpsPipeline");
        request["LogicalResourceId"] = json!("Project");
        if kind != "Create" {
            request["PhysicalResourceId"] = json!("gitops-dev-shop");
        }
        request
    }

    pub fn invoke(&self, event: &Value, time: Duration) -> Invocation {
        self.lambda.invoke(event.to_string(), time)
    }

    /// Answers `event` in good time: the answer that CloudFormation got is the one that Lambda got.
    pub fn answered(&self, event: &Value) -> Value {
        let result = self.invoke(event, Duration::from_mins(1)).result();
        assert_eq!(self.bucket.accepted(), std::slice::from_ref(&result));
        result
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written so far.
    pub fn output(&self) -> String {
        self.output
            .lock()
            .expect("no panic under this lock")
            .clone()
    }

    /// Waits for the end of the process, which something else must bring about.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < until, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the process, and answers all that it ever wrote.
    pub fn ended(mut self) -> String {
        self.end();
        self.output()
    }

    fn end(&mut self) {
        // Either may find that it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the process wrote:\n{}", self.output());
        }
    }
}

fn collect(
    mut from: impl Read + Send + 'static,
    into: &Arc<Mutex<String>>,
) -> std::thread::JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut part) {
            let text = String::from_utf8_lossy(&part[..length]);
            into.lock()
                .expect("no panic under this lock")
                .push_str(&text);
        }
    })
}
