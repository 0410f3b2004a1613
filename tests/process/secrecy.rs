//! No secret is visible at any level of logging: not in the process's output,
//! not in responses, results and errors, not in the system's data about the process.

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::aws_front::{Front, one_account};
use crate::bucket::{CREDENTIAL, SIGNATURE};
use crate::function::{Function, SECRET_KEY, SESSION_TOKEN, Setup, mirror};
use crate::http::{AUTHORITY, Proxy, Reply};
use crate::thousands::move_gitlab;
use fake_aws::{Reaction, ResourceAction, Scope, gitlab};

/// Occurs in unknown properties: an output that contains it contains the event as a whole.
const IN_THE_EVENT: &str = "SentinelInTheEvent-漢/+=";

/// A value for the build, which only the child stack may contain.
const OF_THE_BUILD: &str = "SentinelOfTheBuild-漢/+=";

/// The forms in which a text can be hidden in another: unchanged, escaped in JSON, with and without
/// its slashes, percent-encoded, and base64 at each of the three places where a byte can stand.
fn forms(secret: &str) -> Vec<String> {
    let quoted = Value::from(secret).to_string();
    let quoted = quoted[1..quoted.len() - 1].to_owned();
    let quoted_twice = Value::from(quoted.as_str()).to_string();
    let percent = |keep: &str, upper: bool| -> String {
        secret
            .bytes()
            .map(|byte| match char::from(byte) {
                c if c.is_ascii_alphanumeric() || keep.contains(c) => c.to_string(),
                _ if upper => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            })
            .collect()
    };
    let mut forms = vec![
        secret.to_owned(),
        secret.replace('/', "\\/"),
        quoted_twice.trim_matches('"').to_owned(),
        quoted,
        format!("{secret:?}").trim_matches('"').to_owned(),
    ];
    for keep in ["-_.~", "-_.~/", ""] {
        forms.extend([percent(keep, true), percent(keep, false)]);
    }
    for before in 0..3 {
        let bytes = [&b"xx"[..before], secret.as_bytes()].concat();
        let encoded = aws_smithy_types::base64::encode(bytes);
        // Parts that include the secret's neighbours are left out.
        let inner = &encoded[[0, 2, 3][before]..encoded.trim_end_matches('=').len() - 1];
        forms.extend([inner.to_owned(), inner.replace('+', "-").replace('/', "_")]);
    }
    forms
}

/// The secret that a text gives away.
fn found<'a>(text: &str, secrets: &'a [String]) -> Option<&'a str> {
    let gives_away = |secret: &&String| forms(secret).iter().any(|form| text.contains(form));
    secrets.iter().find(gives_away).map(String::as_str)
}

/// The texts that may never be visible. The path and the query of an address count as much as the
/// whole.
fn secrets(function: &Function) -> Vec<String> {
    let mut secrets: Vec<String> = function.aws.fake.every_secret_ever();
    assert!(!secrets.is_empty(), "a password was issued");
    let fixed = [
        IN_THE_EVENT,
        OF_THE_BUILD,
        SIGNATURE,
        CREDENTIAL,
        "path-of-the-answer",
        SECRET_KEY,
        SESSION_TOKEN,
    ];
    secrets.extend(fixed.map(ToOwned::to_owned));
    secrets
}

/// Every kind of event that the function handles, valid and invalid.
fn work(function: &Function) {
    let mirror = |serial: &str| {
        json!({"ServiceToken": "arn", "UserName": "mirror", "RepositoryNames": ["infra"],
               "RotationSerial": serial})
    };
    let create = || function.request("Create", &mirror("1"));
    let with = |mut event: Value, member: &str, value: Value| {
        *event.pointer_mut(member).expect("a member") = value;
        event
    };
    let mut rotation = function.request("Update", &mirror("2"));
    rotation["OldResourceProperties"] = mirror("1");
    let in_the_event = json!({"UserName": "mirror", "Typo": IN_THE_EVENT});
    let deep = json!({"UserName": "mirror", "Tags": "DEEP"});
    let of_another_name = json!({"UserName": "mirror", "SecretName": "x"});
    let properties = "/ResourceProperties";
    let events = [
        ("SUCCESS", create()),
        ("FAILED", with(create(), properties, in_the_event)),
        (
            "FAILED",
            with(create(), "/ResourceType", json!("Custom::Other")),
        ),
        (
            "FAILED",
            with(create(), properties, json!({"UserName": "somebody"})),
        ),
        ("FAILED", with(create(), properties, of_another_name)),
        ("FAILED", with(create(), properties, deep)),
        ("SUCCESS", rotation),
        ("SUCCESS", function.request("Delete", &mirror("2"))),
    ];
    for (status, mut event) in events {
        event["Unknown"] = json!({"Within": [IN_THE_EVENT]});
        event["RequestId"] = json!(fastrand::u64(..).to_string());
        let deep = format!("{}\"{IN_THE_EVENT}\"{}", "[".repeat(300), "]".repeat(300));
        let text = event.to_string().replace("\"DEEP\"", &deep);
        // Twice: a failure of the first PUT is logged too.
        function.bucket.next([Reply::status(503), Reply::Reset]);
        let invocation = function.lambda.invoke(text, Duration::from_mins(1));
        let result = invocation.result();
        assert_eq!(result["Status"], status, "{result}");
    }
    pipelines(function);
    for refusal in [Reply::status(403), Reply::status(503)] {
        function.bucket.always(Some(refusal));
        let event = function.request("Create", &json!({"Typo": IN_THE_EVENT}));
        function.invoke(&event, Duration::from_secs(2)).ended();
    }
    function.bucket.always(None);
    let mut nowhere = function.request("Create", &json!({"Typo": IN_THE_EVENT}));
    for host in ["http://127.0.0.1:1/", "no url: "] {
        let url = format!("{host}path-of-the-answer?X-Amz-Signature={SIGNATURE}");
        nowhere["ResponseURL"] = json!(url);
        // The first may be there later, and is an error; the second never can be.
        function.invoke(&nowhere, Duration::from_secs(1)).ended();
    }
    let text = json!(IN_THE_EVENT);
    for unknown in [json!({"Step": text}), json!([text]), text.clone()] {
        function.invoke(&unknown, Duration::from_secs(1)).error();
    }
}

/// The events of a pipeline with a value for its build, with a request that is continued.
fn pipelines(function: &Function) {
    let fake = &function.aws.fake;
    fake.options(|options| options.resource_takes = Duration::from_millis(50));
    let shop = |minutes: u32| {
        json!({
            "ServiceToken": crate::lambda::FUNCTION, "EnvID": "dev", "ProjectID": "shop",
            "Build": {
                "EnvironmentVariables": {"Password": OF_THE_BUILD},
                "TimeoutInMinutes": minutes.to_string(),
            },
        })
    };
    let mut wrong = shop(7);
    wrong["Build"]["EnvironmentVariables"] = json!({
        "EnvID": OF_THE_BUILD, "no name": OF_THE_BUILD, "List": [OF_THE_BUILD],
        "Long": OF_THE_BUILD.repeat(2000),
    });
    let request = |kind: &str, properties: &Value| {
        let mut event = function.pipeline_request(kind, properties);
        event["RequestId"] = json!(fastrand::u64(..).to_string());
        event["Unknown"] = json!({"Within": [IN_THE_EVENT]});
        event
    };
    let answered = |event: &Value, status: &str| {
        let result = function.invoke(event, Duration::from_mins(1)).result();
        assert_eq!(result["Status"], status, "{result}");
    };
    answered(&request("Create", &wrong), "FAILED");
    answered(&request("Create", &shop(30)), "SUCCESS");
    for reaction in fake.push("codecommit-dev-cfn-shop", "development", "commit-1") {
        let Reaction::Event { payload, .. } = reaction else {
            panic!("{reaction:?}");
        };
        let result = function.invoke(&payload, Duration::from_mins(1)).result();
        assert_eq!(result["PipelineName"], "codepipeline-dev-cfn-shop");
    }
    let mut update = request("Update", &shop(40));
    update["OldResourceProperties"] = shop(30);
    fake.options(|options| options.resource_takes = function.seconds(1));
    let before = fake.invocations().len();
    function.invoke(&update, function.seconds(2)).result();
    let asked = fake.invocations();
    assert_eq!(asked.len(), before + 1, "it was to be handed over");
    answered(&asked[before].payload, "SUCCESS");
    fake.options(|options| options.resource_takes = Duration::from_millis(50));
    fake.fail_resource("BuildProject", ResourceAction::Update, "no such image", 1);
    answered(&request("Update", &shop(50)), "FAILED");
    answered(&request("Delete", &shop(50)), "SUCCESS");
}

// claim: no-secret-at-any-log-level
#[test]
fn no_secret_is_logged_at_any_level() {
    let levels = [
        "",
        "trace",
        "debug,hyper=trace,reqwest=trace",
        "aws_smithy_runtime=trace,trace",
    ];
    std::thread::scope(|scope| {
        for level in levels {
            scope.spawn(move || no_secret_is_seen_at(level));
        }
    });
}

fn no_secret_is_seen_at(level: &str) {
    let function = Setup::new().with("RUST_LOG", level).start();
    work(&function);
    let secrets = secrets(&function);
    for (number, posted) in function.lambda.posted().iter().enumerate() {
        assert_eq!(found(posted, &secrets), None, "result {number}: {posted}");
    }
    for (put, _) in function.bucket.attempts() {
        assert_eq!(found(&put.text(), &secrets), None, "{}", put.text());
    }
    let told = |file: &str| {
        let bytes = std::fs::read(format!("/proc/{}/{file}", function.id()));
        String::from_utf8_lossy(&bytes.expect("the process runs")).into_owned()
    };
    assert_eq!(found(&told("cmdline"), &secrets), None);
    // Lambda itself puts the role's keys into the environment.
    let mut others = secrets.clone();
    others.retain(|secret| ![SECRET_KEY, SESSION_TOKEN].contains(&secret.as_str()));
    assert_eq!(found(&told("environ"), &others), None);
    // The address of a response goes only into the function's invocations of itself.
    let address = [SIGNATURE, CREDENTIAL, "path-of-the-answer"].map(ToOwned::to_owned);
    for call in function.aws.calls() {
        let head = format!("{} {:?}", call.target, call.headers);
        assert_eq!(found(&head, &address), None, "{head}");
        let is_continuation = call.target.ends_with("/invocations");
        assert!(is_continuation || found(&call.text(), &address).is_none());
    }
    let written = function.ended();
    assert!(written.contains("SUCCESS"), "nothing was logged: {written}");
    let shown = found(&written, &secrets);
    assert_eq!(shown, None, "RUST_LOG={level}: {written}");
}

// claim: search-finds-planted-secrets
#[test]
fn search_finds_planted_secrets() {
    let secret = "a/Sécret+with=every\"thing漢".to_owned();
    let secrets = std::slice::from_ref(&secret);
    let base64 = |text: &str| aws_smithy_types::base64::encode(text);
    let percent = "a%2FS%C3%A9cret%2Bwith%3Devery%22thing%E6%BC%A2";
    for planted in [
        secret.clone(),
        json!({"a": secret}).to_string(),
        json!({"a": json!({"b": secret}).to_string()}).to_string(),
        format!("{secret:?}"),
        base64(&secret),
        base64(&format!("u:{secret}")),
        base64(&format!("us:{secret} and more")),
        base64(&format!("use:{secret}")),
        percent.to_owned(),
        percent.replace("%2F", "/"),
        format!("https://u:{percent}@host/"),
        "a%2fS%c3%a9cret%2bwith%3devery%22thing%e6%bc%a2".to_owned(),
    ] {
        let text = format!("before {planted} behind");
        assert_eq!(found(&text, secrets), Some(secret.as_str()), "{planted}");
    }
    for part in [&percent[..20], "a/S"] {
        assert_eq!(found(&format!("only a part: {part}"), secrets), None);
    }
}

/// A proxy gets the address of the host, and encrypted bytes. GitLab gets its token.
#[test]
fn proxy_tunnels_tls_and_reads_nothing() {
    let aws = Front::over_tls(one_account());
    let url = format!("https://{}", aws.server.address);
    aws.fake.gitlab_project("platform/infra", &["main"]);
    let token = aws.fake.gitlab_token_for("gitlab/token", gitlab::HOST, Scope::Api);
    aws.fake.arrange(|aws| move_gitlab(aws, &url));
    let mut properties = mirror();
    properties["GitLab"] = json!({"Url": url, "TokenSecretId": "gitlab/token"});
    properties["Mirrors"] = json!([{"GitLabProject": "platform/infra", "RepositoryName": "infra"}]);
    let proxy = Proxy::start();
    let setup = |no_proxy| {
        Setup::new()
            .aws_at(&url)
            .with("SSL_CERT_FILE", AUTHORITY)
            .with("HTTPS_PROXY", &format!("http://{}", proxy.address))
            .with("NO_PROXY", no_proxy)
    };
    let function = setup("").start();
    function.succeeds(&function.request("Create", &properties));
    let calls = aws.calls();
    let mut tokens = calls.iter().filter_map(|call| call.header("private-token"));
    assert!(tokens.any(|sent| sent == token));
    let opened = proxy.opened();
    assert_eq!(opened.len(), aws.server.connections());
    let line = format!("CONNECT {} HTTP/1.1", aws.server.address);
    for head in &opened {
        assert!(head.starts_with(&line), "{head}");
        assert!(!head.to_lowercase().contains("authorization"), "{head}");
        assert!(!head.contains(&token), "{head}");
    }
    let function = setup("127.0.0.0/8").start();
    function.succeeds(&function.request("Create", &mirror()));
    assert_eq!(proxy.opened(), opened);
}

#[test]
fn unusable_proxy_is_reported_with_its_parameter() {
    let unusable = "http://proxy.example.com:99999";
    let function = Setup::new().with("HTTPS_PROXY", unusable).start();
    let event = function.request("Create", &mirror());
    let error = function.invoke(&event, Duration::from_mins(1)).error();
    let reason = error["errorMessage"].as_str().unwrap_or_default();
    expect!["setting up the HTTP client: the stack's parameter HttpsProxy is not an address. Correct the parameter HttpsProxy - CFG-106"].assert_eq(reason);
}

/// No other variable names a proxy, and nothing leaves this machine in plain text.
#[test]
fn request_without_tls_goes_to_no_proxy() {
    let proxy = Proxy::start();
    let address = format!("http://{}", proxy.address);
    let names = ["HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "ALL_PROXY"];
    let setup = names.iter().fold(Setup::new(), |setup, name| setup.with(name, &address));
    let function = setup.start();
    function.succeeds(&function.request("Create", &mirror()));
    assert_eq!(proxy.opened(), [""; 0]);
}
