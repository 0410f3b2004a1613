//! GitLab's API: its hosts, and secrets in its requests. `tests/rules` has the rules that do not
//! depend on virtual time.

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use fake_aws::{
    FakeAws, Scope,
    gitlab::{HOST, REDIRECT_HOST},
};

pub const PROJECT: &str = "platform/infra";
pub const REPOSITORY: &str = "infra";
pub const URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/infra";

/// An answer: its status and its body.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Value,
}

/// A client with a token for GitLab.
pub struct Asking {
    pub fake: FakeAws,
    pub token: String,
    pub host: &'static str,
    connector: SharedHttpConnector,
}

impl Asking {
    /// In a fake AWS with a project of two branches, of which the default branch is protected, a
    /// repository, and a user `mirror`.
    pub fn new() -> Self {
        let fake = FakeAws::new();
        fake.user("mirror");
        fake.repository(REPOSITORY);
        fake.gitlab_project(PROJECT, &["main", "feature"]);
        let token = fake.gitlab_token("gitlab/token");
        let connector = fake.connector("test");
        Self {
            fake,
            token,
            host: HOST,
            connector,
        }
    }

    /// A URL with a working login that GitLab accepts.
    pub fn login_url(&self) -> String {
        let login = self.fake.change(|aws| {
            let mut login = aws.issue("mirror", "test").expect("a free slot");
            while login.password.contains('/') {
                login = aws.reset("mirror", &login.id);
            }
            login
        });
        let (name, password) = (login.service_user_name, login.password);
        URL.replacen("://", &format!("://{name}:{password}@"), 1)
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        let project = PROJECT.replace('/', "%2F");
        let url = format!("https://{}/api/v4/projects/{project}{path}", self.host);
        let sent = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.to_string()));
        let mut request = HttpRequest::new(sent);
        request.set_method(method).expect("a method");
        request.set_uri(url).expect("an address");
        let headers = request.headers_mut();
        headers.insert("private-token", self.token.clone());
        headers.insert("content-type", "application/json");
        let answer = self.connector.call(request).await.expect("an answer");
        let bytes = answer.body().bytes().unwrap_or_default();
        Answered {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(bytes).unwrap_or(Value::Null),
        }
    }

    /// The response's body.
    pub async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, None).await.body
    }

    /// The status of a list.
    async fn list(&self) -> u16 {
        self.ask("GET", "/remote_mirrors", None).await.status
    }

    /// Creates a mirror and returns its ID.
    pub async fn mirror(&self, body: Value) -> u64 {
        let made = self.ask("POST", "/remote_mirrors", Some(body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["id"].as_u64().expect("an ID")
    }

    pub async fn look(&self, mirror: u64) -> Value {
        self.get(&format!("/remote_mirrors/{mirror}")).await
    }
}

#[tokio::test(start_paused = true)]
async fn login_that_arrives_changed_is_a_violation() {
    let gitlab = Asking::new();
    for login in ["user:pa/ss", "user:pa%2Bss"] {
        let body = json!({"url": format!("https://{login}@test.com/x")});
        gitlab.ask("POST", "/remote_mirrors", Some(body)).await;
    }
    assert_eq!(gitlab.fake.violations().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn token_sent_to_another_host_is_a_violation() {
    let mut gitlab = Asking::new();
    gitlab.host = REDIRECT_HOST;
    assert_eq!(gitlab.list().await, 401);
    let sent = format!("GitLab's token was sent to {REDIRECT_HOST}");
    assert_eq!(gitlab.fake.violations(), [sent]);
    // A token of that host finds no project of the other one.
    let fake = gitlab.fake.clone();
    gitlab.token = fake.gitlab_token_for("other/token", REDIRECT_HOST, Scope::Api);
    assert_eq!(gitlab.list().await, 404);

    let mut gitlab = Asking::new();
    let fake = gitlab.fake.clone();
    fake.options(|options| options.gitlab.redirects = true);
    assert_eq!(gitlab.list().await, 302);
    fake.assert_unbroken();
    gitlab.host = REDIRECT_HOST;
    gitlab.token = String::new();
    gitlab.list().await;
    assert_eq!(fake.violations(), ["a redirect was followed"]);
}

#[tokio::test(start_paused = true)]
async fn token_that_is_written_down_is_a_violation() {
    let gitlab = Asking::new();
    let clients = fake_aws::clients::Clients::over(gitlab.fake.connector("test"));
    let text = format!("the token is {}", gitlab.token);
    let put = send!(clients.secrets, create_secret, name: "copy", secret_string: text);
    put.await.expect("a new name");
    let violations = gitlab.fake.violations();
    let expected = "GitLab's token was sent to secretsmanager with CreateSecret";
    assert_eq!(violations, [expected]);
}
