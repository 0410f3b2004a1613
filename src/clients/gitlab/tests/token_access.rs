//! The token is read only for the GitLab that its owner allows.

use aws_sdk_iam::config::{BehaviorVersion, Region};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use aws_types::SdkConfig;
use expect_test::expect;
use serde_json::{Value, json};

use super::script::{Reply, Script};
use super::{MIRRORS, TOKEN, described, ok};
use crate::clients::aws::SdkClients;
use crate::clients::gitlab::api::token_error::TokenError;
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

/// The fault with its remedy.
fn shown(fault: &TokenError) -> String {
    format!("{fault}. {}", fault.remedy())
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

/// A tagged secret that Secrets Manager rotates, or not.
fn rotated(is_rotated: bool) -> Reply {
    let tag = json!({"Key": "cfn-gitops:gitlab-url", "Value": "https://gitlab.example.com"});
    ok(json!({"Tags": [tag], "RotationEnabled": is_rotated}))
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_replaced_if_its_rotated_secret_has_another() {
    let revoked = json!({"error": "invalid_token", "error_description": "Token was revoked."});
    let mirror = format!("GET {MIRRORS}/7");
    let next = "glpat-SentinelTokenOfGitLab2";
    for (is_rotated, second) in [(true, next), (true, TOKEN), (false, next)] {
        let mut script = Script::default()
            .then(DESCRIBE, rotated(is_rotated))
            .then(GET, holding(&json!(TOKEN)))
            .then(&mirror, Reply::json(401, revoked.clone()));
        if is_rotated {
            script = script.then(DESCRIBE, rotated(true)).then(GET, holding(&json!(second)));
        }
        let is_repeated = is_rotated && second == next;
        if is_repeated {
            script = script.then(&mirror, ok(described(7)));
        }
        let gitlab = open(&script, &access()).await.expect("open");
        let read = gitlab.mirror("platform/infra".into(), 7).await;
        assert_eq!(read.is_ok(), is_repeated, "{read:?}");
        if is_repeated {
            let sent = script.sent();
            assert_eq!(sent[5].header("private-token"), Some(next));
        }
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn token_that_is_rotated_has_no_expiry() {
    for is_rotated in [true, false] {
        let token = json!({"id": 42, "expires_at": "2026-12-05"});
        let script = Script::default()
            .then(DESCRIBE, rotated(is_rotated))
            .then(GET, holding(&json!(TOKEN)))
            .then("GET /personal_access_tokens/self", ok(token));
        let gitlab = open(&script, &access()).await.expect("open");
        let details = gitlab.token_details().await.expect("details");
        assert_eq!(details.expires_at.is_none(), is_rotated);
        script.sent();
    }
}

#[tokio::test(start_paused = true)]
async fn token_without_the_url_tag_is_not_read() {
    let description = json!({"Tags": [{"Key": "other", "Value": "x"}]});
    let fault = fault(Script::default().then(DESCRIBE, ok(description))).await;
    assert!(matches!(fault, TokenError::Untagged { .. }), "{fault}");
    expect!["the secret has no tag cfn-gitops:gitlab-url, with which its owner allows its token for a GitLab, so it was not read. Allow this GitLab with `aws secretsmanager tag-resource --secret-id gitlab-token --tags Key=cfn-gitops:gitlab-url,Value=https://gitlab.example.com`"].assert_eq(&shown(&fault));
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
    for (tag, expected) in [
        (
            "cfn-gitops:stack-id",
            expect![
                "the secret belongs to a stack's resource (tag cfn-gitops:stack-id) and holds a mirror's login, so it was not read. Set GitLab.TokenSecretId to the secret of a GitLab token"
            ],
        ),
        (
            "cfn-gitops:logical-id",
            expect![
                "the secret belongs to a stack's resource (tag cfn-gitops:logical-id) and holds a mirror's login, so it was not read. Set GitLab.TokenSecretId to the secret of a GitLab token"
            ],
        ),
    ] {
        let fault = fault(Script::default().then(DESCRIBE, tagged_with(&[(tag, "x")]))).await;
        assert_eq!(fault, TokenError::OwnSecret(tag));
        expected.assert_eq(&shown(&fault));
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
    let mut reasons = vec![];
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
        let is_untrusted = matches!(error.kind, ErrorKind::Token(TokenError::UntrustedCa { .. }));
        assert!(is_untrusted, "{error}");
        reasons.push(error.reason().to_string());
        script.sent();
    }
    reasons.dedup();
    expect![[r#"
        reading GitLab's token from secret gitlab-token: the secret's owner does not allow GitLab.CaCertificate: the tag cfn-gitops:gitlab-ca-sha256 lacks the SHA-256 fingerprint 13C321F463786CFFB8E3BEDED245C88FAEB7B94D75578A40CC5E8691A090D46A. The token was neither read nor sent. Allow the certificate with `aws secretsmanager tag-resource --secret-id gitlab-token --tags Key=cfn-gitops:gitlab-ca-sha256,Value=13C321F463786CFFB8E3BEDED245C88FAEB7B94D75578A40CC5E8691A090D46A` - CFG-405
        reading GitLab's token from secret gitlab-token: the secret's owner does not allow GitLab.CaCertificate: the tag cfn-gitops:gitlab-ca-sha256 lacks the SHA-256 fingerprint 13C321F463786CFFB8E3BEDED245C88FAEB7B94D75578A40CC5E8691A090D46A. The token was neither read nor sent. Allow the certificate with `aws secretsmanager tag-resource --secret-id gitlab-token --tags 'Key=cfn-gitops:gitlab-ca-sha256,Value=AA:BB 13C321F463786CFFB8E3BEDED245C88FAEB7B94D75578A40CC5E8691A090D46A'` - CFG-405
        reading GitLab's token from secret gitlab-token: the secret's owner does not allow GitLab.CaCertificate: the tag cfn-gitops:gitlab-ca-sha256 lacks the SHA-256 fingerprint 5AA466BAAA5EB754E75CE5CDFD780C0486ABFF925AD17DE3B0B35327B986285B. The token was neither read nor sent. Allow the certificate with `aws secretsmanager tag-resource --secret-id gitlab-token --tags 'Key=cfn-gitops:gitlab-ca-sha256,Value=13:C3:21:F4:63:78:6C:FF:B8:E3:BE:DE:D2:45:C8:8F:AE:B7:B9:4D:75:57:8A:40:CC:5E:86:91:A0:90:D4:6A 5AA466BAAA5EB754E75CE5CDFD780C0486ABFF925AD17DE3B0B35327B986285B'` - CFG-405"#]].assert_eq(&reasons.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn missing_secret_differs_from_denied_secret() {
    let missing = || refusal(400, "ResourceNotFoundException", "can't find it");
    let denied = || refusal(400, "AccessDeniedException", "not authorized");
    let mut texts = vec![];
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
        texts.push(shown(&fault));
    }
    for text in [
        "Access to KMS is not allowed",
        "not authorized to perform: kms:Decrypt on resource: k",
        "not authorized to perform: kms:Decrypt on resource: k with an explicit deny in a service control policy",
    ] {
        let fault = fault(reading(refusal(400, "AccessDeniedException", text))).await;
        texts.push(shown(&fault));
    }
    expect![[r#"
        AccessDeniedException: not authorized. Let the secret's owner give it the tag cfn-gitops:gitlab-url with the value https://gitlab.example.com. If it has the tag cfn-gitops:env, only the function of that environment may read it. If the secret has its own KMS key, set GitLabTokenKmsKeyArn on the provider stack, too
        AccessDeniedException: not authorized. Let the secret's owner give it the tag cfn-gitops:gitlab-url with the value https://gitlab.example.com. If it has the tag cfn-gitops:env, only the function of that environment may read it. If the secret has its own KMS key, set GitLabTokenKmsKeyArn on the provider stack, too
        AccessDeniedException: Access to KMS is not allowed. Set GitLabTokenKmsKeyArn on the provider stack to the key of the secret, and allow the account or the function's role in the key's policy
        AccessDeniedException: not authorized to perform: kms:Decrypt on resource: k. Set GitLabTokenKmsKeyArn on the provider stack to the key of the secret, and allow the account or the function's role in the key's policy
        AccessDeniedException: not authorized to perform: kms:Decrypt on resource: k with an explicit deny in a service control policy. Change the policy that denies the call (an identity-based policy or the permissions boundary of the function's role, a service control policy, or the policy of the VPC endpoint, of the resource or of its key): no parameter of the provider stack allows this"#]].assert_eq(&texts.join("\n"));
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
    expect!["the secret is scheduled for deletion, so its token cannot be read. Restore it: aws secretsmanager restore-secret --secret-id gitlab-token"].assert_eq(&shown(&fault));
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
    expect![[r#"the secret's value is JSON without a text member "token". Store the token alone, or set GitLab.TokenSecretKey to its member"#]].assert_eq(&shown(&no_member));
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
    expect!["reaching GitLab at https://gitlab.example.com: GitLab.CaCertificate holds no readable PEM certificate. Set GitLab.CaCertificate to the certificate of the private CA - CFG-102"].assert_eq(&error.reason().to_string());
}
