//! The process under test, with everything around it.

use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::aws_front::Front;
use crate::bucket::Bucket;
use crate::lambda::{Invocation, Lambda, PATIENCE};

/// In this time the process starts on an idle machine, generously.
const IDLE_START: Duration = Duration::from_millis(100);

/// The event that Lambda would pass to the function. It may appear in no output.
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

/// The properties of a credential, which is verified in a repository.
pub fn mirror() -> Value {
    json!({"UserName": "mirror", "RepositoryNames": ["infra"]})
}

/// One running copy of the function, as in Lambda's sandbox.
pub struct Function {
    child: Child,
    setup: Setup,
    pub lambda: Lambda,
    runtime_api: SocketAddr,
    pub bucket: Bucket,
    pub aws: Front,
    output: Output,
    readers: Vec<JoinHandle<()>>,
    /// How many times longer than on an idle machine the process took to start.
    slowness: u32,
}

/// Set when the process's output is to be read, and the text so far.
type Output = Arc<(OnceLock<()>, Mutex<String>)>;

/// How a function is to be started.
#[derive(Clone)]
pub struct Setup {
    binary: PathBuf,
    environment: Vec<(String, String)>,
    endpoint: Option<String>,
    /// Shell commands before the process.
    before: Vec<String>,
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
            before: vec![],
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses another address for AWS.
    pub fn aws_at(mut self, endpoint: &str) -> Self {
        self.endpoint = Some(endpoint.to_owned());
        self
    }

    /// Has a shell do `command` in the process before: `ulimit -n 16`, or `exec >&-`.
    pub fn after(mut self, command: &str) -> Self {
        self.before.push(command.to_owned());
        self
    }

    pub fn start(self) -> Function {
        let function = self.start_unread();
        function.read_output();
        function
    }

    /// The process's output stays in its pipe until [`Function::read_output`].
    pub fn start_unread(self) -> Function {
        let (lambda, runtime_api) = Lambda::start();
        let aws = Front::start();
        let output = Output::default();
        let begun = Instant::now();
        let (child, readers) = self.spawn(runtime_api, &aws, &output);
        let mut function = Function {
            child,
            setup: self,
            lambda,
            runtime_api,
            bucket: Bucket::start(),
            aws,
            output,
            readers,
            slowness: 1,
        };
        // The time of a test's first invocation is short, and this machine may be busy.
        function.lambda.wait_until_asked();
        let ratio = begun.elapsed().as_millis() / IDLE_START.as_millis();
        function.slowness = u32::try_from(ratio.clamp(1, 20)).expect("a small number");
        function
    }

    /// The process, and the readers of its output.
    fn spawn(
        &self,
        runtime_api: SocketAddr,
        aws: &Front,
        output: &Output,
    ) -> (Child, Vec<JoinHandle<()>>) {
        let endpoint = format!("http://{}", aws.server.address);
        let endpoint = self.endpoint.as_ref().unwrap_or(&endpoint);
        let mut command = if self.before.is_empty() {
            Command::new(&self.binary)
        } else {
            let mut shell = Command::new("/bin/sh");
            let script = format!("{} && exec \"$0\"", self.before.join(" && "));
            shell.arg("-c").arg(script).arg(&self.binary);
            shell
        };
        let mut child = command
            .env_clear()
            // For `make defects`.
            .env("PLANTED", std::env::var("PLANTED").unwrap_or_default())
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "cfn-gitops")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/cfn-gitops")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "stream")
            .env("AWS_REGION", "eu-central-1")
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "ASIAFUNCTION")
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("AWS_SESSION_TOKEN", SESSION_TOKEN)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.binary.display()));
        let out = child.stdout.take().map(|out| collect(out, output));
        let err = child.stderr.take().map(|err| collect(err, output));
        (child, out.into_iter().chain(err).collect())
    }
}

impl Function {
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Of the user `mirror`; and that no rule was broken on the way.
    pub fn left_nothing(&self) {
        self.aws.fake.look(|aws| {
            assert!(aws.credentials("mirror").is_empty());
            assert!(aws.secrets.is_empty());
        });
        self.aws.fake.assert_unbroken();
    }

    /// The time of an invocation that ends at its deadline, from that on an idle machine. An
    /// eighth of it is for the response.
    pub fn seconds(&self, idle: u32) -> Duration {
        Duration::from_secs(u64::from(idle * self.slowness))
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

    /// The result of `invocation`, and how long it took: CloudFormation got the same response as
    /// Lambda.
    #[track_caller]
    fn response_of(&self, invocation: &Invocation) -> (Value, Duration) {
        let (ended, took) = invocation.ended();
        let result = ended.result();
        assert_eq!(self.bucket.accepted(), std::slice::from_ref(&result));
        (result, took)
    }

    /// Waits for the success of `invocation`.
    #[track_caller]
    pub fn succeeded(&self, invocation: &Invocation) -> Value {
        let (response, _) = self.response_of(invocation);
        assert_eq!(response["Status"], "SUCCESS", "{response}");
        response
    }

    /// Waits for the failure of `invocation`. Returns its response, and how long it took.
    #[track_caller]
    pub fn failed(&self, invocation: &Invocation) -> (Value, Duration) {
        let (response, took) = self.response_of(invocation);
        assert_eq!(response["Status"], "FAILED", "{response}");
        (response, took)
    }

    /// Invokes the function, which succeeds.
    #[track_caller]
    pub fn succeeds(&self, event: &Value) -> Value {
        self.succeeded(&self.invoke(event, Duration::from_mins(1)))
    }

    /// Invokes the function, which fails. Returns the reason.
    #[track_caller]
    pub fn fails(&self, event: &Value) -> String {
        self.fails_within(event, Duration::from_mins(1))
    }

    /// As [`Self::fails`], before the `time` of the invocation is over.
    #[track_caller]
    pub fn fails_within(&self, event: &Value, time: Duration) -> String {
        let (response, took) = self.failed(&self.invoke(event, time));
        assert!(took < time, "{took:?}");
        reason(&response)
    }

    /// The reason of a failed Create with a `ServiceTimeout` of so many seconds on an idle machine.
    #[track_caller]
    pub fn fails_before_service_timeout(&self, idle: u32) -> String {
        let (mut properties, time) = (mirror(), self.seconds(idle));
        properties["ServiceTimeout"] = json!(time.as_secs().to_string());
        let event = self.request("Create", &properties);
        let (response, took) = self.failed(&self.invoke(&event, Duration::from_mins(2)));
        assert!(took < time, "{took:?}");
        reason(&response)
    }

    /// Ends the process as Lambda does, without a word, and starts another one in its place, with
    /// `changed` in its environment.
    pub fn restart(&mut self, changed: &[(&str, &str)]) {
        self.end();
        self.lambda.forget_process();
        for (name, value) in changed {
            self.setup = self.setup.clone().with(name, value);
        }
        let setup = &self.setup;
        (self.child, self.readers) = setup.spawn(self.runtime_api, &self.aws, &self.output);
    }

    /// Ends limits and the like, set with [`Setup::after`], with the next start.
    pub fn without_limits(&mut self) {
        self.setup.before.clear();
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the process a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Suspends the process.
    pub fn freeze(&self) {
        self.signal("STOP");
        wait_until("the process to stand still", || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()));
            // The state follows the name, which is in brackets.
            stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|s| s.starts_with(" T")))
        });
    }

    /// Continues a suspended process.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// The most memory that the process ever had, in kilobytes.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// A size that the kernel shows about the process, in kilobytes.
    pub fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()));
        let status = status.expect("the process runs");
        let size = status.lines().find_map(|line| line.strip_prefix(name));
        let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
        size.and_then(|size| size.parse().ok()).expect("a size")
    }

    /// Begins to read the process's output.
    pub fn read_output(&self) {
        self.output.0.get_or_init(|| ());
    }

    /// The process's output so far.
    pub fn output(&self) -> String {
        let text = self.output.1.lock();
        text.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the end of the process, which something else must cause.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        wait_until("the process to end", || {
            ended = self.child.try_wait().expect("a child");
            ended.is_some()
        });
        ended.expect("it has ended")
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
        self.read_output();
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

/// The reason of a failed request.
pub fn reason(response: &Value) -> String {
    response["Reason"].as_str().expect("a reason").to_owned()
}

/// Waits until something has happened.
pub fn wait_until(what: &str, mut has_happened: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !has_happened() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn collect(mut from: impl Read + Send + 'static, into: &Output) -> JoinHandle<()> {
    let into = Arc::clone(into);
    std::thread::spawn(move || {
        let mut part = [0; 4096];
        into.0.wait();
        while let Ok(length @ 1..) = from.read(&mut part) {
            let text = String::from_utf8_lossy(&part[..length]);
            let mut output = into.1.lock().unwrap_or_else(PoisonError::into_inner);
            output.push_str(&text);
        }
    })
}
