//! The token is read only for the GitLab that its owner allows.

use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_types::SdkConfig;
use serde_json::{Value, json};

use super::script::{Reply, Script};
use super::{MIRRORS, TOKEN, described, ok};
use crate::clients::aws::SdkClients;
use crate::clients::gitlab::token_error::TokenError;
use crate::clients::gitlab::{Access, ErrorKind, GitLab, GitLabError, open as open_gitlab};

const DESCRIBE: &str = "secretsmanager.DescribeSecret";
const GET: &str = "secretsmanager.GetSecretValue";

fn access() -> Access {
    Access {
        url: "https://gitlab.example.com".to_owned(),
        token_secret_id: "gitlab-token".to_owned(),
        token_secret_key: "token".to_owned(),
        ca_certificate: None,
    }
}

async fn open(script: &Script, access: &Access) -> Result<GitLab, GitLabError> {
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-real-key", None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let http = script.http();
    open_gitlab(&SdkClients::new(&config, &http), &http, access).await
}

fn tagged(url: &str) -> Reply {
    let tag = json!({"Key": "cfn-gitops:gitlab-url", "Value": url});
    ok(json!({"Name": "gitlab-token", "Tags": [{"Key": "x", "Value": "y"}, tag]}))
}

fn holding(value: &Value) -> Reply {
    let value = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    ok(json!({"Name": "gitlab-token", "SecretString": value}))
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, json!({"__type": code, "message": message}))
}

async fn fault(script: Script) -> TokenError {
    let error = open(&script, &access()).await.expect_err("a fault");
    script.sent();
    assert_eq!(
        error.doing,
        "reading GitLab's token from secret gitlab-token"
    );
    assert!(!error.to_string().contains(TOKEN));
    match error.kind {
        ErrorKind::Token(fault) => fault,
        kind => panic!("{kind}"),
    }
}

#[tokio::test(start_paused = true)]
async fn token_is_read_after_its_tag_and_used() {
    for value in [
        json!(TOKEN),
        json!({"token": TOKEN}),
        json!(format!("{TOKEN}\n")),
    ] {
        let script = Script::default()
            .then(DESCRIBE, tagged("https://gitlab.example.com/"))
            .then(GET, holding(&value))
            .then(&format!("GET {MIRRORS}/7"), ok(described(7)));
        let gitlab = open(&script, &access()).await.expect("open");
        assert!(!format!("{gitlab:?}").contains(TOKEN));
        gitlab.mirror("platform/infra".into(), 7).await.expect("a mirror");
        let sent = script.sent();
        assert_eq!(sent[2].header("private-token"), Some(TOKEN));
    }
}

#[tokio::test(start_paused = true)]
async fn token_without_the_url_tag_is_not_read() {
    let description = json!({"Tags": [{"Key": "other", "Value": "x"}]});
    let fault = fault(Script::default().then(DESCRIBE, ok(description))).await;
    assert!(matches!(fault, TokenError::Untagged { .. }), "{fault}");
    let advice = "--tags Key=cfn-gitops:gitlab-url,Value=https://gitlab.example.com";
    assert!(fault.remedy().to_string().contains(advice), "{fault}");
}

/// A secret with the tag of its GitLab, and others.
fn tagged_with(tags: &[(&str, &str)]) -> Reply {
    let url = [("cfn-gitops:gitlab-url", "https://gitlab.example.com")];
    let tags = url.iter().chain(tags);
    let tags: Vec<Value> = tags.map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    ok(json!({"Name": "gitlab-token", "Tags": tags}))
}

// claim: own-secret-is-never-read-as-a-token
#[tokio::test(start_paused = true)]
async fn own_secret_is_never_read_as_a_token() {
    for tag in ["cfn-gitops:stack-id", "cfn-gitops:logical-id"] {
        let fault = fault(Script::default().then(DESCRIBE, tagged_with(&[(tag, "x")]))).await;
        assert_eq!(fault, TokenError::OwnSecret(tag));
        assert!(
            fault.remedy().to_string().contains("GitLab.TokenSecretId"),
            "{fault}"
        );
    }
}

/// Of `src/clients/http/tests/authority.pem`, as OpenSSL prints it.
const FINGERPRINT: &str = "13:C3:21:F4:63:78:6C:FF:B8:E3:BE:DE:D2:45:C8:8F:\
                           AE:B7:B9:4D:75:57:8A:40:CC:5E:86:91:A0:90:D4:6A";
const AUTHORITY: &str = include_str!("../../http/tests/authority.pem");
const SERVER: &str = include_str!("../../http/tests/server.pem");

fn trusting(pem: String) -> Access {
    Access {
        ca_certificate: Some(pem),
        ..access()
    }
}

#[tokio::test(start_paused = true)]
async fn certificate_that_the_token_owner_names_is_trusted() {
    let listed = format!("00 {FINGERPRINT} 11");
    let script = Script::default()
        .then(
            DESCRIBE,
            tagged_with(&[("cfn-gitops:gitlab-ca-sha256", &listed)]),
        )
        .then(GET, holding(&json!(TOKEN)));
    let opened = open(&script, &trusting(AUTHORITY.to_owned())).await;
    opened.expect("the owner's own authority");
    script.sent();
}

// claim: certificate-that-the-token-owner-omits-is-rejected
#[tokio::test(start_paused = true)]
async fn certificate_that_the_token_owner_omits_is_rejected() {
    let tag = ("cfn-gitops:gitlab-ca-sha256", FINGERPRINT);
    for (tags, pem) in [
        (vec![], AUTHORITY.to_owned()),
        (vec![(tag.0, "")], AUTHORITY.to_owned()),
        (vec![(tag.0, "AA:BB")], AUTHORITY.to_owned()),
        (vec![tag], SERVER.to_owned()),
        // One of two.
        (vec![tag], format!("{AUTHORITY}{SERVER}")),
    ] {
        let script = Script::default().then(DESCRIBE, tagged_with(&tags));
        let error = open(&script, &trusting(pem)).await.expect_err("untrusted");
        let text = error.reason().text();
        let is_untrusted = matches!(error.kind, ErrorKind::Token(TokenError::UntrustedCa { .. }));
        assert!(is_untrusted, "{text}");
        let remedy = "--tags 'Key=cfn-gitops:gitlab-ca-sha256,Value=";
        assert!(text.contains(remedy), "{text}");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn missing_secret_differs_from_denied_secret() {
    let missing = || refusal(400, "ResourceNotFoundException", "can't find it");
    let denied = || refusal(400, "AccessDeniedException", "not authorized");
    for is_read in [false, true] {
        let rejected = |reply| {
            if is_read {
                return reading(reply);
            }
            Script::default().then(DESCRIBE, reply)
        };
        assert_eq!(fault(rejected(missing())).await, TokenError::Missing);
        let fault = fault(rejected(denied())).await;
        assert!(matches!(fault, TokenError::Denied { .. }), "{fault}");
        let remedy = fault.remedy().to_string();
        assert!(fault.to_string().contains("not authorized"), "{fault}");
        assert!(remedy.contains("cfn-gitops:gitlab-url"), "{remedy}");
    }
    for (text, begins) in [
        ("Access to KMS is not allowed", "Set GitLabTokenKmsKeyArn"),
        (
            "not authorized to perform: kms:Decrypt on resource: k",
            "Set GitLabTokenKmsKeyArn",
        ),
        (
            "not authorized to perform: kms:Decrypt on resource: k with an explicit deny in a service control policy",
            "Change the service control policy",
        ),
    ] {
        let remedy = fault(reading(refusal(400, "AccessDeniedException", text)))
            .await
            .remedy()
            .to_string();
        assert!(remedy.starts_with(begins), "{remedy}");
    }
    let deleted = refusal(400, "InvalidRequestException", "marked for deletion");
    let fault = fault(reading(deleted)).await;
    assert!(
        matches!(&fault, TokenError::Failed(error) if !error.is_transient()),
        "{fault}"
    );
}

#[tokio::test(start_paused = true)]
async fn deleted_secret_has_the_command_that_restores_it() {
    let described = ok(json!({"Name": "gitlab-token", "DeletedDate": 1_760_000_000}));
    let fault = fault(Script::default().then(DESCRIBE, described)).await;
    let remedy = fault.remedy().to_string();
    assert!(
        remedy.contains("restore-secret --secret-id "),
        "{fault}: {remedy}"
    );
}

/// The secret allows this GitLab, and its value is `reply`.
fn reading(reply: Reply) -> Script {
    let tagged = tagged("https://gitlab.example.com");
    Script::default().then(DESCRIBE, tagged).then(GET, reply)
}

#[tokio::test(start_paused = true)]
async fn secret_without_a_token_names_the_missing_key() {
    let no_member = fault(reading(holding(&json!({"other": TOKEN})))).await;
    assert_eq!(no_member, TokenError::NoMember("token".to_owned()));
    let remedy = no_member.remedy().to_string();
    assert!(remedy.contains("GitLab.TokenSecretKey"), "{remedy}");
    let binary = ok(json!({"SecretBinary": "AAAA"}));
    assert_eq!(fault(reading(binary)).await, TokenError::NoText);
}

// claim: project-is-one-path-segment
#[tokio::test(start_paused = true)]
async fn unusable_url_sends_nothing() {
    for url in [
        "http://gitlab.example.com",
        "https://user:password@gitlab.example.com",
        "https://user@gitlab.example.com",
        "https://gitlab.example.com?x=y",
        "https://gitlab.example.com/#x",
        "ftp://gitlab.example.com",
        "gitlab.example.com",
        "https://",
        "",
    ] {
        let access = Access {
            url: url.to_owned(),
            ..access()
        };
        let error = open(&Script::default(), &access).await.expect_err(url);
        assert_eq!(error.kind, ErrorKind::UnusableUrl, "{url}");
        assert!(!error.to_string().contains("password@"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn loopback_and_url_with_a_path_are_accepted() {
    for url in ["http://127.0.0.1:8080", "https://example.com/gitlab"] {
        let access = Access {
            url: format!("{url}/"),
            ..access()
        };
        let script = Script::default()
            .then(DESCRIBE, tagged(url))
            .then(GET, holding(&json!(TOKEN)))
            .then(
                &format!("GET {url}/api/v4/projects/1/remote_mirrors/7"),
                ok(described(7)),
            );
        let gitlab = open(&script, &access).await.expect("open");
        gitlab.mirror("1".into(), 7).await.expect("a mirror");
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn invalid_ca_certificate_sends_nothing() {
    let access = Access {
        ca_certificate: Some("no certificate".to_owned()),
        ..access()
    };
    let error = open(&Script::default(), &access).await.expect_err("none");
    assert_eq!(error.kind, ErrorKind::InvalidCaCertificate);
    assert!(error.to_string().contains("GitLab.CaCertificate"));
}
