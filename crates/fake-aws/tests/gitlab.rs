//! GitLab's API: permissions, rejections and responses.

use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use fake_aws::{
    FakeAws, Scope,
    gitlab::{DEVELOPER, HOST, MAX_MIRRORS_PER_PROJECT, REDIRECT_HOST},
};

pub const PROJECT: &str = "platform/infra";
pub const REPOSITORY: &str = "infra";
pub const URL: &str = "https://git-codecommit.eu-central-1.amazonaws.com/v1/repos/infra";

/// An answer: its status, its body and, for lists, the next page.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Value,
    pub next_page: String,
}

impl Answered {
    /// The body as text, for searches.
    pub fn says(&self, part: &str) -> bool {
        self.body.to_string().contains(part)
    }
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
                let (now, random) = (aws.now, &mut aws.random);
                let reset = aws
                    .iam
                    .change(now, |iam| iam.reset("mirror", &login.id, random));
                login = reset.expect("just issued");
            }
            aws.remember_secret(&login.password);
            login
        });
        let (name, password) = (login.service_user_name, login.password);
        URL.replacen("://", &format!("://{name}:{password}@"), 1)
    }

    pub async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answered {
        let answer = self.ask_or_fail(method, path, body).await;
        answer.expect("an answer")
    }

    pub async fn ask_or_fail(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Option<Answered> {
        let project = PROJECT.replace('/', "%2F");
        let url = format!("https://{}/api/v4/projects/{project}{path}", self.host);
        let sent = body.map_or_else(SdkBody::empty, |body| SdkBody::from(body.to_string()));
        let mut request = HttpRequest::new(sent);
        request.set_method(method).unwrap();
        request.set_uri(url).unwrap();
        let headers = request.headers_mut();
        headers.insert("private-token", self.token.clone());
        headers.insert("content-type", "application/json");
        let answer = self.connector.call(request).await.ok()?;
        let bytes = answer.body().bytes().unwrap_or_default();
        Some(Answered {
            status: answer.status().as_u16(),
            body: serde_json::from_slice(bytes).unwrap_or(Value::Null),
            next_page: answer
                .headers()
                .get("x-next-page")
                .unwrap_or_default()
                .to_owned(),
        })
    }

    /// Creates a mirror and returns its ID.
    pub async fn mirror(&self, body: Value) -> u64 {
        let made = self.ask("POST", "/remote_mirrors", Some(body)).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["id"].as_u64().unwrap()
    }

    pub async fn look(&self, mirror: u64) -> Value {
        self.ask("GET", &format!("/remote_mirrors/{mirror}"), None)
            .await
            .body
    }
}

#[tokio::test(start_paused = true)]
async fn new_mirror_is_disabled_and_hides_its_login() {
    let gitlab = Asking::new();
    let url = gitlab.login_url();
    let made = gitlab
        .ask("POST", "/remote_mirrors", Some(json!({"url": url})))
        .await;
    assert_eq!(made.status, 201);
    assert_eq!(made.body["enabled"], false);
    assert_eq!(made.body["only_protected_branches"], false);
    assert_eq!(made.body["update_status"], "none");
    assert_eq!(made.body["last_successful_update_at"], Value::Null);
    assert_eq!(made.body["url"], URL.replacen("://", "://*****:*****@", 1));
    let id = made.body["id"].as_u64().unwrap();
    assert_eq!(gitlab.look(id).await, made.body);
    let change = json!({"enabled": true, "keep_divergent_refs": "true", "url": "https://a@b"});
    let path = format!("/remote_mirrors/{id}");
    let changed = gitlab.ask("PUT", &path, Some(change)).await;
    assert_eq!(changed.body["enabled"], true);
    assert_eq!(changed.body["keep_divergent_refs"], true);
    assert_eq!(
        changed.body["url"], made.body["url"],
        "it has no url to change"
    );
    assert_eq!(gitlab.fake.mirrors(PROJECT)[0].made_by, "test");
    assert_eq!(gitlab.ask("DELETE", &path, None).await.status, 204);
    assert_eq!(gitlab.ask("DELETE", &path, None).await.status, 404);
    assert_eq!(gitlab.ask("GET", &path, None).await.status, 404);
    let told = gitlab.fake.transcript();
    assert_eq!(gitlab.fake.secret_in(&told), None, "{told}");
    assert!(gitlab.fake.secret_in(&url).is_some());
    gitlab.fake.assert_unbroken();
}

#[tokio::test(start_paused = true)]
async fn mirrors_are_for_maintainers_with_a_token_of_scope_api() {
    let mut gitlab = Asking::new();
    let list = "/remote_mirrors";
    assert_eq!(gitlab.ask("GET", list, None).await.status, 200);
    let good = gitlab.token.clone();
    gitlab.token = "glpat-unknown".to_owned();
    assert_eq!(gitlab.ask("GET", list, None).await.status, 401);
    gitlab.token = gitlab
        .fake
        .gitlab_token_for("gitlab/reader", HOST, Scope::ReadApi);
    assert_eq!(gitlab.ask("GET", list, None).await.status, 200);
    let refused = gitlab
        .ask("POST", list, Some(json!({"url": "https://a:b@c/d"})))
        .await;
    assert_eq!(refused.status, 403);
    assert!(refused.says("insufficient_scope"));
    gitlab.token = good;
    let access = |level| {
        gitlab
            .fake
            .change(|aws| aws.gitlab.project_mut(PROJECT).access = level);
    };
    access(Some(DEVELOPER));
    assert_eq!(gitlab.ask("GET", list, None).await.status, 401);
    let project = gitlab.ask("GET", "", None).await;
    assert_eq!(project.status, 200);
    assert_eq!(
        project.body["permissions"]["project_access"]["access_level"],
        DEVELOPER
    );
    access(None);
    assert_eq!(gitlab.ask("GET", list, None).await.status, 404);
    access(Some(40));
    let disable = |disabled| {
        let fake = gitlab.fake.clone();
        fake.options(|options| options.gitlab.mirroring_disabled = disabled);
    };
    disable(true);
    assert_eq!(gitlab.ask("GET", list, None).await.status, 401);
    disable(false);
    assert_eq!(gitlab.ask("GET", list, None).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn invalid_urls_are_rejected() {
    let gitlab = Asking::new();
    for (url, says) in [
        ("ftp://foo:bar@test.com", "Only allowed schemes"),
        ("https://user:pa#ss@test.com/x", "URI is invalid"),
        ("https://user:pa?ss@test.com/x", "URI is invalid"),
        ("https://$user:pass@test.com/x", "alphanumeric character"),
        ("nothing", "URI is invalid"),
    ] {
        let refused = gitlab
            .ask("POST", "/remote_mirrors", Some(json!({"url": url})))
            .await;
        assert_eq!(refused.status, 400, "{url}");
        assert!(refused.says(says), "{url}: {refused:?}");
    }
    gitlab.fake.assert_unbroken();
    for url in [
        "https://user:pa/ss@test.com/x",
        "https://user:pa%2Bss@test.com/x",
    ] {
        gitlab
            .ask("POST", "/remote_mirrors", Some(json!({"url": url})))
            .await;
    }
    assert_eq!(gitlab.fake.violations().len(), 2, "no product sends these");
}

#[tokio::test(start_paused = true)]
async fn ten_mirrors_of_a_project_are_enabled_at_most() {
    let gitlab = Asking::new();
    let body = |number: usize, enabled: bool| json!({"url": format!("https://a:b@example.com/{number}"), "enabled": enabled});
    for number in 0..MAX_MIRRORS_PER_PROJECT {
        gitlab.mirror(body(number, true)).await;
    }
    let one_more = gitlab.mirror(body(10, false)).await;
    let refused = gitlab
        .ask("POST", "/remote_mirrors", Some(body(11, true)))
        .await;
    assert_eq!(refused.status, 400);
    assert!(refused.says("Maximum number of push mirrors (10) exceeded"));
    let enable = Some(json!({"enabled": true}));
    let path = format!("/remote_mirrors/{one_more}");
    let refused = gitlab.ask("PUT", &path, enable.clone()).await;
    assert!(
        refused.status == 400 && refused.says("Maximum"),
        "{refused:?}"
    );
    let first = gitlab.fake.mirrors(PROJECT)[0].id;
    let first = format!("/remote_mirrors/{first}");
    assert_eq!(
        gitlab
            .ask("PUT", &first, Some(json!({"enabled": false})))
            .await
            .status,
        200
    );
    assert_eq!(gitlab.ask("PUT", &path, enable).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn newer_gitlab_rejects_a_second_mirror_to_one_address() {
    let gitlab = Asking::new();
    gitlab
        .mirror(json!({"url": "https://a:b@example.com/foo.git"}))
        .await;
    let again = || json!({"url": "https://c:d@example.com/foo.git"});
    let refused = gitlab.ask("POST", "/remote_mirrors", Some(again())).await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.body,
        json!({"message": {"url": ["has already been taken"]}})
    );
    gitlab
        .mirror(json!({"url": "https://c:d@example.com:443/foo.git"}))
        .await;
    let fake = gitlab.fake.clone();
    fake.options(|options| options.gitlab.unique_urls = false);
    gitlab.mirror(again()).await;
    assert_eq!(fake.mirrors(PROJECT).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn protected_branches_and_a_regex_are_not_named_together() {
    let gitlab = Asking::new();
    let both = json!({
        "url": "https://a:b@example.com/1",
        "only_protected_branches": false, "mirror_branch_regex": "main",
    });
    let refused = gitlab
        .ask("POST", "/remote_mirrors", Some(both.clone()))
        .await;
    assert_eq!(refused.status, 400);
    assert!(refused.says("mutually exclusive"));
    let id = gitlab
        .mirror(json!({"url": "https://a:b@example.com/1", "only_protected_branches": true}))
        .await;
    let path = format!("/remote_mirrors/{id}");
    let regex = Some(json!({"mirror_branch_regex": "main"}));
    let changed = gitlab.ask("PUT", &path, regex).await.body;
    assert_eq!(changed["mirror_branch_regex"], "main");
    assert_eq!(changed["only_protected_branches"], false);
    let protected = Some(json!({"only_protected_branches": true}));
    let changed = gitlab.ask("PUT", &path, protected).await.body;
    assert_eq!(changed["mirror_branch_regex"], Value::Null);
    // The free edition ignores the parameter without an error.
    let fake = gitlab.fake.clone();
    fake.options(|options| options.gitlab.premium = false);
    let path = format!("/remote_mirrors/{id}");
    let changed = gitlab.ask("PUT", &path, Some(both)).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body.get("mirror_branch_regex"), None);
}

#[tokio::test(start_paused = true)]
async fn token_sent_to_another_host_is_a_violation() {
    let mut gitlab = Asking::new();
    gitlab.host = REDIRECT_HOST;
    assert_eq!(gitlab.ask("GET", "/remote_mirrors", None).await.status, 401);
    let sent = format!("GitLab's token was sent to {REDIRECT_HOST}");
    assert_eq!(gitlab.fake.violations(), [sent]);

    let mut gitlab = Asking::new();
    gitlab
        .fake
        .options(|options| options.gitlab.redirects = true);
    assert_eq!(gitlab.ask("GET", "/remote_mirrors", None).await.status, 302);
    gitlab.fake.assert_unbroken();
    gitlab.host = REDIRECT_HOST;
    gitlab.token = String::new();
    gitlab.ask("GET", "/remote_mirrors", None).await;
    assert_eq!(gitlab.fake.violations(), ["a redirect was followed"]);
}

#[tokio::test(start_paused = true)]
async fn token_that_is_written_down_is_a_violation() {
    let gitlab = Asking::new();
    let clients = fake_aws::clients::Clients::over(gitlab.fake.connector("test"));
    let put = clients.secrets.create_secret().name("copy");
    let put = put.secret_string(format!("the token is {}", gitlab.token));
    put.send().await.unwrap();
    let violations = gitlab.fake.violations();
    assert_eq!(
        violations,
        ["GitLab's token was sent to secretsmanager with CreateSecret"]
    );
}
